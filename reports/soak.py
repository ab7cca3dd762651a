"""What the soaks of a session show: burst against sustained, and when a board was held down."""

from __future__ import annotations

from collections.abc import Sequence

from harness.stats.readings import number, text
from harness.types import Json
from harness.units import show
from reports.figures import DASH, common_scale, percent, scaled
from reports.grid import Badge, Cell, Grid, Group, Header, Row
from reports.names import label
from reports.session import SessionView
from results.cases import CaseRow
from results.soak import SCENARIO

_HERTZ_PER_GIGAHERTZ = 1e9


def soaked(view: SessionView, model: str) -> list[CaseRow]:
    """Return the cases of one model whose soak tells something."""
    return [
        row for row in view.rows if row.model == model and row.scenario == SCENARIO and row.soak
    ]


def only_soaks(view: SessionView) -> bool:
    """Tell whether every case of a session is a soak, so that none of them is ranked."""
    return bool(view.rows) and all(row.scenario == SCENARIO for row in view.rows)


def verdict(rows: Sequence[CaseRow], model: str) -> str:
    """Return in one sentence which cases of a model were held down, and how much it cost."""
    if not rows:
        return f"No soak of {model} gave a figure."
    if not any(row.soak.get("throttle_known", True) for row in rows):
        return f"Whether {model} is held down cannot be told: {told(rows[0].soak)}."
    held = [row for row in rows if number(row.soak, "throttle_s") is not None]
    lasted = show(max(number(row.soak, "duration_s") or 0.0 for row in rows), "s")
    known = [row for row in rows if number(row.soak, "slower_by") is not None]
    worst = max(known, key=lambda row: number(row.soak, "slower_by") or 0.0, default=None)
    counted = "1 case" if len(rows) == 1 else f"{len(rows)} cases"
    lead = f"In soaks of up to {lasted}, the board was held down in {len(held)} of {counted}"
    if worst is None:
        return f"{lead} of {model}."
    by = percent(number(worst.soak, "slower_by"))
    slower = f"{by} slower" if (number(worst.soak, "slower_by") or 0) > 0 else "no slower"
    end = f"at the end {label(worst)} ran {slower} than at the begin"
    return f"{lead} of {model}; {end}" + (", the most of all." if len(known) > 1 else ".")


def grid(view: SessionView, model: str) -> tuple[Grid, ...]:
    """Return the table of one model's soaks; nothing where there is none."""
    rows = soaked(view, model)
    if not rows:
        return ()
    factor, unit = common_scale([number(row.soak, "latency_burst_s") for row in rows], "s")
    return (
        Grid(
            id=f"soak-{view.models().index(model)}",
            caption=f"Soaks of {model}",
            headers=(
                Header(text="Case", figures=False),
                Header(text="Burst", unit=unit),
                Header(text="Sustained", unit=unit),
                Header(text="Slower by"),
                Header(text="Held down after"),
                Header(text="Temperature", unit="°C"),
                Header(text="Clock", unit="GHz"),
                Header(text="Power", unit="W"),
                Header(text="What shows it", figures=False),
            ),
            groups=(Group(head="", rows=tuple(_row(row, factor) for row in rows)),),
            notes=_notes(rows),
        ),
    )


def lines(rows: Sequence[CaseRow]) -> list[tuple[str, ...]]:
    """Return the cells of a terminal's table: a line of headings, then one per soak."""
    names = ("level", "runtime", "lasted", "burst", "sustained", "slower", "held down after")
    found: list[tuple[str, ...]] = [(*names, "temperature", "clock", "power")]
    for row in rows:
        found.append(
            (
                row.variant,
                row.backend,
                show(number(row.soak, "duration_s"), "s"),
                show(number(row.soak, "latency_burst_s"), "s"),
                show(number(row.soak, "latency_sustained_s"), "s"),
                percent(number(row.soak, "slower_by")),
                show(number(row.soak, "throttle_s"), "s"),
                _unit(_temperature(row), "°C"),
                _unit(_clock(row), "GHz"),
                _unit(_power(row), "W"),
            )
        )
    return found


def told(figures: Json) -> str:
    """Return what shows that a board was held down, or why it is not known to have been."""
    evidence = text(figures, "throttle_evidence")
    return evidence or text(figures, "reasons", "throttle_s") or DASH


def _row(row: CaseRow, factor: float) -> Row:
    """Return one soak's figures."""
    at_s, runs = number(row.soak, "throttle_s"), number(row.soak, "runs") or 1
    held = f"in {row.soak.get('throttled_runs')} of {runs:.0f} runs" if runs > 1 else None
    every = number(row.soak, "kept_every") or 1
    detail = f"{show(number(row.soak, 'duration_s'), 's')}, {row.soak.get('calls')} calls"
    if every > 1:
        detail += f", one in {every:.0f} kept"
    return Row(
        head=label(row),
        detail=detail,
        cells=(
            Cell(text=scaled(number(row.soak, "latency_burst_s"), factor)),
            Cell(text=scaled(number(row.soak, "latency_sustained_s"), factor)),
            Cell(text=percent(number(row.soak, "slower_by"))),
            Cell(text=show(at_s, "s"), detail=held),
            Cell(text=_temperature(row)),
            Cell(text=_clock(row)),
            Cell(text=_power(row)),
            Cell(
                text=told(row.soak),
                badges=(Badge(text="held down", tone="warn"),) if at_s is not None else (),
            ),
        ),
    )


def _temperature(row: CaseRow) -> str:
    return _from_to(row, "temperature_start_c", "temperature_max_c", 1.0)


def _clock(row: CaseRow) -> str:
    return _from_to(row, "clock_burst_hz", "clock_sustained_hz", _HERTZ_PER_GIGAHERTZ)


def _power(row: CaseRow) -> str:
    return _from_to(row, "power_burst_w", "power_sustained_w", 1.0)


def _from_to(row: CaseRow, first: str, last: str, factor: float) -> str:
    """Return two figures of a soak as `1.80 → 1.20`; a dash where neither is known."""
    ends = number(row.soak, first), number(row.soak, last)
    if ends == (None, None):
        return DASH
    return " → ".join(scaled(value, factor) for value in ends)


def _unit(text: str, unit: str) -> str:
    return text if text == DASH else f"{text} {unit}"


def _notes(rows: Sequence[CaseRow]) -> tuple[str, ...]:
    """Return why a column is empty, once for all rows that share the reason; who read the power."""
    titles = {
        "latency_sustained_s": "Sustained",
        "temperature_start_c": "Temperature",
        "clock_burst_hz": "Clock",
        "power_burst_w": "Power",
    }
    found = [
        f"{title}: {reason}."
        for name, title in titles.items()
        for reason in dict.fromkeys(text(row.soak, "reasons", name) for row in rows)
        if reason
    ]
    return (*found, *whose_power(rows))


def whose_power(rows: Sequence[CaseRow]) -> tuple[str, ...]:
    """Return who read the power over time, how, and what it covers: an estimate is called one."""
    names = ("power_source", "power_method", "power_scope")
    found = []
    for told in dict.fromkeys(tuple(text(row.soak, name) for name in names) for row in rows):
        source, method, scope = told
        if source:
            whose = "the board's own source" if source == "board" else f"the {source} meter"
            how = f"{method or 'unknown method'}, scope {scope or 'unknown'}"
            found.append(f"Power over time: {whose}, {how}.")
    return tuple(found)
