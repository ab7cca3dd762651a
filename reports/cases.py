"""One row per case with everything measured, and one sentence per case that is not valid."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from reports.figures import DASH, common_scale, interval, scaled
from reports.grid import Badge, Cell, Grid, Group, Header, Row
from reports.names import head
from reports.relations import comparable
from reports.session import SessionView
from reports.tables import ROW_TONES
from results.cases import CaseRow
from results.row import CaseRow as _Row

# The worst first; skipped cases are no doubt about anything.
_DOUBTS = ("failed", "unstable", "throttled", "noisy", "fallback", "imprecise", "skipped")
SUSTAINED = (
    "Sustained takes runs of three minutes and more: boardmark run --sample 3m. Until then it is"
    " not known how these cases run on a board that is warm."
)
PERCENTILES = "p99 stands only where all runs of a case together hold 368 samples"


class _Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A column of the case table: its heading, unit, value and ends of the interval.

    Columns of the same `scale` are shown in one unit, so that they can be compared. One that is
    `optional` is left out where no row has it: a sensor that few boards have.
    """

    title: str
    unit: str
    scale: str
    value: Callable[[_Row], float | None]
    lo: Callable[[_Row], float | None] | None = None
    hi: Callable[[_Row], float | None] | None = None
    optional: bool = False


METRICS = (
    _Metric(
        title="p50",
        unit="s",
        scale="call",
        value=lambda row: row.latency_p50_s,
        lo=lambda row: row.latency_p50_lo_s,
        hi=lambda row: row.latency_p50_hi_s,
    ),
    _Metric(title="p90", unit="s", scale="call", value=lambda row: row.latency_p90_s),
    _Metric(
        title="p99",
        unit="s",
        scale="call",
        value=lambda row: row.latency_p99_s,
        lo=lambda row: row.latency_p99_lo_s,
        hi=lambda row: row.latency_p99_hi_s,
    ),
    _Metric(title="Cold", unit="s", scale="call", value=lambda row: row.first_inference_s),
    _Metric(title="Burst", unit="s", scale="call", value=lambda row: row.latency_burst_s),
    _Metric(title="Sustained", unit="s", scale="call", value=lambda row: row.latency_sustained_s),
    _Metric(
        title="Throughput",
        unit="per_s",
        scale="rate",
        value=lambda row: row.throughput_per_s,
        lo=lambda row: row.throughput_lo_per_s,
        hi=lambda row: row.throughput_hi_per_s,
    ),
    _Metric(title="Load", unit="s", scale="start", value=lambda row: row.load_s),
    _Metric(
        title="Peak memory", unit="bytes", scale="memory", value=lambda row: row.peak_rss_bytes
    ),
    _Metric(
        title="of it anonymous", unit="bytes", scale="memory", value=lambda row: row.peak_anon_bytes
    ),
    _Metric(
        title="of it files", unit="bytes", scale="memory", value=lambda row: row.peak_file_bytes
    ),
    _Metric(title="Model file", unit="bytes", scale="file", value=lambda row: row.size_bytes),
    _Metric(title="Energy per inference", unit="j", scale="energy", value=lambda row: row.energy_j),
    _Metric(
        title="beyond rest",
        unit="j",
        scale="energy",
        value=lambda row: row.energy_net_j,
        optional=True,
    ),
    _Metric(title="Power", unit="w", scale="power", value=lambda row: row.power_w),
    _Metric(
        title="at rest", unit="w", scale="power", value=lambda row: row.power_idle_w, optional=True
    ),
    _Metric(
        title="Warmest",
        unit="c",
        scale="heat",
        value=lambda row: row.temperature_end_c,
        optional=True,
    ),
    _Metric(title="Clock", unit="hz", scale="clock", value=lambda row: row.clock_hz, optional=True),
)


def cases(view: SessionView, model: str) -> Grid:
    """Return every measured case of one model with all its figures, grouped by scenario."""
    rows = [row for row in view.rows if row.model == model and row.verdict != "skipped"]
    shown = [
        metric
        for metric in METRICS
        if not metric.optional or any(metric.value(row) is not None for row in rows)
    ]
    scales = [_scale(metric, rows) for metric in shown]
    scenarios = dict.fromkeys((row.scenario, row.batch) for row in rows)
    return Grid(
        id=f"cases-{view.models().index(model)}",
        caption=f"Time, memory and power of every case of {model}",
        headers=(
            Header(text="Case", figures=False),
            *(
                Header(text=metric.title, unit=unit)
                for metric, (_, unit) in zip(shown, scales, strict=True)
            ),
        ),
        groups=tuple(
            Group(
                head=scenario_name(scenario, batch),
                rows=tuple(
                    _row(row, list(zip(shown, (factor for factor, _ in scales), strict=True)))
                    for row in rows
                    if (row.scenario, row.batch) == (scenario, batch)
                ),
            )
            for scenario, batch in scenarios
        ),
        notes=_notes(rows),
    )


def _scale(metric: _Metric, rows: Sequence[CaseRow]) -> tuple[float, str]:
    """Return the factor and name of the unit that suits the first column of the metric's scale."""
    first = next(other for other in METRICS if other.scale == metric.scale)
    return common_scale([first.value(row) for row in rows], metric.unit)


def scenario_name(scenario: str, batch: int) -> str:
    """Return how a case was driven, in words."""
    if scenario == "single-stream":
        return "Single stream" + (f", {batch} inputs per call" if batch > 1 else "")
    if scenario == "soak":
        return "Soak" + (f", {batch} inputs per call" if batch > 1 else "")
    return f"{scenario.capitalize()}, {batch} inputs per call"


def doubtful(rows: Sequence[CaseRow]) -> tuple[Grid, ...]:
    """Return those of `rows` that are not valid, each with its reason; nothing where all are."""
    rows = [row for row in rows if row.verdict != "valid"]
    if not rows:
        return ()
    rows.sort(key=lambda row: _DOUBTS.index(row.verdict))
    return (
        Grid(
            id="doubtful",
            caption="Cases with a doubt or without a figure, and why",
            headers=(
                Header(text="Case", figures=False),
                Header(text="Verdict", figures=False),
                Header(text="Reason", figures=False),
            ),
            groups=(Group(head="", rows=tuple(map(_reason, rows))),),
        ),
    )


def _row(row: CaseRow, columns: Sequence[tuple[_Metric, float]]) -> Row:
    """Return one case's figures in the units of their columns."""
    cells = []
    for metric, factor in columns:
        ends = (metric.lo(row), metric.hi(row)) if metric.lo and metric.hi else (None, None)
        cells.append(Cell(text=scaled(metric.value(row), factor), detail=interval(*ends, factor)))
    words = [f"{row.runs} runs, {row.samples} samples"]
    if row.stop_reasons:
        counts = ", ".join(f"{count} {reason}" for reason, count in row.stop_reasons.items())
        words.append(f"ended: {counts}")
    if row.runs_disturbed:
        words.append(f"{row.runs_disturbed} disturbed")
    if row.verdict != "valid":
        words.append(row.verdict)
    detail = "; ".join(words)
    return Row(
        head=head(row),
        detail=detail,
        cells=tuple(cells),
        doubtful=not comparable(row),
    )


def _reason(row: CaseRow) -> Row:
    """Return one case that is not valid with its reason."""
    scenario = scenario_name(row.scenario, row.batch)
    return Row(
        head=head(row),
        detail=f"{row.model}, {scenario[0].lower()}{scenario[1:]}",
        cells=(
            Cell(text="", badges=(Badge(text=row.verdict, tone=ROW_TONES[row.verdict]),)),
            Cell(text=row.reason or DASH),
        ),
    )


def _power_method(row: CaseRow) -> str:
    """Return how a case's power was had: source, method, scope, readings, and what is not in it."""
    words = [
        row.power_source or "unknown source",
        row.power_method or "unknown method",
        f"scope {row.power_scope or 'unknown'}",
    ]
    if row.power_samples:
        words.append(f"{row.power_samples} readings a pass")
    return ", ".join(words)


def _notes(rows: Sequence[CaseRow]) -> tuple[str, ...]:
    """Return why a column is empty, once for all rows that share the reason."""
    notes = []
    reasons = dict.fromkeys(row.power_reason for row in rows if row.runs and row.power_w is None)
    for reason in filter(None, reasons):
        notes.append(f"No power and energy: {reason}.")
    methods = dict.fromkeys(_power_method(row) for row in rows if row.power_w is not None)
    notes += [f"Power and energy: {method}." for method in methods]
    reasons = dict.fromkeys(row.heat_reason for row in rows if row.runs)
    notes += [f"No temperature: {reason}." for reason in filter(None, reasons)]
    if any(row.latency_p99_s is None for row in rows):
        notes.append(f"{PERCENTILES}; a dash otherwise.")
    if rows and all(row.latency_sustained_s is None for row in rows):
        notes.append(SUSTAINED)
    return tuple(notes)


def own_notes(row: CaseRow) -> list[str]:
    """Return the notes on a case, without those about a missing percentile."""
    return [note for note in row.notes if not note.startswith(("p90 needs", "p99 needs"))]
