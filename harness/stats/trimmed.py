"""The trimmed mean and its Student's t interval: one location for runs, ratios and decisions.

The largest and the smallest 15 % are cut off before the mean is taken, and count for its error as
the nearest value that was kept (Tukey and McLaughlin, Sankhya A 25, 1963; Yuen, Biometrika 61,
1974): with n values, g = floor(0.15 n) cut off at either end, h = n - 2 g kept and the winsorised
sum of squares SS, the squared standard error is SS / (h (h - 1)), with h - 1 degrees of freedom.
Fewer than seven values are not cut: there it is Student's t of the plain mean.

Single process runs are off by 10-50 % on real machines. One of them in ten blinds a plain t test,
while the price of trimming is small where none is. Chosen by simulation against the plain t, other
shares, the signed ranks and the signs; docs/measurement.md has the table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from harness.stats.student import t_quantile


class Trimmed(msgspec.Struct, frozen=True, kw_only=True):
    """A trimmed mean with its standard error; one value alone has none, and `df` is 0."""

    mean: float
    error: float
    df: int


def trimmed_mean(values: Sequence[float]) -> Trimmed:
    """Return the trimmed mean of at least one finite value. Equal values have the error 0."""
    if not values:
        raise ValueError("no mean of no value")
    ordered = sorted(values)
    n = len(ordered)
    cut = n * 3 // 20
    kept = ordered[cut : n - cut]
    if kept[0] == kept[-1]:  # a rounded mean of equal values may lie beside them
        return Trimmed(mean=kept[0], error=0.0, df=len(kept) - 1)
    h = len(kept)
    winsorised = [kept[0]] * cut + kept + [kept[-1]] * cut
    middle = math.fsum(winsorised) / n
    squares = math.fsum((value - middle) * (value - middle) for value in winsorised)
    return Trimmed(mean=math.fsum(kept) / h, error=math.sqrt(squares / (h * (h - 1))), df=h - 1)


def interval(values: Sequence[float], confidence: float) -> tuple[float, float, float]:
    """Return (lower end, trimmed mean, upper end) of at least two finite values."""
    found = trimmed_mean(values)
    half = t_quantile((1 + confidence) / 2, found.df) * found.error
    return found.mean - half, found.mean, found.mean + half
