"""Loss of accuracy when two models answered the same samples.

Source: R. G. Newcombe, "Improved confidence intervals for the difference between binomial
proportions based on paired data", Statistics in Medicine 17 (1998) 2635-2650, method 10: Wilson's
score intervals of the two proportions, combined with the correlation of the pairs (phi, with a
continuity correction).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Loss:
    """A relative loss, (reference - value) / reference, with its interval; negative is a gain."""

    value: float
    lo: float
    hi: float


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval (lo, hi) of a proportion of `successes` in `n` > 0 trials."""
    z2 = NormalDist().inv_cdf((1 + confidence) / 2) ** 2
    p = successes / n
    center = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    # rounding must not push the bound past the proportion itself at 0 and at n successes
    return max(0.0, min(p, center - half)), min(1.0, max(p, center + half))


def newcombe_interval(
    first: Any, second: Any, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Return (difference, lo, hi) of the proportions mean(first) - mean(second).

    `first` and `second` are bool [n], n > 0: right or wrong on the same samples, in the same order.
    """
    a, b = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    n, hits_a, hits_b = len(a), int(a.sum()), int(b.sum())
    difference = (hits_a - hits_b) / n
    p_a, p_b = hits_a / n, hits_b / n
    low_a, high_a = wilson_interval(hits_a, n, confidence)
    low_b, high_b = wilson_interval(hits_b, n, confidence)
    phi = _phi(a, b)
    lower = _combine(p_a - low_a, high_b - p_b, phi)
    upper = _combine(high_a - p_a, p_b - low_b, phi)
    return difference, max(-1.0, difference - lower), min(1.0, difference + upper)


def relative_loss(reference: Any, value: Any, confidence: float = 0.95) -> Loss | None:
    """Return the accuracy lost against `reference`, relative to its accuracy; None where that is 0.

    Both are bool [n]. The interval is Newcombe's for the difference, divided by the reference's
    accuracy on these samples, which is taken as known.
    """
    right = float(np.mean(reference))
    if right == 0.0:
        return None
    difference, lo, hi = newcombe_interval(reference, value, confidence)
    return Loss(difference / right, lo / right, hi / right)


def _phi(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    n = len(a)
    both, only_a, only_b = int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum())
    neither = n - both - only_a - only_b
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    if margins == 0:
        return 0.0
    product = both * neither - only_a * only_b
    corrected = max(product - n / 2, 0.0) if product > 0 else float(product)
    return corrected / math.sqrt(margins)


def _combine(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))
