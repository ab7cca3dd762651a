"""The user's own files, in every format, good and bad; all but one test inspect in this process."""

from pathlib import Path

import numpy as np
import pytest
import tiny_models

from harness.errors import UsageError
from suites import build
from suites.artifacts.inspection import direct_inspector
from suites.models import ModelOptions, resolve

pytestmark = [pytest.mark.toolchain, pytest.mark.filterwarnings("default")]

FILES = {
    "onnx": tiny_models.onnx_file,
    "xml": tiny_models.xml_file,
    "pt2": tiny_models.pt2_file,
    "tflite": tiny_models.tflite_file,
}


def open_file(path, **options):
    return resolve(str(path), ModelOptions(**options), direct_inspector())


@pytest.fixture
def lookup(tmp_path):
    """Embedding(10, 8) and a mask, summed: float32 [batch, 8]; the table lies in table.bin."""
    from onnx import TensorProto, helper, numpy_helper

    table = numpy_helper.from_array(np.eye(10, 8, dtype=np.float32), "table")
    weights = tmp_path / "table.bin"
    weights.write_bytes(table.raw_data)
    table.ClearField("raw_data")
    table.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "table.bin"), ("length", str(weights.stat().st_size))):
        table.external_data.add(key=key, value=value)
    nodes = [
        helper.make_node("Cast", ["ids"], ["wide"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "wide"], ["rows"]),
        helper.make_node("Cast", ["mask"], ["kept"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["kept", "last"], ["column"]),
        helper.make_node("Mul", ["rows", "column"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "middle"], ["y"], keepdims=0),
    ]
    constants = [
        table,
        numpy_helper.from_array(np.array([-1]), "last"),
        numpy_helper.from_array(np.array([1]), "middle"),
    ]
    inputs = [
        helper.make_tensor_value_info("ids", TensorProto.INT32, ["batch", "seq"]),
        helper.make_tensor_value_info("mask", TensorProto.INT64, ["batch", "seq"]),
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 8])]
    graph = helper.make_graph(nodes, "lookup", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "lookup.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def relocate(path, location):
    """Let the external data of `path` claim another place."""
    import onnx

    model = onnx.load(str(path), load_external_data=False)
    entries = model.graph.initializer[0].external_data
    next(entry for entry in entries if entry.key == "location").value = location
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize("kind", list(FILES))
def test_each_format_tells_its_inputs_and_its_own_outputs(kind, tmp_path):
    path = FILES[kind](tmp_path)
    source = open_file(path)
    (spec,) = source.model.inputs
    assert spec.shape == (1, 16) and spec.dtype == "float32"
    assert source.model.origin == "user" and source.model.name == path.stem
    assert source.model.quality_metric == "cosine"
    assert "no --labels were given" in source.model.quality_reason
    evaluation = source.evaluation(tmp_path)
    (inputs,), (outputs,) = evaluation.inputs.values(), evaluation.reference.values()
    assert len(inputs) == len(outputs) == 16
    if kind != "tflite":  # that file holds other weights
        flat = inputs.reshape(16, 16)
        np.testing.assert_allclose(outputs.reshape(16, 4), tiny_models.expected(flat), atol=1e-5)
    material = source.material(tmp_path)
    assert getattr(material, kind) == path.resolve() and list(material.calibration) == []


def test_an_exported_program_becomes_onnx_too(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    source = open_file(tiny_models.pt2_file(tmp_path))
    source.prepare(tmp_path)
    material = source.material(tmp_path)
    session = onnxruntime.InferenceSession(str(material.onnx), providers=["CPUExecutionProvider"])
    x = np.ones((3, 16), np.float32)
    (name,) = [value.name for value in session.get_inputs()]
    assert name == source.model.inputs[0].name
    np.testing.assert_allclose(session.run(None, {name: x})[0], tiny_models.expected(x), atol=1e-5)


def test_ids_stay_in_the_vocabulary_of_the_table_they_index(lookup):
    source = open_file(lookup, shapes={"ids": (1, 6)})
    ids, mask = source.model.inputs
    assert (ids.dtype, ids.shape, ids.low, ids.high) == ("int32", (1, 6), 0, 10)
    assert (mask.dtype, mask.shape, mask.low, mask.high) == ("int64", (1, 6), 1, 2)
    evaluation = source.evaluation(None)
    assert evaluation.inputs["ids"].shape == (16, 6) and evaluation.inputs["ids"].max() < 10
    assert evaluation.reference["y"].sum(axis=1).max() <= 6


def test_tflite_tables_are_found_too():
    ids, mask = open_file(tiny_models.FIXTURES / "lookup.tflite").model.inputs
    bounds = {spec.dtype: (spec.low, spec.high) for spec in (ids, mask)}
    assert bounds == {"int32": (0, 10), "float32": (None, None)}


def test_the_seed_draws_the_evaluation(tmp_path):
    path = tiny_models.onnx_file(tmp_path)
    first, again, other = (
        open_file(path, seed=seed).evaluation(None).inputs["x"] for seed in (0, 0, 1)
    )
    assert (first == again).all() and (first != other).any()


def test_external_data_belongs_to_the_identity(lookup):
    before = open_file(lookup).model.digest
    table = lookup.parent / "table.bin"
    table.write_bytes(bytes(4) + table.read_bytes()[4:])
    assert open_file(lookup).model.digest != before
    table.unlink()
    with pytest.raises(UsageError, match=r"'table.bin' of 'lookup.onnx' is missing"):
        open_file(lookup)


@pytest.mark.parametrize("location", ["/etc/passwd", "../table.bin", "sub/../../table.bin"])
def test_external_data_elsewhere_is_refused(lookup, location):
    relocate(lookup, location)
    with pytest.raises(UsageError, match="outside its directory"):
        open_file(lookup)


def test_linked_external_data_is_refused(lookup, tmp_path):
    table = lookup.parent / "table.bin"
    table.rename(lookup.parent / "real.bin")
    table.symlink_to("real.bin")
    with pytest.raises(UsageError, match="symbolic link"):
        open_file(lookup)


@pytest.mark.parametrize("kind", list(FILES))
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_one_sentence(kind, keep, tmp_path):
    path = FILES[kind](tmp_path)
    cut = tmp_path / f"cut.{kind}"
    content = path.read_bytes()
    cut.write_bytes(content[: int(len(content) * keep)])
    cut.with_suffix(".bin").write_bytes(b"")
    with pytest.raises(UsageError) as caught:
        open_file(cut).evaluation(tmp_path)
    assert f"cut.{kind}" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("model.pt", "a pickled model may run code"),
        ("model.zip", "the endings read are"),
        ("model.tflite", "does not begin like a .tflite file"),
        ("model.pt2", "does not begin like a .pt2 file"),
        ("model.xml", "does not begin like a .xml file"),
        ("model.onnx", "not a readable ONNX file"),
    ],
)
def test_another_kind_of_file_is_one_sentence(name, words, tmp_path):
    (tmp_path / name).write_bytes(b"this is no model at all, only a line of text")
    with pytest.raises(UsageError) as caught:
        open_file(tmp_path / name)
    assert words in str(caught.value)


def test_an_xml_without_its_weights_is_one_sentence(tmp_path):
    path = tiny_models.xml_file(tmp_path)
    path.with_suffix(".bin").unlink()
    with pytest.raises(UsageError, match=r"needs 'dense.bin' beside it"):
        open_file(path)


def test_shapes_that_the_file_cannot_run_are_one_sentence(tmp_path):
    path = tiny_models.onnx_file(tmp_path)
    with pytest.raises(UsageError, match=r"--shape x=1x8 does not fit 'dense-batch-float32.onnx'"):
        open_file(path, shapes={"x": (1, 8)})
    with pytest.raises(UsageError, match="unknown input 'y'"):
        open_file(path, shapes={"y": (1, 16)})


def test_the_users_data_calibrates_on_one_half_and_scores_on_the_other(tmp_path):
    path = tiny_models.onnx_file(tmp_path)
    x = np.random.default_rng(3).standard_normal((21, 16)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x)
    labels = tiny_models.expected(x).argmax(axis=1)
    labels[1] = (labels[1] + 1) % 4
    np.save(tmp_path / "labels.npy", labels)
    source = open_file(path, calibration=tmp_path / "data.npz", labels=tmp_path / "labels.npy")
    assert (source.model.quality_metric, source.model.quality_reason) == ("top1", None)
    evaluation = source.evaluation(None)
    assert (evaluation.inputs["x"] == x[1::2]).all()
    calibration = source.material(tmp_path).calibration
    assert (np.concatenate([sample["x"] for sample in calibration]) == x[::2]).all()
    quality = source.score(evaluation.reference, evaluation)
    assert (quality.metric, quality.value, quality.n) == ("top1", 0.9, 10)


def test_the_data_binds_open_dimensions(lookup, tmp_path):
    arrays = {name: np.ones((4, 5), np.int64) for name in ("ids", "mask")}
    np.savez(tmp_path / "data.npz", **arrays)
    source = open_file(lookup, calibration=tmp_path / "data.npz")
    assert [spec.shape for spec in source.model.inputs] == [(1, 5), (1, 5)]
    assert "samples given" in source.model.quality_reason


def test_labels_need_samples(tmp_path):
    path = tiny_models.onnx_file(tmp_path)
    (tmp_path / "labels.csv").write_text("0\n1\n")
    with pytest.raises(UsageError, match="--labels needs the samples"):
        open_file(path, labels=tmp_path / "labels.csv")


def test_a_worker_inspects_once_per_content(tmp_path, monkeypatch):
    path, cache = tiny_models.onnx_file(tmp_path), tmp_path / "cache"
    first = build.source(str(path), ModelOptions(), cache).model
    monkeypatch.setattr(build, "Crew", None)
    assert build.source(str(path), ModelOptions(), cache).model == first
    copy = Path(str(path).replace("dense", "copy"))
    copy.write_bytes(path.read_bytes()[:50])
    monkeypatch.undo()
    with pytest.raises(UsageError, match="not a readable ONNX file"):
        build.source(str(copy), ModelOptions(), cache)


def test_real_toolchains_take_a_users_file_with_its_external_data(lookup, tmp_path):
    source = build.source(str(lookup), ModelOptions({"ids": (1, 5)}), tmp_path / "cache")
    wanted = build.Wanted(source, ("fp32", "int8-static"), ("onnx", "torch"))
    (result,) = build.build_all([wanted], tmp_path / "cache", lambda event: None)
    made = result.artifacts["fp32", "onnx"]
    assert made.size_bytes >= lookup.stat().st_size
    assert all(Path(file).is_file() for file in made.files)
    assert "needs calibration data" in result.artifacts["int8-static", "onnx"]
    assert isinstance(result.artifacts["fp32", "torch"], str)
    onnxruntime = pytest.importorskip("onnxruntime")
    evaluation = build.load_evaluation(result.evaluation)
    session = onnxruntime.InferenceSession(made.path, providers=["CPUExecutionProvider"])
    (y,) = session.run(None, dict(evaluation.inputs))
    quality = source.score({"y": y}, evaluation)
    assert quality.value == pytest.approx(1.0) and quality.n == 16
