"""How far outputs under emulation are from those of the same artifact and runtime natively here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.types import Json
from suites.quality.agreement import cosine


def compare(emulated: Path, native: Path) -> Json:
    """Return figures about two files of outputs, or the reason why there are none.

    `difference` is the largest absolute one over all values of all outputs, beside `largest`, the
    largest absolute value; `cosine` the smallest over the samples; `samples` how many there are.
    """
    ours, theirs = _read(emulated), _read(native)
    if ours is None or theirs is None:
        return {"reason": "the outputs are not numbers"}
    shapes = {name: value.shape for name, value in ours.items()}
    if shapes != {name: value.shape for name, value in theirs.items()}:
        return {"reason": "the outputs have other shapes than natively"}
    found = [_pair(ours[name], theirs[name]) for name in ours]
    if not found:
        return {"reason": "there are no outputs"}
    if any(one is None for one in found):
        return {"reason": "not every output is a finite number"}
    pairs = [one for one in found if one is not None]
    return {
        "difference": max(pair[0] for pair in pairs),
        "largest": max(pair[1] for pair in pairs),
        "cosine": min(pair[2] for pair in pairs),
        "samples": len(next(iter(ours.values()))),
    }


def _read(path: Path) -> Mapping[str, Any] | None:
    """Return the arrays of a file, None where they are text: objects are never unpickled."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}
    except ValueError:
        return None


def _pair(ours: Any, theirs: Any) -> tuple[float, float, float] | None:
    """Return (largest difference, largest value, smallest cosine), None for what is not finite."""
    left, right = ours.astype(np.float64), theirs.astype(np.float64)
    if not left.size or not (np.isfinite(left).all() and np.isfinite(right).all()):
        return None
    differences = np.abs(left - right)
    return float(differences.max()), float(np.abs(right).max()), float(cosine(left, right).min())
