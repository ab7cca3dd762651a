"""Distance from the FP32 reference: cosine, quantization noise, relative error."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from suites.quality.alignment import rows


def finite_rows(outputs: Any) -> np.ndarray[Any, Any]:
    """Return bool [n]: whether every value of the sample is finite."""
    return np.asarray(np.isfinite(rows(outputs)).all(axis=1))


def cosine(outputs: Any, reference: Any) -> np.ndarray[Any, Any]:
    """Return the cosine of each sample's output with its reference, [n], in [-1, 1].

    Two zero vectors agree (1); a zero against a non-zero vector, and any non-finite output, is 0.
    """
    got, want = rows(outputs), rows(reference)
    usable = finite_rows(got)
    # scaling by the largest magnitude first keeps squares of very large values finite
    got = _unit(np.where(usable[:, None], got, 0.0))
    want = _unit(want)
    both_zero = ~got.any(axis=1) & ~want.any(axis=1) & usable
    return np.where(both_zero, 1.0, np.clip((got * want).sum(axis=1), -1.0, 1.0))


def sqnr_db(outputs: Any, reference: Any) -> float | None:
    """Return the signal to quantization noise ratio in decibels over all samples.

    10 log10(sum(reference^2) / sum((output - reference)^2)). Infinite where the outputs are
    identical; None where an output is not finite or the reference is all zero.
    """
    got, want = rows(outputs), rows(reference)
    if not np.isfinite(got).all() or not want.any():
        return None
    scale = np.abs(want).max()
    noise = float((((got - want) / scale) ** 2).sum())
    signal = float(((want / scale) ** 2).sum())
    if noise == 0.0:
        return math.inf
    return 10.0 * math.log10(signal / noise) if math.isfinite(noise) else None


def relative_agreement(outputs: Any, reference: Any) -> float | None:
    """Return 1 - sum|output - reference| / sum|reference|: for outputs of one number per sample.

    None where an output is not finite or the reference is all zero.
    """
    got, want = rows(outputs), rows(reference)
    total = float(np.abs(want).sum())
    if not np.isfinite(got).all() or total == 0.0:
        return None
    return 1.0 - float(np.abs(got - want).sum()) / total


def _unit(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    largest = np.abs(values).max(axis=1, keepdims=True)
    scaled = values / np.where(largest > 0, largest, 1.0)
    norm = np.sqrt((scaled**2).sum(axis=1, keepdims=True))
    return np.asarray(scaled / np.where(norm > 0, norm, 1.0))
