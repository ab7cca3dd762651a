"""Two series to one ratio.

Of the same blocks, what drifts between blocks cancels; of two sessions, nothing does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from harness.stats.student import t_quantile
from harness.stats.summary import across_runs, few_runs
from harness.stats.trimmed import Trimmed, trimmed_mean


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A ratio, and the interval that holds the true one with probability `confidence`.

    `n` counts blocks. What they cannot give is None and a sentence in `warnings` says what is
    missing.
    """

    ratio: float | None
    lo: float | None
    hi: float | None
    confidence: float
    n: int
    warnings: tuple[str, ...] = ()


def paired_ratio(
    base: Mapping[int, float], other: Mapping[int, float], confidence: float = 0.95
) -> Comparison:
    """Return other / base: the typical ratio of a block, summarised as by `across_runs`.

    Both map a block's number to one positive value, the median of a process run. Blocks that only
    one side has are left out and counted in a warning. For times, swap the two to read a speed-up.
    """
    shared = sorted(base.keys() & other.keys())
    alone = len(base.keys() ^ other.keys())
    lost = (f"blocks left out because one side is missing: {alone}",) if alone else ()
    if not shared:
        return _nothing(
            confidence, ("no block holds both sides: measure them in one session", *lost)
        )
    if not all(base[block] > 0 and other[block] > 0 for block in shared):
        return _nothing(
            confidence, ("a value is not above zero: it is below the clock's step", *lost)
        )
    summary = across_runs((other[block] / base[block] for block in shared), confidence)
    return Comparison(
        ratio=summary.center,
        lo=summary.lo,
        hi=summary.hi,
        confidence=confidence,
        n=summary.n,
        warnings=summary.warnings + lost,
    )


def unpaired_ratio(
    base: Sequence[float], other: Sequence[float], confidence: float = 0.95
) -> Comparison:
    """Return other / base of two series measured apart: Welch's t interval on logarithms.

    Both hold one positive value per process run; `n` is the smaller number of runs. From seven runs
    on the largest and smallest 15 % of a side are trimmed (Yuen, Biometrika 61, 1974). With the
    standard errors e, the degrees of freedom are (e1^2 + e2^2)^2 / (e1^4 / f1 + e2^4 / f2) (Welch,
    Biometrika 34, 1947). What drifted between the two counts in full, which a warning says.
    """
    n = min(len(base), len(other))
    apart = "the sides were not interleaved: what the machine did in between counts as a difference"
    values = [*base, *other]
    if not n:
        return _nothing(confidence, ("one side has no run: measure both",))
    if not all(value > 0 and math.isfinite(value) for value in values):
        return _nothing(confidence, ("a value is not above zero: it is below the clock's step",))
    sides = [trimmed_mean([math.log(value) for value in side]) for side in (base, other)]
    difference = sides[1].mean - sides[0].mean
    if n == 1:
        alone = "no interval where a side has 1 run: measure at least 5 runs of each"
        return Comparison(
            ratio=_exp(difference),
            lo=None,
            hi=None,
            confidence=confidence,
            n=n,
            warnings=(alone, apart),
        )
    half = _welch_half_width(sides[0], sides[1], confidence)
    return Comparison(
        ratio=_exp(difference),
        lo=_exp(difference - half),
        hi=_exp(difference + half),
        confidence=confidence,
        n=n,
        warnings=(*few_runs(n), apart),
    )


def _welch_half_width(one: Trimmed, two: Trimmed, confidence: float) -> float:
    """Return the half-width of the interval of a difference of two means, by Welch."""
    squares = one.error**2 + two.error**2
    if not squares:
        return 0.0
    # shares instead of fourth powers: those underflow
    first, second = one.error**2 / squares, two.error**2 / squares
    df = 1 / (first**2 / one.df + second**2 / two.df)
    return t_quantile((1 + confidence) / 2, df) * math.sqrt(squares)


def _exp(exponent: float) -> float:
    """Return e to the exponent, infinite where floats end."""
    return math.exp(exponent) if exponent < 709 else math.inf


def _nothing(confidence: float, warnings: tuple[str, ...]) -> Comparison:
    """Build the comparison of nothing, with the reasons."""
    return Comparison(ratio=None, lo=None, hi=None, confidence=confidence, n=0, warnings=warnings)
