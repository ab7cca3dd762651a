"""The cases that no other dominates: what is left to choose from where no winner can be named.

A case is dominated only where another one is shown to be better beyond the margin in one of median
latency, p99, peak memory, energy and quality, and not worse beyond the margin in all of them.
"Shown" means by intervals that hold for all comparisons with one case together (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import msgspec

from harness.gate.metrics import MEMORY_FLOOR_BYTES, METRICS, QUALITY_MARGIN
from harness.stats.summary import LEAST_RUNS
from reports.relations import Figure, Relations, comparable
from results.cases import CaseRow

_COMPARED: dict[Figure, str] = {
    "latency": "latency_p50",
    "p99": "latency_p99",
    "memory": "peak_memory",
    "energy": "energy",
}
_SAME_LOSS = 0.0005  # the same score on the same samples, but for what rounding leaves
MARGINS = ", ".join(
    [f"{METRICS[name].title} {METRICS[name].margin:.0%}" for name in _COMPARED.values()]
    + [f"quality {QUALITY_MARGIN:.0%}"]
)


class _Held(msgspec.Struct, frozen=True, kw_only=True):
    """One case against another in one metric: shown to be better, shown to be no worse."""

    better: bool
    no_worse: bool


def front(rows: Sequence[CaseRow], relations: Relations) -> tuple[CaseRow, ...]:
    """Return the comparable ones of `rows` that no other of them dominates."""
    ranked = [row for row in rows if comparable(row) and row.latency_p50_s is not None]
    confidence = simultaneous(len(ranked))

    def dominated(row: CaseRow) -> bool:
        others = (other for other in ranked if other is not row)
        return any(_dominates(other, row, relations, confidence) for other in others)

    return tuple(row for row in ranked if not dominated(row))


def simultaneous(cases: int) -> float:
    """Return the confidence of one comparison so that all with one of `cases` hold at 95 %."""
    return 1 - 0.05 / max(1, cases - 1)


def _dominates(one: CaseRow, other: CaseRow, relations: Relations, confidence: float) -> bool:
    """Tell whether `one` is shown to be better in one metric and no worse in all."""
    held = [_ratio(figure, one, other, relations, confidence) for figure in _COMPARED]
    known = [found for found in (*held, _quality(one, other, confidence)) if found]
    compared = held[0] is not None
    return (
        compared and all(found.no_worse for found in known) and any(found.better for found in known)
    )


def _ratio(
    figure: Figure, one: CaseRow, other: CaseRow, relations: Relations, confidence: float
) -> _Held | None:
    """Return how `one` is held against `other` by a paired ratio.

    None where too few blocks have the figure on both sides: a slow case has no p99 of its own, a
    board without a sensor no energy, and neither speaks for or against a case.
    """
    found = relations.ratio(figure, other, one, confidence)
    if found.n < LEAST_RUNS or found.hi is None:
        return None
    margin = METRICS[_COMPARED[figure]].margin
    if figure == "memory" and other.peak_rss_bytes:
        margin = max(margin, MEMORY_FLOOR_BYTES / other.peak_rss_bytes)
    return _Held(better=found.hi * (1 + margin) < 1, no_worse=found.hi <= 1 + margin)


def _quality(one: CaseRow, other: CaseRow, confidence: float) -> _Held | None:
    """Return how the losses compare; None where neither was scored.

    Both were scored on the same samples, so the variance of their difference is at most the sum of
    theirs where they err on the same ones, which is what they tend to do.
    """
    if one.quality_loss is None and other.quality_loss is None:
        return None
    if one.quality_loss is None or other.quality_loss is None:
        return _Held(better=False, no_worse=False)
    difference = one.quality_loss - other.quality_loss
    halves = (_half_width(one), _half_width(other))
    same = abs(difference) <= _SAME_LOSS
    if halves[0] is None or halves[1] is None:
        return _Held(better=False, no_worse=same)
    # The stored intervals hold at 95 %.
    widened = NormalDist().inv_cdf((1 + confidence) / 2) / NormalDist().inv_cdf(0.975)
    most = difference + math.hypot(halves[0], halves[1]) * widened
    return _Held(better=most < -QUALITY_MARGIN, no_worse=same or most <= QUALITY_MARGIN)


def _half_width(row: CaseRow) -> float | None:
    """Return half the width of the interval of a row's loss, None where it has none."""
    if row.quality_loss_lo is None or row.quality_loss_hi is None:
        return None
    return (row.quality_loss_hi - row.quality_loss_lo) / 2
