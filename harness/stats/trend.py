"""A series over time to one figure: by how much it moved from its start to its end."""

from __future__ import annotations

import math
from collections.abc import Mapping

from harness.stats.compare import Comparison
from harness.stats.student import t_quantile


def end_to_start(values: Mapping[int, float], confidence: float = 0.95) -> Comparison:
    """Return the ratio of the end to the start of the straight line through ln `values`.

    `values` maps a moment (a block's number) to one positive value. Least squares: with slope b,
    its standard error s / sqrt(Sxx) and n - 2 degrees of freedom, the ratio is exp(b L) and its
    ends exp((b -+ t s / sqrt(Sxx)) L) over the length L. Needs three moments for an interval, which
    takes what is left beside the line for independent: wander that is no line makes it too narrow.
    """
    moments = sorted(values)
    n = len(moments)
    if n < 2 or not all(value > 0 and math.isfinite(value) for value in values.values()):
        reason = "a trend takes two moments at least" if n < 2 else "a value is not above zero"
        return Comparison(
            ratio=None, lo=None, hi=None, confidence=confidence, n=n, warnings=(reason,)
        )
    logs = [math.log(values[moment]) for moment in moments]
    middle, level = math.fsum(moments) / n, math.fsum(logs) / n
    square = math.fsum((moment - middle) ** 2 for moment in moments)
    products = ((m - middle) * (y - level) for m, y in zip(moments, logs, strict=True))
    slope = math.fsum(products) / square
    length = moments[-1] - moments[0]
    ratio = _exp(slope * length)
    if n == 2:
        warnings = ("no interval of a trend from two moments: measure three blocks at least",)
        return Comparison(
            ratio=ratio, lo=None, hi=None, confidence=confidence, n=n, warnings=warnings
        )
    residuals = (y - level - slope * (m - middle) for m, y in zip(moments, logs, strict=True))
    error = math.sqrt(math.fsum(r * r for r in residuals) / (n - 2) / square)
    half = t_quantile((1 + confidence) / 2, n - 2) * error * length
    return Comparison(
        ratio=ratio,
        lo=_exp(slope * length - half),
        hi=_exp(slope * length + half),
        confidence=confidence,
        n=n,
    )


def _exp(exponent: float) -> float:
    """Return e to the exponent, infinite where floats end."""
    return math.exp(exponent) if exponent < 709 else math.inf
