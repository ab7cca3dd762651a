"""The same answer and figures for a terminal: aligned text without any control character."""

from __future__ import annotations

from collections.abc import Sequence

from harness.units import show
from reports import capacity, disturbances, emulation, soak
from reports.answer import Answer, answers
from reports.cases import doubtful, scenario_name
from reports.columns import aligned
from reports.drift import drift, sentences
from reports.figures import DASH, interval, percent, plain, times
from reports.identity import command, session
from reports.names import label
from reports.relations import Relations, comparable
from reports.session import SessionView
from reports.tables import base_of
from results.cases import CaseRow

_HEADERS = (
    "level",
    "runtime",
    "p50",
    "95 % interval",
    "p99",
    "throughput",
    "speed",
    "peak memory",
    "file",
    "quality lost",
    "fidelity",
    "verdict",
)
_WORDS = (0, 1, 11)  # columns of words; the others are figures and stand to the right


def table(view: SessionView) -> str:
    """Return the session for a terminal: the answer, a table per scenario, what was left out."""
    if view.plan.kind == "emulation":
        return emulation.text(view)
    if view.plan.kind == "fit":
        return capacity.text(view)
    noise = disturbances.disturbances(view)
    warning = disturbances.banner(noise)
    parts = [_title(view), *([plain(warning, 400)] if warning else [])]
    relations = Relations(view)
    for answer in answers(view):
        parts.append(_answer(answer))
        parts += _tables(view, answer.model, relations)
        parts += _soaks(view, answer.model)
    for grid in doubtful([row for row in view.rows if not comparable(row)]):
        lines = [
            f"{row.head} ({row.detail}): {row.cells[0].badges[0].text}: {row.cells[1].text}"
            for group in grid.groups
            for row in group.rows
        ]
        parts.append("\n  ".join([f"{grid.caption}:", *(plain(line, 400) for line in lines)]))
    moved = drift(view)
    if moved:
        parts.append("\n  ".join(["Machine:", *(plain(one, 400) for one in sentences(moved))]))
    if noise.signals or noise.repeated:
        told = (plain(one, 400) for one in disturbances.lines(noise))
        parts.append("\n  ".join(["Disturbances:", *told]))
    if view.problems:
        parts.append("\n  ".join(["Problems:", *map(plain, view.problems)]))
    parts.append(f"Made by: {plain(command(view), 1000)}")
    return "\n\n".join(parts) + "\n"


def _title(view: SessionView) -> str:
    """Return which session this is."""
    facts = dict(session(view))
    names = ("Session", "Started", "Suite", "Cases", "Runtimes")
    lines = [f"{name:<9} {plain(facts[name])}" for name in names]
    lines.append(f"{'Device':<9} {plain(view.plan.device)}")
    return "\n".join(lines)


def _answer(answer: Answer) -> str:
    """Return the sentence, the choices behind it and what limits it."""
    width = max((len(choice.criterion) for choice in answer.choices), default=0)
    lines = [plain(answer.sentence, 600)]
    for choice in answer.choices:
        tie = f"; {choice.tie}" if choice.rivals else ""
        lines.append(
            plain(f"{choice.criterion:<{width}}  {choice.who} ({choice.figure}{tie})", 400)
        )
    lines += [plain(limit, 400) for limit in answer.limits]
    return "\n  ".join(lines)


def _tables(view: SessionView, model: str, relations: Relations) -> list[str]:
    """Return one table per scenario and batch of one model."""
    rows = [row for row in view.rows if row.model == model and row.verdict != "skipped"]
    found = []
    for scenario, batch in dict.fromkeys((row.scenario, row.batch) for row in rows):
        mine = [row for row in rows if (row.scenario, row.batch) == (scenario, batch)]
        lines = [_HEADERS, *(_cells(row, mine, relations) for row in mine)]
        title = plain(f"{model}, {scenario_name(scenario, batch).lower()}")
        found.append(f"{title}\n{aligned(lines, _WORDS)}")
    return found


def _soaks(view: SessionView, model: str) -> list[str]:
    """Return the table of one model's soaks, and under it what shows that a board was held down."""
    rows = soak.soaked(view, model)
    if not rows:
        return []
    title = plain(f"{model}, heat over time (temperature from start to highest)")
    shown = ["  " + plain(f"{label(row)}: {soak.told(row.soak)}", 400) for row in rows]
    shown += ["  " + plain(note, 400) for note in soak.whose_power(rows)]
    return ["\n".join([title, aligned(soak.lines(rows), (0, 1)), *shown])]


def _cells(row: CaseRow, rows: Sequence[CaseRow], relations: Relations) -> tuple[str, ...]:
    """Return one case as the cells of its line."""
    speed = relations.shown("speed", row, base_of(rows, row, "fp32"))
    ends = (row.latency_p50_lo_s, row.latency_p50_hi_s)
    factor = 1e-3 if (row.latency_p50_s or 0) >= 1e-3 else 1e-6
    span = interval(*ends, factor)
    return (
        f"{row.variant} {row.side}" if row.side else row.variant,
        row.backend,
        show(row.latency_p50_s, "s"),
        f"{span} {'ms' if factor == 1e-3 else 'µs'}" if span else DASH,
        show(row.latency_p99_s, "s"),
        show(row.throughput_per_s, "per_s"),
        times(speed.value),
        show(row.peak_rss_bytes, "bytes"),
        show(row.size_bytes, "bytes"),
        percent(row.quality_loss),
        DASH if row.fidelity is None else f"{row.fidelity:.4f}",
        row.verdict,
    )
