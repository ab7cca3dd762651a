"""The user's own file: `.onnx`, `.tflite`, OpenVINO `.xml` + `.bin`, exported torch `.pt2`.

The desk looks only at ending, first bytes, size and hashes; whatever parses a model runs in the
build worker.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import numpy as np

from harness.errors import UsageError
from harness.types import Model, Quality, TensorSpec, digest
from suites.models import Evaluation, ModelOptions, user_data
from suites.models.binding import Inspection, bind, draw
from suites.models.content import file_sha256
from suites.quality.scoring import score_fidelity, score_top1
from suites.variants import Material

# ending -> the distributions whose versions may change what is prepared
KINDS: dict[str, tuple[str, ...]] = {
    "onnx": ("onnx", "onnxruntime"),
    "tflite": ("ai-edge-litert",),
    "xml": ("openvino",),
    "pt2": ("torch", "onnx", "onnxscript"),
}
RANDOM_SAMPLES = 16
MOST_SCORED = 256
MOST_CALIBRATED = 512


def file_source(
    path: Path, given: ModelOptions, look: Callable[[Path, str], Inspection]
) -> FileSource:
    """Return the source of a user's model file; `look` opens it elsewhere.

    Raises UsageError for a file that is missing, empty, of another kind or incomplete, and for
    --shape, --calibration and --labels that do not fit it.
    """
    kind = _kind(path)
    path = path.resolve()
    if kind == "xml":
        _beside(path, kind, ())
    seen = look(path, kind)
    beside = _beside(path, kind, seen.externals)
    samples: int | None = None
    data: dict[str, tuple[int, ...]] = {}
    if given.calibration is not None:
        samples, data = user_data.check_calibration(given.calibration, seen.inputs)
    if given.labels is not None:
        if samples is None:
            raise UsageError(
                "--labels needs the samples they belong to", "add --calibration DATA.npz"
            )
        user_data.load_labels(given.labels, samples)
    inputs, notes = bind(seen.inputs, given.shapes, data, path.name)
    contents = {
        PurePosixPath(file.relative_to(path.parent)).as_posix(): file_sha256(file)
        for file in beside
    }
    labelled = given.labels is not None
    model = Model(
        name=path.stem,
        origin="user",
        digest=digest(["file", kind, file_sha256(path), contents]),
        inputs=inputs,
        description="; ".join([f"{path.name}, {_size(path, beside)}", *notes]),
        quality_metric="top1" if labelled else _fidelity_metric(seen, inputs),
        quality_reason=None if labelled else _reason(given),
    )
    return FileSource(given, model, str(path), path, kind)


@dataclass(frozen=True)
class FileSource:
    """A model file. Its workdir holds model.onnx where a torch program could be exported."""

    given: ModelOptions
    model: Model
    word: str
    path: Path
    kind: str

    @property
    def packages(self) -> tuple[str, ...]:
        """Return the distributions that read this kind of file."""
        return KINDS[self.kind]

    def prepare(self, workdir: Path) -> None:
        """Export a torch program to ONNX where that can be done; other files are what they are."""
        if self.kind == "pt2":
            from suites.models.exported_program import to_onnx

            to_onnx(self.path, self.model, workdir / "model.onnx")

    def material(self, workdir: Path) -> Material:
        """Return the file in its own format, and the user's samples to calibrate with."""
        exported = workdir / "model.onnx"
        onnx = exported if exported.exists() else None
        return Material(
            model=self.model,
            torch_program=None,
            onnx=self.path if self.kind == "onnx" else onnx,
            tflite=self.path if self.kind == "tflite" else None,
            xml=self.path if self.kind == "xml" else None,
            pt2=self.path if self.kind == "pt2" else None,
            calibration=self._calibration(),
        )

    def evaluation(self, workdir: Path) -> Evaluation:
        """Return the samples to score on, their labels, and the file's own FP32 outputs."""
        from suites.models.inspect_file import run_native

        data = self._data()
        labels = None
        if data is None:
            generator = np.random.default_rng(self.given.seed)
            inputs = {
                spec.name: draw(spec, RANDOM_SAMPLES, generator) for spec in self.model.inputs
            }
        else:
            scored = slice(1 if _count(data) > 1 else 0, None, 2)
            inputs = {name: array[scored][:MOST_SCORED] for name, array in data.items()}
            if self.given.labels is not None:
                labels = user_data.load_labels(self.given.labels, _count(data))[scored][
                    :MOST_SCORED
                ]
        return Evaluation(
            inputs, run_native(self.path, self.kind, self.model.inputs, inputs), labels
        )

    def score(self, outputs: dict[str, Any], evaluation: Evaluation) -> Quality:
        """Score `top1` where there are labels, else fidelity to the FP32 file."""
        if evaluation.labels is not None:
            return score_top1(outputs, evaluation.reference, evaluation.labels)
        scored = score_fidelity(outputs, evaluation.reference)
        return msgspec.structs.replace(scored, reason=scored.reason or self.model.quality_reason)

    def _data(self) -> dict[str, Any] | None:
        if self.given.calibration is None:
            return None
        return user_data.load_calibration(self.given.calibration, self.model.inputs)

    def _calibration(self) -> list[dict[str, Any]]:
        """Return every second of the user's samples; the others are kept to score on."""
        data = self._data()
        if data is None:
            return []
        chosen = range(0, _count(data), 2)[:MOST_CALIBRATED]
        return [
            {spec.name: sample(data[spec.name], spec, i) for spec in self.model.inputs}
            for i in chosen
        ]


def sample(array: Any, spec: TensorSpec, index: int) -> Any:
    """Return sample `index` of `array` in the bound shape of `spec`."""
    return array[index : index + 1] if spec.batched else array[index]


def _count(data: dict[str, Any]) -> int:
    return len(next(iter(data.values())))


def _kind(path: Path) -> str:
    """Return onnx, tflite, xml or pt2 by ending and first bytes."""
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in str(path)):
        raise UsageError(f"the path {str(path)!r} has characters that are no text", "rename it")
    kind = path.suffix.lower().removeprefix(".")
    if not path.is_file():
        raise UsageError(f"no such model file: {str(path)!r}")
    if kind not in KINDS:
        advice = "the endings read are .onnx, .tflite, .xml and .pt2"
        if kind in ("pt", "pth", "bin", "pkl", "ckpt"):
            advice = (
                "a pickled model may run code: torch.export.save it as .pt2, or export it to .onnx"
            )
        raise UsageError(f"{str(path)!r} is not a model file that can be measured", advice)
    try:
        with path.open("rb") as stream:
            head = stream.read(64)
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror}") from error
    if not head:
        raise UsageError(f"{str(path)!r} is empty")
    looks_right = {
        "onnx": True,  # protobuf has no magic: the worker will tell
        "tflite": head[4:8] == b"TFL3" and len(head) > 16,
        "xml": head.lstrip().startswith((b"<?xml", b"<net", b"\xef\xbb\xbf<")),
        "pt2": head.startswith(b"PK\x03\x04"),
    }[kind]
    if not looks_right:
        raise UsageError(
            f"{str(path)!r} does not begin like a .{kind} file", "is it damaged or misnamed?"
        )
    return kind


def _beside(path: Path, kind: str, externals: tuple[str, ...]) -> list[Path]:
    """Return the further files that belong to the model, after checking that they may be read."""
    names = externals
    if kind == "xml":
        names = (path.with_suffix(".bin").name,)
    for name in names:
        pure, file = PurePosixPath(name), path.parent / name
        if pure.is_absolute() or ".." in pure.parts or _leads_out(file, path.parent):
            raise UsageError(
                f"{path.name!r} refers to {name!r}, outside its own directory",
                "that is not followed",
            )
        if not file.is_file():
            raise UsageError(
                f"{path.name!r} needs {name!r} beside it, and it is not there",
                f"in {str(path.parent)!r}",
            )
    return [path.parent / name for name in names]


def _leads_out(file: Path, directory: Path) -> bool:
    """Tell whether a symbolic link stands anywhere between `directory` and `file`."""
    steps = [file, *file.parents]
    return any(step.is_symlink() for step in steps[: steps.index(directory)])


def _fidelity_metric(seen: Inspection, inputs: tuple[TensorSpec, ...]) -> str:
    """Foretell the metric of `score_fidelity` from the declared outputs."""
    if seen.outputs and all(
        info.dtype.startswith(("int", "uint", "bool")) for info in seen.outputs
    ):
        return "agreement"
    batched = any(spec.batched for spec in inputs)
    scalar = all(all(dim == 1 for dim in info.dims[1 if batched else 0 :]) for info in seen.outputs)
    return "relative_agreement" if seen.outputs and scalar else "cosine"


def _reason(given: ModelOptions) -> str:
    if given.calibration is None:
        return "no --labels were given: quality is fidelity to the FP32 outputs on random inputs"
    return "no --labels were given: quality is fidelity to the FP32 outputs on the samples given"


def _size(path: Path, beside: list[Path]) -> str:
    total = sum(file.stat().st_size for file in [path, *beside])
    return f"{total / 1e6:.1f} MB"
