"""An emulated session: does it run there, does it answer the same, what memory does it take?

No figure of time stands anywhere in it.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.units import show
from reports.cases import scenario_name
from reports.columns import aligned
from reports.figures import DASH, plain
from reports.grid import Badge, Cell, Grid, Group, Header, Row
from reports.identity import command, session
from reports.session import SessionView
from results import measured
from results.cases import CaseRow

QUESTION = "Do these runtimes run on this board, do they answer the same, and what do they need?"
_HEADERS = (
    "Level and runtime",
    "Runs there",
    "Largest difference",
    "Smallest cosine",
    "Samples",
    "Fidelity",
    "Peak memory",
    "Idle there",
    "File",
)
_WORDS = (0, 1)


def warning(view: SessionView) -> str:
    """Return that this is no measurement of a board, and what was emulated by what."""
    told = measured.section(view.plan.environment, "emulated")
    known = {name: told.get(name) or "unknown" for name in ("qemu", "cpu_model", "system")}
    return (
        f"Emulated: QEMU {known['qemu']} user mode as {known['cpu_model']} on this host"
        f" ({known['system']}). Nothing here was timed and nothing ran on the board itself."
    )


def sentences(view: SessionView) -> tuple[str, ...]:
    """Return the answer per model, and the reasons for what does not run."""
    found = []
    for model in view.models():
        rows = [row for row in view.rows if row.model == model]
        runs = [row for row in rows if row.status == "ok"]
        cosines = [row.native_cosine for row in runs if row.native_cosine is not None]
        least = (
            f"; the smallest cosine to native outputs is {_cosine(min(cosines))}" if cosines else ""
        )
        found.append(f"{len(runs)} of {len(rows)} cases of {model} run there{least}.")
    return tuple(found)


def tables(view: SessionView) -> tuple[Grid, ...]:
    """Return one table per model, a group per scenario and batch."""
    return tuple(_table(view, model, number) for number, model in enumerate(view.models()))


def text(view: SessionView) -> str:
    """Return the session for a terminal."""
    facts = dict(session(view))
    names = ("Session", "Started", "Suite", "Cases", "Runtimes")
    head = [f"{name:<9} {plain(facts[name])}" for name in names]
    head.append(f"{'Device':<9} {plain(view.plan.device)}, emulated")
    parts = ["\n".join(head), plain(warning(view), 600), "\n".join(sentences(view))]
    for table in tables(view):
        for group in table.groups:
            lines = [_HEADERS, *(_line(row) for row in group.rows)]
            parts.append(f"{table.caption}, {group.head.lower()}\n{aligned(lines, _WORDS)}")
    reasons = _reasons(view.rows)
    if reasons:
        parts.append("\n  ".join(["Does not run:", *(plain(one, 400) for one in reasons)]))
    if view.problems:
        parts.append("\n  ".join(["Problems:", *map(plain, view.problems)]))
    parts.append(f"Made by: {plain(command(view), 1000)}")
    return "\n\n".join(parts) + "\n"


def _table(view: SessionView, model: str, number: int) -> Grid:
    rows = [row for row in view.rows if row.model == model]
    driven = dict.fromkeys((row.scenario, row.batch) for row in rows)
    notes = dict.fromkeys(
        note for row in rows for note in row.notes if note.startswith("peak memory includes")
    )
    return Grid(
        id=f"emulated-{number}",
        caption=f"{model}, emulated",
        headers=tuple(
            Header(text=title, figures=column not in _WORDS)
            for column, title in enumerate(_HEADERS)
        ),
        groups=tuple(
            Group(
                head=scenario_name(*one),
                rows=tuple(_row(row) for row in rows if (row.scenario, row.batch) == one),
            )
            for one in driven
        ),
        notes=tuple(f"{note}." for note in list(notes)[:1]),
    )


def _row(row: CaseRow) -> Row:
    runs = row.status == "ok"
    words = {"ok": "yes", "skipped": "no"}
    badge = Badge(
        text=words.get(row.status, f"no: {row.status}"),
        tone="good" if runs else "neutral" if row.status == "skipped" else "bad",
    )
    figures = (
        _difference(row),
        _cosine(row.native_cosine),
        str(row.native_samples or DASH),
        DASH if row.fidelity is None else f"{row.fidelity:.5f}",
        show(row.peak_rss_bytes, "bytes"),
        show(row.baseline_rss_bytes, "bytes"),
        show(row.size_bytes, "bytes"),
    )
    return Row(
        head=f"{row.variant} {row.backend}",
        detail=row.side or None,
        cells=(
            Cell(text="", detail=None if runs else row.reason, badges=(badge,)),
            *(Cell(text=figure) for figure in figures),
        ),
    )


def _line(row: Row) -> tuple[str, ...]:
    """Return a row of the grid as the cells of a terminal's line."""
    return (row.head, row.cells[0].badges[0].text, *(cell.text for cell in row.cells[1:]))


def _difference(row: CaseRow) -> str:
    """Return the largest difference beside the largest value that it is a part of."""
    if row.native_difference is None or row.native_largest is None:
        return DASH
    return f"{row.native_difference:.2g} of {row.native_largest:.3g}"


def _cosine(value: float | None) -> str:
    """Return a cosine with as many nines as float32 can tell apart from 1."""
    return DASH if value is None else f"{value:.7f}"


def _reasons(rows: Sequence[CaseRow]) -> list[str]:
    """Return why cases do not run, each reason once with the cases it is about."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.status != "ok":
            found.setdefault(row.reason or row.status, []).append(f"{row.variant} {row.backend}")
    return [f"{', '.join(dict.fromkeys(names))}: {reason}" for reason, names in found.items()]
