"""What really ran, case by case, as the runtime itself reports it after its samples were taken."""

from __future__ import annotations

from reports.cases import own_notes, scenario_name
from reports.figures import DASH, plain
from reports.grid import Cell, Grid, Group, Header, Row
from reports.names import head
from reports.relations import comparable
from reports.session import SessionView
from results import measured
from results.cases import CaseRow


def evidence(view: SessionView, model: str) -> Grid:
    """Return a row per measured case of one model: runtime, threads, provider, nodes, precision."""
    rows = [row for row in view.rows if row.model == model and row.evidence]
    scenarios = dict.fromkeys((row.scenario, row.batch) for row in rows)
    return Grid(
        id=f"evidence-{view.models().index(model)}",
        caption=f"What really ran of {model}",
        headers=(
            Header(text="Case", figures=False),
            Header(text="Version"),
            Header(text="Threads"),
            Header(text="Provider or delegate", figures=False),
            Header(text="Nodes on it", unit="of all"),
            Header(text="Computes in", figures=False),
            Header(text="Remarks", figures=False),
        ),
        groups=tuple(
            Group(
                head=scenario_name(*driven),
                rows=tuple(_row(row) for row in rows if (row.scenario, row.batch) == driven),
            )
            for driven in scenarios
        ),
    )


def _row(row: CaseRow) -> Row:
    """Return what the runtime said of one case, with the toolchain's notes beside it."""
    told = row.evidence
    remarks = [*own_notes(row), *filter(None, [measured.text(told, "detail")])]
    return Row(
        head=head(row),
        cells=(
            Cell(text=_text(told, "version")),
            Cell(text=_text(told, "threads")),
            Cell(text=_text(told, "provider")),
            Cell(text=_nodes(told)),
            Cell(text=_text(told, "precision")),
            Cell(text="", detail=plain("; ".join(remarks), 600) or None),
        ),
        doubtful=not comparable(row),
    )


def _text(told: dict[str, object], key: str) -> str:
    return measured.text(told, key) or DASH


def _nodes(told: dict[str, object]) -> str:
    """Return `taken / all`, with a dash for what the runtime does not count."""
    taken, total = measured.whole(told, "nodes_on_provider"), measured.whole(told, "nodes_total")
    if taken is None and total is None:
        return DASH
    return f"{DASH if taken is None else taken} / {DASH if total is None else total}"
