"""Peak memory by phase: what the interpreter, the runtime with its model, and inference take."""

from __future__ import annotations

from reports.cases import scenario_name
from reports.figures import common_scale, scaled
from reports.grid import Cell, Grid, Group, Header, Row
from reports.names import head
from reports.relations import comparable
from reports.session import SessionView
from results.cases import CaseRow

_PHASES = ("Before the runtime", "Loading the model", "Inference")
_NOTE = (
    "Each figure is the highest resident set of its phase; below it stand the anonymous and the"
    " file pages resident when the phase ended, for which the kernel keeps no highest value."
)


def phases(view: SessionView, model: str) -> tuple[Grid, ...]:
    """Return the memory of every measured case of one model by phase; nothing where unknown."""
    rows = [row for row in view.rows if row.model == model and row.baseline_rss_bytes]
    if not rows:
        return ()
    factor, unit = common_scale([row.steady_peak_rss_bytes for row in rows], "bytes")
    driven = dict.fromkeys((row.scenario, row.batch) for row in rows)
    return (
        Grid(
            id=f"memory-{view.models().index(model)}",
            caption=f"Peak memory of {model} by phase",
            headers=(
                Header(text="Case", figures=False),
                *(Header(text=title, unit=unit) for title in _PHASES),
            ),
            groups=tuple(
                Group(
                    head=scenario_name(*one),
                    rows=tuple(
                        _row(row, factor) for row in rows if (row.scenario, row.batch) == one
                    ),
                )
                for one in driven
            ),
            notes=(_NOTE,),
        ),
    )


def _row(row: CaseRow, factor: float) -> Row:
    """Return one case's phases."""
    readings = (
        (row.baseline_rss_bytes, row.baseline_anon_bytes, row.baseline_file_bytes),
        (row.load_peak_rss_bytes, row.load_anon_bytes, row.load_file_bytes),
        (row.steady_peak_rss_bytes, row.steady_anon_bytes, row.steady_file_bytes),
    )
    return Row(
        head=head(row),
        cells=tuple(_cell(reading, factor) for reading in readings),
        doubtful=not comparable(row),
    )


def _cell(reading: tuple[int | None, int | None, int | None], factor: float) -> Cell:
    """Return a phase's peak with its pages."""
    peak, anonymous, file = (scaled(value, factor) for value in reading)
    return Cell(text=peak, detail=f"{anonymous} anonymous, {file} file")
