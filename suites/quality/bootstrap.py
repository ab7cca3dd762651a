"""Interval of a mean over samples, by resampling them."""

from __future__ import annotations

from typing import Any

import numpy as np

RESAMPLES = 2000


def mean_interval(values: Any, confidence: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Return the percentile bootstrap interval (lo, hi) of the mean of `values` [n], n > 0.

    Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13. The
    seed makes it repeatable; the interval always holds the mean itself.
    """
    array = np.asarray(values, dtype=np.float64)
    draws = np.random.default_rng(seed).integers(0, len(array), size=(RESAMPLES, len(array)))
    means = array[draws].mean(axis=1)
    lo, hi = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return min(float(lo), float(array.mean())), max(float(hi), float(array.mean()))
