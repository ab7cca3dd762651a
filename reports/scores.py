"""The quality of each level: its score beside FP32's, and how near its outputs come."""

from __future__ import annotations

from reports.figures import DASH, interval, percent
from reports.grid import Cell, Grid, Group, Header, Row
from reports.session import SessionView
from results.cases import CaseRow

_METRICS = {"top1": "Top-1 accuracy", "triplet_accuracy": "Triplets ordered right"}


def scores(view: SessionView, model: str) -> tuple[Grid, ...]:
    """Return the table of scores of one model; nothing where no case was scored."""
    rows = [
        row
        for row in view.rows
        if (row.model, row.scenario) == (model, "single-stream") and row.quality_metric
    ]
    if not rows:
        return ()
    metrics = dict.fromkeys(row.quality_metric or "" for row in rows)
    levels = dict.fromkeys(row.variant for row in rows)
    reasons = dict.fromkeys(row.quality_reason for row in rows if row.quality_reason)
    return (
        Grid(
            id=f"scores-{view.models().index(model)}",
            caption=f"Quality of {model}",
            headers=(
                Header(text="Level and runtime", figures=False),
                Header(text=", ".join(_METRICS.get(name, name) for name in metrics)),
                Header(text="FP32 source"),
                Header(text="Lost"),
                Header(text="Samples"),
                Header(text="Fidelity", unit="cosine to FP32"),
                Header(text="Signal to noise", unit="dB"),
            ),
            groups=tuple(
                Group(head=level, rows=tuple(_row(row) for row in rows if row.variant == level))
                for level in levels
            ),
            notes=tuple(f"{reason}." for reason in reasons),
        ),
    )


def _row(row: CaseRow) -> Row:
    """Return the score of one case."""
    return Row(
        head=row.backend,
        detail=row.side or None,
        cells=(
            Cell(text=_digits(row.quality)),
            Cell(text=_digits(row.quality_reference)),
            Cell(
                text=percent(row.quality_loss),
                detail=interval(row.quality_loss_lo, row.quality_loss_hi, 0.01),
            ),
            Cell(text=str(row.quality_n or DASH)),
            Cell(text=_digits(row.fidelity)),
            Cell(text=DASH if row.sqnr_db is None else f"{row.sqnr_db:.1f}"),
        ),
    )


def _digits(value: float | None) -> str:
    """Return four decimals: scores of a few hundred samples differ in the third."""
    return DASH if value is None else f"{value:.4f}"
