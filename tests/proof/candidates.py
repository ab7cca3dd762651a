"""The statistics that could have decided, side by side on the same sessions.

All work on (sessions, blocks) arrays of log ratios and return the one-sided p of "worse".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .gate_sessions import ALPHA, LOOK, log_ratios
from .noise_models import Model

Array = NDArray[np.float64]


def trimmed_t(share: float) -> Callable[[Array], Array]:
    """Yuen's t of one sample with this share cut off at either end; 0 is Student's t."""

    def p(ratios: Array) -> Array:
        n = ratios.shape[1]
        cut = int(share * n + 1e-9)
        h = n - 2 * cut
        ordered = np.sort(ratios, axis=1)
        mean = ordered[:, cut : n - cut].mean(axis=1)
        winsorised = np.clip(ordered, ordered[:, [cut]], ordered[:, [n - cut - 1]])
        error = np.sqrt(winsorised.var(axis=1) * n / (h * (h - 1)))
        return np.asarray(stats.t.sf(mean / error, h - 1))

    return p


def signs(ratios: Array) -> Array:
    """The exact sign test."""
    n = ratios.shape[1]
    return np.asarray(stats.binom.sf((ratios > 0).sum(axis=1) - 1, n, 0.5))


def signed_ranks(ratios: Array) -> Array:
    """Wilcoxon's signed ranks, exact."""
    ranks = np.argsort(np.argsort(np.abs(ratios), axis=1), axis=1) + 1
    return np.asarray(_rank_sum_tail(ratios.shape[1])[((ratios > 0) * ranks).sum(axis=1)])


@lru_cache
def _rank_sum_tail(n: int) -> Array:
    """Return P(W >= w) of the signed rank sum of n values for each w."""
    ways = np.ones(1)
    for rank in range(1, n + 1):
        ways = np.concatenate([ways, np.zeros(rank)]) + np.concatenate([np.zeros(rank), ways])
    return np.asarray(np.cumsum(ways[::-1])[::-1] / ways.sum())


CANDIDATES: dict[str, Callable[[Array], Array]] = {
    "Student's t": trimmed_t(0.0),
    "trimmed 15 % (chosen)": trimmed_t(0.15),
    "trimmed 20 %": trimmed_t(0.2),
    "signed ranks": signed_ranks,
    "signs": signs,
}


def compared(
    model: Model, rng: np.random.Generator, sessions: int
) -> dict[str, tuple[float, float, float]]:
    """Return per statistic: false alarms in two looks; +5 % found at the first look, and in all."""
    equal = log_ratios(model, rng, sessions)[:, 0]
    slowed = log_ratios(model, rng, sessions, slower=0.05)[:, 0]
    limit = ALPHA / 2
    found = {}
    for name, p in CANDIDATES.items():
        early = p(slowed[:, :LOOK]) <= limit
        late = early | (p(slowed) <= limit)
        false = (p(equal[:, :LOOK]) <= limit) | (p(equal) <= limit)
        found[name] = (float(false.mean()), float(early.mean()), float(late.mean()))
    return found
