"""Two series of the same blocks to one ratio: what drifts between blocks cancels in them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from harness.stats.summary import across_runs


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
    """Return other / base: geometric mean of the ratios per block, t interval on logarithms.

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


def _nothing(confidence: float, warnings: tuple[str, ...]) -> Comparison:
    """Build the comparison of nothing, with the reasons."""
    return Comparison(ratio=None, lo=None, hi=None, confidence=confidence, n=0, warnings=warnings)
