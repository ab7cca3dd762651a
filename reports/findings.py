"""The documented claims against what was measured: a row per claim, a column per runtime."""

from __future__ import annotations

import collections
from collections.abc import Sequence

import msgspec

from reports.grid import Cell, Grid, Group, Header, Row
from reports.relations import Relations
from reports.session import SessionView
from reports.tables import VERDICT_TONES, base_of, figure, span, verdict_badge
from results.cases import CaseRow
from suites import Claim
from suites.claims import Finding, Measured, judge

_METRICS = {
    "memory": "peak memory against FP32",
    "size": "model file against FP32",
    "speed": "speed against FP32",
    "latency": "latency against FP32",
    "throughput": "throughput against FP32",
    "quality_loss": "quality lost",
}


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """One claim held against one runtime's figure."""

    claim: Claim
    backend: str
    ours: Measured
    finding: Finding


def check(view: SessionView, model: str) -> tuple[Checked, ...]:
    """Return every claim of the suite held against every runtime that was to measure its level."""
    suite = view.suite()
    if suite is None:
        return ()
    relations = Relations(view)
    rows = [row for row in view.rows if row.model == model]
    found = []
    for claim in suite.claims:
        for backend in _backends(rows, claim):
            ours = _ours(claim, backend, rows, relations)
            found.append(
                Checked(claim=claim, backend=backend, ours=ours, finding=judge(claim, ours))
            )
    return tuple(found)


def findings(view: SessionView, model: str) -> tuple[Grid, ...]:
    """Return the table of claims for one model; nothing where the suite has none."""
    checked = check(view, model)
    if not checked:
        return ()
    backends = tuple(dict.fromkeys(one.backend for one in checked))
    sources = dict.fromkeys(one.claim.source for one in checked)
    counts = collections.Counter(one.finding.verdict for one in checked)
    summary = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICT_TONES)
    return (
        Grid(
            id=f"claims-{view.models().index(model)}",
            caption=f"Documented figures held against {model}",
            headers=(
                Header(text="Documented", figures=False),
                Header(text="Held against", figures=False),
                *(Header(text=backend, figures=False) for backend in backends),
            ),
            groups=tuple(_group(source, checked, backends) for source in sources),
            notes=(f"{len(checked)} comparisons: {summary}.",),
        ),
    )


def _group(source: str, checked: Sequence[Checked], backends: Sequence[str]) -> Group:
    """Return the claims of one document's table."""
    claims = dict.fromkeys(
        (one.claim.text, one.claim.level, one.claim.metric)
        for one in checked
        if one.claim.source == source
    )
    rows = []
    for text, level, metric in claims:
        cells = []
        for backend in backends:
            found = [
                one
                for one in checked
                if one.claim.source == source
                and (one.claim.text, one.claim.level, one.claim.metric) == (text, level, metric)
                and one.backend == backend
            ]
            cells.append(_cell(found[0]) if found else Cell(text="", detail="not planned"))
        held = Cell(text=level, detail=_METRICS[metric])
        if len(cells) > 1 and all(cell == cells[0] for cell in cells):
            cells = [msgspec.structs.replace(cells[0], span=len(cells))]
        rows.append(Row(head=text, cells=(held, *cells)))
    return Group(head=f"Table {source}", rows=tuple(rows))


def _cell(one: Checked) -> Cell:
    """Return our figure, its interval, the verdict and what supports it."""
    badge = verdict_badge(one.finding)
    if one.ours.value is None or one.finding.verdict == "not measurable here":
        return Cell(text="", detail=one.finding.reason, badges=(badge,))
    ends = span(one.claim.metric, one.ours)
    text = figure(one.claim.metric, one.ours.value) + (f" [{ends}]" if ends else "")
    detail = None if one.finding.verdict == "reproduced" else one.finding.reason
    return Cell(text=text, detail=detail, badges=(badge,))


def _backends(rows: Sequence[CaseRow], claim: Claim) -> tuple[str, ...]:
    """Return the runtimes that were to measure the claim's level in its scenario."""
    return tuple(
        dict.fromkeys(
            row.backend
            for row in rows
            if (row.variant, row.scenario) == (claim.level, claim.scenario)
        )
    )


def _ours(claim: Claim, backend: str, rows: Sequence[CaseRow], relations: Relations) -> Measured:
    """Return our figure for `claim` on one runtime."""
    mine = [
        row
        for row in rows
        if (row.variant, row.scenario, row.backend) == (claim.level, claim.scenario, backend)
    ]
    row = next((row for row in mine if row.batch == claim.batch), mine[0])
    return relations.measured(claim.metric, row, base_of(rows, row, claim.baseline))
