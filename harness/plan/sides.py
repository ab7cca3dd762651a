"""The two sides of a gate, out of the words a person typed for them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from harness.errors import UsageError
from suites.variants import VARIANTS

Kind = Literal["model", "variant", "interpreter"]
# The runtime whose own format a file is in; a model of the zoo is measured with the first.
_RUNTIMES = {
    ".onnx": "onnxruntime",
    ".tflite": "tflite",
    ".xml": "openvino",
    ".pt2": "torch-export",
}


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One side: a model, a level of it, and the python that is to run it, None for the usual."""

    word: str
    kind: Kind
    model: str
    variant: str = "fp32"
    interpreter: str | None = None


def both(base: str, candidate: str, model: str | None) -> tuple[Side, Side]:
    """Return the two sides; UsageError where the words do not make a pair."""
    sides = _side("--base", base, model), _side("--candidate", candidate, model)
    kinds = [side.kind for side in sides]
    if kinds[0] != kinds[1]:
        raise UsageError(
            f"--base {base!r} is a {kinds[0]} and --candidate {candidate!r} a {kinds[1]}",
            "name two models, two levels of one --model, or two pythons",
        )
    return sides


def default_backend(side: Side) -> str:
    """Return the runtime that a gate measures with unless --backends names others."""
    return _RUNTIMES.get(Path(side.model).suffix.lower(), "onnxruntime")


def _side(option: str, word: str, model: str | None) -> Side:
    if word in VARIANTS:
        if model is None:
            raise UsageError(
                f"{option} {word}: a level of which model?", "name it with --model NAME|PATH"
            )
        return Side(word=word, kind="variant", model=model, variant=word)
    if _is_interpreter(word):
        if model is None:
            raise UsageError(
                f"{option} {word}: a python to run which model?", "name it with --model NAME|PATH"
            )
        path = str(Path(word).absolute())
        return Side(word=word, kind="interpreter", model=model, interpreter=path)
    if model is not None:
        raise UsageError(
            f"{option} {word!r} is neither a level ({', '.join(VARIANTS)}) nor a python",
            "leave --model out to compare two models",
        )
    return Side(word=word, kind="model", model=word)


def _is_interpreter(word: str) -> bool:
    path = Path(word)
    return path.name.startswith("python") and path.is_file() and os.access(path, os.X_OK)
