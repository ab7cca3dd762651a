"""Quantiles by nearest rank, and what n independent values say about one of them.

For n independent values and B ~ Binomial(n, q), the interval [x_(l), x_(u)] holds the q-quantile
with at least the wanted confidence where l = max{k: P(B <= k-1) <= a/2} and u = min{k: P(B >= k) <=
a/2}, a = 1 - confidence (David and Nagaraja, Order Statistics, 3rd edition, section 7.1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

Number = TypeVar("Number", int, float)


def nearest_rank(ordered: Sequence[Number], q: float) -> Number:
    """Return the value of rank ceil(q n), at least 1, of the ascending, non-empty `ordered`."""
    if not ordered or not 0 <= q <= 1:
        raise ValueError(f"no {q} quantile of {len(ordered)} values")
    # q = 0.07, n = 100 gives 7.000000000000001: the product is rounded before it is raised
    rank = math.ceil(round(q * len(ordered), 9))
    return ordered[max(rank, 1) - 1]


def median_unbiased(ordered: Sequence[float], q: float) -> float:
    """Return the q-quantile of the ascending, non-empty `ordered` between ranks.

    Rank (n + 1/3) q + 1/3: too high as often as too low, whatever the distribution (definition 8 of
    Hyndman and Fan, American Statistician 50, 1996). The nearest rank errs to one side, and the
    average of many runs would keep that.
    """
    if not ordered or not 0 <= q <= 1:
        raise ValueError(f"no {q} quantile of {len(ordered)} values")
    n = len(ordered)
    rank = min(max((n + 1 / 3) * q + 1 / 3, 1.0), float(n))
    below = math.floor(rank)
    low, high = ordered[below - 1], ordered[min(below, n - 1)]
    return low + (rank - below) * (high - low)


@lru_cache(maxsize=4096)
def interval_ranks(n: int, q: float, confidence: float = 0.95) -> tuple[int, int] | None:
    """Return the ranks (l, u), counted from 1, that enclose the q-quantile of n independent values.

    None where n is too small for a finite interval on both sides; `least_samples` says how many it
    takes.
    """
    if n < 1 or not 0 < q < 1 or not 0 < confidence < 1:
        raise ValueError(f"no interval for n={n}, q={q}, confidence={confidence}")
    tail = (1 - confidence) / 2
    lower = _ranks_below(n, q, tail)
    upper = n + 1 - _ranks_below(n, 1 - q, tail)
    return (lower, upper) if lower >= 1 and upper <= n else None


def least_samples(q: float, confidence: float = 0.95) -> int:
    """Return the smallest n with finite `interval_ranks`: 6 for p50, 368 for p99 at 95 %."""
    tail = (1 - confidence) / 2
    n = max(1, math.ceil(math.log(tail) / math.log(max(q, 1 - q))) - 1)
    while interval_ranks(n, q, confidence) is None:
        n += 1
    return n


def _ranks_below(n: int, q: float, tail: float) -> int:
    """Return max{k: P(B <= k-1) <= tail} for B ~ Binomial(n, q), 0 if P(B = 0) exceeds it."""
    spread = math.sqrt(n * q * (1 - q))
    # Bernstein: what lies further out than this weighs less than 1e-16 and cannot move a rank
    first = max(0, math.floor(n * q - 9 * spread - 40))
    total = 0.0
    for k in range(first, n + 1):
        total += math.exp(log_binomial(k, n, q))
        # equality counts as inside, so that exact ties do not hang on the last bit
        if total > tail * (1 + 1e-12):
            return k
    return n


def log_binomial(k: int, n: int, q: float) -> float:
    """Return ln P(B = k) for B ~ Binomial(n, q), 0 < q < 1."""
    choose = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return choose + k * math.log(q) + (n - k) * math.log1p(-q)
