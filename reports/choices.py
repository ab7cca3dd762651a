"""The best case under one criterion each, with those that cannot be told from it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from reports.figures import common_scale, interval, percent, scaled
from reports.names import SHOWN, listed
from reports.pareto import MARGINS, front, simultaneous
from reports.relations import Figure, Relations
from results.cases import CaseRow

_SHOWN_OF_FRONT = 8


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The best case under one criterion, and the `rivals` that share the place; `tie` says why."""

    criterion: str
    best: CaseRow
    rivals: tuple[CaseRow, ...]
    figure: str
    tie: str = "the data cannot tell them apart"
    shown: int = SHOWN

    @property
    def who(self) -> str:
        """Name the best case and those that cannot be told from it."""
        return listed([self.best, *self.rivals], self.shown)


def fastest(criterion: str, rows: Sequence[CaseRow], relations: Relations) -> Choice:
    """Return the case with the lowest median latency, and those it cannot be told from."""
    best = min(rows, key=lambda row: row.latency_p50_s or 0)
    factor, unit = common_scale([best.latency_p50_s], "s")
    span = interval(best.latency_p50_lo_s, best.latency_p50_hi_s, factor)
    figure = f"p50 {scaled(best.latency_p50_s, factor)} {unit}" + (f" [{span}]" if span else "")
    rivals = _rivals("latency", best, rows, relations)
    return Choice(criterion=criterion, best=best, rivals=rivals, figure=figure)


def smallest(rows: Sequence[CaseRow]) -> Choice | None:
    """Return the case with the smallest artifact; within 1 % of it counts as the same."""
    known = [row for row in rows if row.size_bytes]
    if not known:
        return None
    best = min(known, key=lambda row: row.size_bytes or 0)
    limit = (best.size_bytes or 0) * 1.01
    rivals = tuple(row for row in known if row is not best and (row.size_bytes or 0) <= limit)
    factor, unit = common_scale([best.size_bytes], "bytes")
    figure = f"{scaled(best.size_bytes, factor)} {unit}"
    return Choice(
        criterion="Smallest model file",
        best=best,
        rivals=rivals,
        figure=figure,
        tie="within 1 % of each other",
    )


def leanest(rows: Sequence[CaseRow], relations: Relations) -> Choice | None:
    """Return the case with the lowest peak memory, and those it cannot be told from."""
    known = [row for row in rows if row.peak_rss_bytes]
    if not known:
        return None
    best = min(known, key=lambda row: row.peak_rss_bytes or 0)
    factor, unit = common_scale([best.peak_rss_bytes], "bytes")
    return Choice(
        criterion="Least peak memory",
        best=best,
        rivals=_rivals("memory", best, known, relations),
        figure=f"{scaled(best.peak_rss_bytes, factor)} {unit}",
    )


def gentlest(rows: Sequence[CaseRow], relations: Relations) -> Choice | None:
    """Return the case faster than FP32 on its runtime that loses least, and those it overlaps."""
    bases = {row.backend: row for row in rows if row.variant == "fp32"}
    faster = []
    for row in rows:
        speed = relations.measured("speed", row, bases.get(row.backend))
        if row.variant != "fp32" and speed.lo is not None and speed.lo > 1:
            faster.append(row)
    known = [row for row in faster if row.quality_loss is not None]
    if not known:
        return None
    best = min(known, key=lambda row: row.quality_loss or 0)
    ceiling = best.quality_loss if best.quality_loss_hi is None else best.quality_loss_hi
    rivals = tuple(row for row in known if row is not best and _reaches(row, ceiling or 0))
    return Choice(
        criterion="Least quality lost while faster than FP32",
        best=best,
        rivals=rivals,
        figure=f"{percent(best.quality_loss)} lost",
    )


def undominated(rows: Sequence[CaseRow], relations: Relations) -> Choice | None:
    """Return the Pareto set: what is left to choose from where no winner can be named."""
    found = sorted(front(rows, relations), key=lambda row: row.latency_p50_s or 0)
    if not found:
        return None
    return Choice(
        criterion="Not dominated (Pareto set)",
        best=found[0],
        rivals=tuple(found[1:]),
        figure="no other is shown to be better in one metric and no worse in all",
        tie=f"margins: {MARGINS}",
        shown=_SHOWN_OF_FRONT,
    )


def _reaches(row: CaseRow, ceiling: float) -> bool:
    """Tell whether the loss of `row` may be as low as `ceiling`."""
    low = row.quality_loss if row.quality_loss_lo is None else row.quality_loss_lo
    return (low or 0) <= ceiling


def _rivals(
    figure: Figure, best: CaseRow, rows: Sequence[CaseRow], relations: Relations
) -> tuple[CaseRow, ...]:
    """Return the rows whose ratio to `best` does not exclude 1, at a confidence that all share."""
    confidence = simultaneous(len(rows))
    undecided = []
    for row in rows:
        if row is best:
            continue
        ratio = relations.ratio(figure, best, row, confidence)
        if ratio.lo is None or ratio.lo <= 1:
            undecided.append(row)
    return tuple(undecided)
