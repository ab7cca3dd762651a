"""Look into a user's model file. Build worker only: parsers of hostile files may die."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import backends
from harness.errors import UsageError
from suites.models.binding import DTYPES, Inspection, TensorInfo
from suites.models.vocabulary import exported_vocabulary, openvino_vocabulary, tflite_vocabulary

# kind of file -> the backend whose runtime is its own
NATIVE = {"onnx": "onnxruntime", "tflite": "tflite", "xml": "openvino", "pt2": "torch-export"}

Vocabulary = dict[str, int]


def inspect(path: Path, kind: str) -> Inspection:
    """Return inputs, outputs and further files of `path`; UsageError for what cannot be read."""
    if kind == "onnx":
        from suites.models.inspect_onnx import inspect_onnx

        seen = inspect_onnx(path)
    else:
        seen = _inspect_native(path, kind)
    if not seen.inputs:
        raise UsageError(f"{path.name!r} has no inputs", "there is nothing to measure")
    for info in seen.inputs:
        if info.dtype not in DTYPES:
            raise UsageError(
                f"input {info.name!r} of {path.name!r} has the type {info.dtype}",
                "only numbers can be drawn for it",
            )
    return seen


def open_native(path: Path, kind: str, options: dict[str, Any]) -> Any:
    """Return the file's session in its own runtime; UsageError where that refuses it."""
    word = NATIVE[kind]
    try:
        fixed = backends.TABLE[word]["fixed"]
        adapter = importlib.import_module(backends.TABLE[word]["module"])
        return adapter.open(str(path), {"threads": 1, **fixed, **options})
    except backends.BackendError as error:
        advice = None if error.kind == "missing" else "is it damaged, or made for another version?"
        raise UsageError(f"cannot read {path.name!r}: {error.message}", advice) from error


def _inspect_native(path: Path, kind: str) -> Inspection:
    """Ask the runtime's own session, so that the names are those that will be measured."""
    session = open_native(path, kind, {})
    tables = VOCABULARIES[kind](path)
    inputs = tuple(
        TensorInfo(
            name=entry["name"],
            dtype=entry["dtype"],
            dims=tuple(None if size < 0 else int(size) for size in entry["shape"]),
            vocabulary=tables.get(entry["name"], tables.get(f"#{position}")),
        )
        for position, entry in enumerate(session.inputs)
    )
    return Inspection(inputs=inputs, outputs=())


VOCABULARIES: dict[str, Callable[[Path], Vocabulary]] = {
    "tflite": tflite_vocabulary,
    "xml": openvino_vocabulary,
    "pt2": exported_vocabulary,
}


def run_native(path: Path, kind: str, specs: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the file's own FP32 outputs {name: [n, ...]} of `inputs`, sample by sample.

    `specs` are the bound inputs (harness.types.TensorSpec). Batched outputs are joined along their
    batch.
    """
    import numpy as np

    options: dict[str, Any] = {"shapes": {spec.name: list(spec.shape) for spec in specs}}
    if kind == "xml":
        options["precision"] = "f32"  # left to itself, OpenVINO may choose a shorter type
    session = open_native(path, kind, options)
    try:
        answers = [
            session.outputs(session.infer(session.bind(one))) for one in _samples(specs, inputs)
        ]
    except backends.BackendError as error:
        raise UsageError(
            f"{path.name!r} does not run with {_shown(specs)}: {error.message}",
            "give other shapes with --shape",
        ) from error
    finally:
        session.close()
    join = np.concatenate if any(spec.batched for spec in specs) else np.stack
    columns = {name: [np.array(answer[name]) for answer in answers] for name in answers[0]}
    try:
        return {
            name: join([np.atleast_1d(part) for part in parts]) for name, parts in columns.items()
        }
    except ValueError as error:
        raise UsageError(
            f"{path.name!r} puts out another shape for each sample", "its quality cannot be scored"
        ) from error


def _samples(specs: Any, inputs: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for i in range(len(next(iter(inputs.values())))):
        yield {
            spec.name: inputs[spec.name][i : i + 1] if spec.batched else inputs[spec.name][i]
            for spec in specs
        }


def _shown(specs: Any) -> str:
    return ", ".join(f"{spec.name}={'x'.join(map(str, spec.shape))}" for spec in specs)
