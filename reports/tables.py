"""The suite's tables in the documents' shape: a group per level, a row per runtime."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from reports.figures import DASH, common_scale, interval, percent, plain, scaled, times
from reports.grid import Badge, Cell, Grid, Group, Header, Row, Tone
from reports.relations import Relations, comparable
from reports.session import SessionView
from results.cases import CaseRow
from results.row import Verdict as RowVerdict
from suites import Claim, Column, Metric, Table
from suites.claims import Finding, Measured, Verdict, judge

AS_PERCENT: frozenset[Metric] = frozenset({"memory", "size", "quality_loss"})
VERDICT_TONES: dict[Verdict, Tone] = {
    "reproduced": "good",
    "partly": "warn",
    "not reproduced": "bad",
    "not measurable here": "neutral",
}
ROW_TONES: dict[RowVerdict, Tone] = {
    "valid": "good",
    "imprecise": "warn",
    "fallback": "warn",
    "noisy": "warn",
    "throttled": "warn",
    "unstable": "warn",
    "failed": "bad",
    "skipped": "neutral",
    "emulated": "neutral",
    "fits": "good",
    "does not fit": "bad",
}
_MATERIAL = 0.01  # less than this is no reason to choose otherwise
_BOUNDS = {"equal": "", "at_most": "≤ ", "at_least": "≥ "}


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a table is drawn from: the model's rows of its scenario, and the claims on it."""

    table: Table
    rows: tuple[CaseRow, ...]
    claims: tuple[Claim, ...]
    relations: Relations
    factor: float


def figure(metric: Metric, value: float | None) -> str:
    """Return a relation as its table shows it: a percentage or a multiple."""
    return percent(value) if metric in AS_PERCENT else times(value)


def span(metric: Metric, ours: Measured) -> str | None:
    """Return a relation's interval as its table shows it, None where exact or unknown."""
    if ours.lo == ours.hi:
        return None
    return interval(ours.lo, ours.hi, 0.01 if metric in AS_PERCENT else 1.0)


def verdict_badge(finding: Finding) -> Badge:
    """Return a verdict as its badge; a figure that is better than documented is no fault."""
    tone = VERDICT_TONES[finding.verdict]
    if finding.favourable and tone != "good":
        return Badge(text=f"{finding.verdict} (better)", tone="neutral")
    return Badge(text=finding.verdict, tone=tone)


def documented(claim: Claim) -> str:
    """Return a documented figure as its table shows it, with its source."""
    if claim.value is None:
        return claim.text
    scale, sign = (100, "\u00a0%") if claim.metric in AS_PERCENT else (1, "×")
    return f"{_BOUNDS[claim.kind]}{claim.value * scale:g}{sign}"


def base_of(rows: Sequence[CaseRow], row: CaseRow, variant: str) -> CaseRow | None:
    """Return the case of `variant` that shares everything else with `row`, or None."""
    for other in rows:
        if other.variant == variant and _place(other) == _place(row):
            return other
    return None


def _place(row: CaseRow) -> tuple[object, ...]:
    """Return everything of a case that its reference shares with it."""
    return row.model, row.backend, row.scenario, row.batch, row.threads, row.side


def tables(view: SessionView, model: str, scenario: str) -> tuple[Grid, ...]:
    """Return the suite's tables of `scenario` for one model, those that have a case."""
    suite = view.suite()
    if suite is None:
        return ()
    relations = Relations(view)
    grids = []
    for number, table in enumerate(suite.tables):
        if table.scenario != scenario:
            continue
        rows = _rows_of(view, model, table)
        if rows:
            factor, unit = common_scale([row.latency_p50_s for row in rows], "s")
            place = _Place(
                table=table,
                rows=rows,
                claims=tuple(claim for claim in suite.claims if claim.table == table.id),
                relations=relations,
                factor=factor,
            )
            grids.append(_grid(f"{scenario}-{number}-{view.models().index(model)}", place, unit))
    return tuple(grids)


def _rows_of(view: SessionView, model: str, table: Table) -> tuple[CaseRow, ...]:
    """Return the rows of `model` in `table`; a chosen batch size replaces the suite's."""
    rows = [row for row in view.rows if row.model == model and row.scenario == table.scenario]
    exact = [row for row in rows if row.batch == table.batch]
    return tuple(exact or rows)


def _grid(id_: str, place: _Place, unit: str) -> Grid:
    """Return one table: the columns of the suite, then the absolute figure they come from."""
    table = place.table
    offline = table.scenario == "offline"
    last = Header(text="Throughput", unit="/s") if offline else Header(text="p50", unit=unit)
    headers = [_header(column) for column in table.columns]
    levels = tuple(dict.fromkeys((*table.rows, *(row.variant for row in place.rows))))
    groups = [_group(level, place) for level in levels]
    return Grid(
        id=id_,
        caption=f"{table.title}: {place.rows[0].model}"
        + (f", batches of {place.rows[0].batch}" if offline else ""),
        headers=(
            Header(text="Level and runtime", figures=False),
            *headers,
            last,
            Header(text="Remarks", figures=False),
        ),
        groups=tuple(group for group in groups if group.rows),
    )


def _header(column: Column) -> Header:
    """Return a column's heading: what it is relative to takes the unit's place."""
    unit = f"of {column.relative_to.upper()}" if column.relative_to else ""
    if column.metric not in AS_PERCENT and column.relative_to:
        unit = f"against {column.relative_to.upper()}"
    return Header(text=column.title, unit=unit)


def _group(level: str, place: _Place) -> Group:
    """Return the rows of one level, with the documented figures beside its name."""
    rows = tuple(_row(row, place) for row in place.rows if row.variant == level)
    cells = tuple(_documented_cell(level, column, place) for column in place.table.columns)
    return Group(head=level, rows=rows, cells=(*cells, Cell(text=""), Cell(text="")))


def _documented_cell(level: str, column: Column, place: _Place) -> Cell:
    """Return the documented figure that this level and column are held against, with its source."""
    claim = _first_claim(level, column, place)
    if claim:
        return Cell(text=f"{documented(claim)} ({claim.source})")
    return Cell(text="reference" if level == column.relative_to else "")


def _first_claim(level: str, column: Column, place: _Place) -> Claim | None:
    """Return the suite's first claim on a level and column; the others stand with the claims."""
    found = (c for c in place.claims if (c.level, c.metric) == (level, column.metric) and c.value)
    return next(found, None)


def _row(row: CaseRow, place: _Place) -> Row:
    """Return one case: its relations with their verdicts, the absolute figure, and what to know."""
    cells = tuple(_cell(row, column, place) for column in place.table.columns)
    threads = {other.threads for other in place.rows if other.threads}
    words = [row.side, f"{row.threads} threads" if len(threads) > 1 and row.threads else ""]
    detail = ", ".join(filter(None, words)) or None
    return Row(
        head=row.backend,
        detail=detail,
        cells=(*cells, _absolute(row, place), _remarks(row, place)),
        doubtful=not comparable(row),
    )


def _cell(row: CaseRow, column: Column, place: _Place) -> Cell:
    """Return one relation with its interval, and the verdict on the first claim about it."""
    base = base_of(place.rows, row, column.relative_to) if column.relative_to else None
    ours = place.relations.shown(column.metric, row, base)
    if ours.value is None:
        return Cell(text=DASH)
    detail = None if base is row else span(column.metric, ours)
    claim = _first_claim(row.variant, column, place)
    finding = judge(claim, place.relations.measured(column.metric, row, base)) if claim else None
    judged = finding is not None and finding.verdict != "not measurable here"
    badges = (verdict_badge(finding),) if finding and judged else ()
    return Cell(text=figure(column.metric, ours.value), detail=detail, badges=badges)


def _absolute(row: CaseRow, place: _Place) -> Cell:
    """Return the measured figure that the relations come from."""
    if row.scenario == "offline":
        return Cell(
            text=scaled(row.throughput_per_s, 1),
            detail=interval(row.throughput_lo_per_s, row.throughput_hi_per_s),
        )
    return Cell(
        text=scaled(row.latency_p50_s, place.factor),
        detail=interval(row.latency_p50_lo_s, row.latency_p50_hi_s, place.factor),
    )


def _remarks(row: CaseRow, place: _Place) -> Cell:
    """Return what must not be overlooked: doubt, and a level that is worse than FP32."""
    badges = []
    if row.verdict != "valid":
        badges.append(Badge(text=row.verdict, tone=ROW_TONES[row.verdict]))
    base = base_of(place.rows, row, "fp32")
    if base is not None and base is not row:
        badges += _against_base(row, base, place.relations)
    # Of a wide interval the width is enough here; the advice stands once, below.
    said = row.reason.partition(":")[0] if row.reason and comparable(row) else row.reason
    reason = plain(said, 160) if said and row.verdict != "valid" else None
    return Cell(text="", detail=reason, badges=tuple(badges))


def _against_base(row: CaseRow, base: CaseRow, relations: Relations) -> list[Badge]:
    """Return the badges that say where a level costs instead of saving."""
    badges = []
    speed = relations.measured("speed", row, base)
    if speed.lo is not None and speed.hi is not None and speed.lo <= 1:
        slower = speed.hi < 1
        text = "slower than FP32" if slower else "not faster than FP32"
        badges.append(Badge(text=text, tone="bad" if slower else "warn"))
    loss = relations.measured("quality_loss", row, base)
    if loss.lo is not None and loss.lo > 0:
        badges.append(Badge(text="worse than FP32", tone="bad"))
    for metric, what in (("memory", "more memory than FP32"), ("size", "larger than FP32")):
        cost = relations.measured(metric, row, base)  # type: ignore[arg-type]
        if cost.lo is not None and cost.lo > 1 + _MATERIAL:
            badges.append(Badge(text=what, tone="warn"))
    return badges
