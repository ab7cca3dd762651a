"""The interval a tool's own numbers would give, where it prints none: independent samples assumed.

What is left out is the same everywhere: the spread between processes.
"""

from __future__ import annotations

import math

Z = 1.959964  # of a two-sided 95 % interval
# sd of the median of n normal samples: sqrt(pi / 2) times that of the mean; IQR = 1.349 sd
MEDIAN_OVER_MEAN = math.sqrt(math.pi / 2)
IQR_PER_SD = 1.349


def from_sd(mean: float, sd: float, n: int) -> float | None:
    """Return the relative half-width of the mean's 95 % interval, None where n gives none."""
    if n < 2 or mean <= 0:
        return None
    return Z * sd / math.sqrt(n) / mean


def from_iqr(median: float, iqr: float, n: int) -> float | None:
    """Return the relative half-width of the median's 95 % interval, None where n gives none."""
    if n < 4 or median <= 0:
        return None
    return Z * MEDIAN_OVER_MEAN * iqr / IQR_PER_SD / math.sqrt(n) / median
