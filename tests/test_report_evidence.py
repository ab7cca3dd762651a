"""What really ran, and how good it was: two tables that must say what the rows say."""

from __future__ import annotations

import fake_session
import msgspec
import pytest

from reports.evidence import evidence
from reports.grid import Grid
from reports.scores import scores
from reports.session import SessionView


@pytest.fixture(scope="module")
def view() -> SessionView:
    return fake_session.view()


def texts(grid: Grid) -> dict[tuple[str, str], list[str]]:
    return {
        (group.head, row.head): [cell.text for cell in row.cells]
        for group in grid.groups
        for row in group.rows
    }


def test_every_case_that_ran_tells_runtime_threads_provider_nodes_and_precision(
    view: SessionView,
) -> None:
    grid = evidence(view, "minilm-l6")
    measured = [row for row in view.rows if row.evidence]
    assert sum(len(group.rows) for group in grid.groups) == len(measured)
    row = next(row for row in measured if row.scenario == "single-stream")
    told = texts(grid)[grid.groups[0].head, f"{row.variant} · {row.backend}"]
    assert told[0] == row.evidence["version"]
    assert told[1] == str(row.evidence["threads"])
    assert told[2] == row.evidence["provider"]
    assert told[3] == f"{row.evidence['nodes_on_provider']} / {row.evidence['nodes_total']}"


def test_what_a_runtime_does_not_tell_is_a_dash(view: SessionView) -> None:
    silent = {"version": "1.0", "threads": None, "provider": None, "precision": None}
    rows = [msgspec.structs.replace(row, evidence=silent) for row in view.rows if row.evidence]
    told = texts(evidence(msgspec.structs.replace(view, rows=rows), "minilm-l6"))
    assert {tuple(cells[:5]) for cells in told.values()} == {("1.0", "—", "—", "—", "—")}


def test_scores_stand_beside_the_references_with_loss_samples_and_fidelity(
    view: SessionView,
) -> None:
    (grid,) = scores(view, "minilm-l6")
    row = next(row for row in view.rows if row.quality is not None and row.variant != "fp32")
    told = texts(grid)[row.variant, row.backend]
    assert told[0] == f"{row.quality:.4f}"
    assert told[3] == str(row.quality_n)
    assert told[4] == ("—" if row.fidelity is None else f"{row.fidelity:.4f}")


def test_without_scores_there_is_no_table(view: SessionView) -> None:
    rows = [msgspec.structs.replace(row, quality_metric=None) for row in view.rows]
    assert scores(msgspec.structs.replace(view, rows=rows), "minilm-l6") == ()
