"""A session under limits: does it fit that board, how little is enough, how many at once.

No figure of time stands anywhere in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.units import show
from reports.columns import aligned
from reports.figures import DASH, percent, plain, times
from reports.grid import Badge, Cell, Grid, Group, Header, Row
from reports.identity import command, session
from reports.session import SessionView
from reports.tables import ROW_TONES, verdict_badge
from results import measured
from results.capacity import Capacity
from results.cases import CaseRow
from suites import Metric
from suites.capacity import Checked, Facts, check

_HEADERS = (
    "Level and runtime",
    "Answer",
    "Smallest limit",
    "Of the RAM",
    "Of the file",
    "Too little",
    "There it",
    "Peak, no limit",
    "File",
    "At once",
)
_WORDS = (0, 1, 6)
_STOPS = {"oom": "ran out of memory", "thrashing": "thrashed", "failed": "failed"}


def question(view: SessionView) -> str:
    """Return what was asked."""
    return f"Does it fit in the memory of a {_board(view)}?"


def warning(view: SessionView) -> str:
    """Return what was limited to what, and that nothing here is a speed of the board."""
    design = view.plan.design
    cores, host = measured.whole(design, "cores"), measured.whole(design, "host_cores")
    limited = f"{min(cores, host)} of its {host} cores" if cores and host else "the board's cores"
    fewer = f" (the board has {cores})" if cores and host and host < cores else ""
    return (
        f"Memory only: this host ({view.plan.device}) was limited to {limited}{fewer} and to less"
        f" and less memory. Nothing ran on a {_board(view)}, and nothing here tells how fast it is."
    )


def budget(view: SessionView) -> str:
    """Return what the board leaves to a model, and whether that is known or assumed."""
    design = view.plan.design
    source = measured.text(design, "source") or "unknown"
    return f"A model may take {show(measured.number(design, 'budget_bytes'), 'bytes')}: {source}."


def sentences(view: SessionView) -> tuple[str, ...]:
    """Return the answer to every case in a sentence."""
    return tuple(f"{_name(row)} {_answer(row)}" for row in view.rows)


def tables(view: SessionView) -> tuple[Grid, ...]:
    """Return the table of answers, a group per model."""
    return (
        Grid(
            id="capacity",
            caption=f"What fits in a {_board(view)}",
            headers=tuple(
                Header(text=title, figures=column not in _WORDS)
                for column, title in enumerate(_HEADERS)
            ),
            groups=tuple(
                Group(head=model, rows=tuple(_row(row) for row in view.rows if row.model == model))
                for model in view.models()
            ),
            notes=(budget(view),),
        ),
    )


def findings(view: SessionView) -> tuple[Grid, ...]:
    """Return the documented claims held against every case that was tried."""
    return tuple(
        Grid(
            id=f"capacity-claims-{number}",
            caption=f"Documented figures held against {_name(row)}",
            headers=(
                Header(text="Documented", figures=False),
                Header(text="Ours", figures=False),
                Header(text="Verdict", figures=False),
            ),
            groups=(Group(head="", rows=tuple(_finding(one) for one in checked(view, row))),),
        )
        for number, row in enumerate(view.rows)
        if row.fit
    )


def checked(view: SessionView, row: CaseRow) -> tuple[Checked, ...]:
    """Return the documented claims held against one case; none where it was not tried."""
    if not row.fit:
        return ()
    found = _capacity(row)
    return check(
        Facts(
            board=found.board,
            ram_bytes=found.ram_bytes,
            budget_bytes=found.budget_bytes,
            variant=row.variant,
            size_bytes=row.size_bytes,
            several=len(found.models) > 1,
            limit_bytes=found.limit_bytes,
            failing_bytes=found.failing_bytes if found.stopped_by != "failed" else None,
            at_once=found.at_once,
            at_once_bound=found.at_once_bound,
            concurrency=measured.whole(view.plan.design, "concurrency"),
        )
    )


def text(view: SessionView) -> str:
    """Return the session for a terminal."""
    facts = dict(session(view))
    names = ("Session", "Started", "Cases", "Runtimes")
    head = [f"{name:<9} {plain(facts[name])}" for name in names]
    head.append(f"{'Board':<9} {plain(_board(view))}, on {plain(view.plan.device)}")
    parts = ["\n".join(head), plain(warning(view), 600)]
    parts.append("\n  ".join([plain(budget(view), 300), *map(plain, sentences(view))]))
    for table in tables(view):
        for group in table.groups:
            lines = [_HEADERS, *(_line(row) for row in group.rows)]
            parts.append(f"{plain(group.head)}\n{aligned(lines, _WORDS)}")
    for row in view.rows:
        parts += _told(row, checked(view, row))
    if view.problems:
        parts.append("\n  ".join(["Problems:", *map(plain, view.problems)]))
    parts.append(f"Made by: {plain(command(view), 1000)}")
    return "\n\n".join(parts) + "\n"


def _told(row: CaseRow, claims: Sequence[Checked]) -> list[str]:
    """Return the documented claims beside one case for a terminal."""
    if not claims:
        return []
    lines = [("documented", "ours", "verdict", "because")]
    for one in claims:
        told = f"{one.claim.source}: {one.claim.text}"
        lines.append((told, _ours(one), one.finding.verdict, one.finding.reason))
    title = plain(f"Documented figures held against {_name(row)}")
    return [f"{title}\n{aligned(lines, range(4), 90)}"]


def _row(row: CaseRow) -> Row:
    found = _capacity(row) if row.fit else None
    badge = Badge(text=row.verdict, tone=ROW_TONES[row.verdict])
    return Row(
        head=f"{row.variant} {row.backend}",
        cells=(
            Cell(text="", detail=row.reason, badges=(badge,)),
            *(Cell(text=figure) for figure in _figures(row, found)),
        ),
    )


def _figures(row: CaseRow, found: Capacity | None) -> tuple[str, ...]:
    size = show(row.size_bytes, "bytes")
    if found is None:
        return (DASH, DASH, DASH, DASH, DASH, DASH, size, DASH)
    limit, ram = found.limit_bytes, found.ram_bytes
    return (
        show(limit, "bytes"),
        percent(limit / ram if limit and ram else None),
        times(found.limit_to_file),
        show(found.failing_bytes, "bytes"),
        _STOPS.get(found.stopped_by or "", DASH),
        show(found.peak_bytes, "bytes"),
        size,
        _at_once(found),
    )


def _at_once(found: Capacity) -> str:
    if found.at_once is None:
        return DASH
    more = " or more" if found.at_once == found.at_once_bound else ""
    return f"{found.at_once}{more}"


def _line(row: Row) -> tuple[str, ...]:
    return (row.head, row.cells[0].badges[0].text, *(cell.text for cell in row.cells[1:]))


def _finding(one: Checked) -> Row:
    detail = None if one.finding.verdict == "reproduced" else one.finding.reason
    badge = verdict_badge(one.finding)
    return Row(
        head=f"Table {one.claim.source}: {one.claim.text}",
        cells=(Cell(text=_ours(one)), Cell(text="", detail=detail, badges=(badge,))),
    )


def _ours(one: Checked) -> str:
    """Return our figure with the gap that the trials left open."""
    ours = one.ours
    if ours.value is None or one.finding.verdict == "not measurable here":
        return DASH
    if ours.hi == float("inf"):
        return f"more than {_figure(one.claim.metric, ours.value)}"
    return _figure(one.claim.metric, ours.value)


def _figure(metric: Metric, value: float) -> str:
    """Return a figure of capacity as people say it."""
    if metric == "limit_bytes":
        return show(value, "bytes")
    if metric == "limit_to_file":
        return f"{times(value)} the file"
    if metric == "at_once":
        return f"{value:.0f} at once"
    return f"{percent(value)} of the {'RAM' if metric == 'limit_to_ram' else 'budget'}"


def _answer(row: CaseRow) -> str:
    """Return the answer to one case as the rest of a sentence."""
    if row.verdict in ("fits", "does not fit"):
        found = _capacity(row)
        more = f" {_at_once(found)} of them fit at once." if found.at_once else ""
        return f"{row.verdict}: {row.reason}.{more}"
    return f"has no answer: {row.reason}."


def _name(row: CaseRow) -> str:
    return f"{row.model} {row.variant} on {row.backend}"


def _board(view: SessionView) -> str:
    return measured.text(view.plan.design, "title") or "board"


def _capacity(row: CaseRow) -> Capacity:
    return msgspec.convert(row.fit, Capacity)
