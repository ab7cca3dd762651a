"""What a session of two sides says by itself: the ratio of each pair, without any verdict."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import msgspec

from reports.cases import scenario_name
from reports.figures import interval, signed
from reports.relations import Figure, Relations, comparable
from reports.session import SessionView
from results.cases import CaseRow

_NAMES: dict[Figure, str] = {
    "latency": "latency",
    "throughput": "throughput",
    "memory": "peak memory",
}
_KINDS = {
    "gate": "A gate session: base and candidate ran in the same blocks.",
    "calibration": "A calibration session: both sides are the same, so that every difference is"
    " noise.",
    "self-test": "A self-test: the candidate was slowed down on purpose.",
}


class PairRatio(msgspec.Struct, frozen=True, kw_only=True):
    """One pair of a session and, in words, how the candidate compares with its base."""

    name: str
    text: str


def sides(rows: Sequence[CaseRow]) -> tuple[tuple[CaseRow, CaseRow], ...]:
    """Return base and candidate of every consecutive pair among `rows`."""
    return tuple(
        (base, candidate)
        for base, candidate in itertools.pairwise(rows)
        if (base.side, candidate.side) == ("base", "candidate")
    )


def kind_sentence(view: SessionView) -> str:
    """Return what kind of session this is and where its verdict comes from."""
    said = _KINDS.get(view.plan.kind, "A session of two sides.")
    return f"{said} The ratios stand below; the verdict is the gate's, not this report's."


def ratios(view: SessionView) -> tuple[PairRatio, ...]:
    """Return candidate against base for every pair, from the blocks that both ran in."""
    relations = Relations(view)
    return tuple(_ratio(base, candidate, relations) for base, candidate in sides(view.rows))


def _ratio(base: CaseRow, candidate: CaseRow, relations: Relations) -> PairRatio:
    """Return one pair in words."""
    variants = " → ".join(dict.fromkeys((base.variant, candidate.variant)))
    models = " → ".join(dict.fromkeys((base.model, candidate.model)))
    driven = scenario_name(candidate.scenario, candidate.batch).lower()
    name = f"{models} {variants} on {candidate.backend}, {driven}"
    doubts = [f"the {row.side} is {row.verdict}" for row in (base, candidate) if _silent(row)]
    if doubts:
        return PairRatio(name=name, text=f"not compared: {' and '.join(doubts)}")
    shown: tuple[Figure, ...] = ("latency", "memory")
    if candidate.scenario == "offline":
        shown = ("throughput", "memory")
    words = []
    for figure in shown:
        found = relations.ratio(figure, base, candidate)
        if found.lo is None or found.hi is None:
            words.append(f"{_NAMES[figure]} {signed(found.ratio)}")
            continue
        ends = interval(found.lo - 1, found.hi - 1, 0.01)
        words.append(f"{_NAMES[figure]} {signed(found.ratio)} [{ends}] over {found.n} blocks")
    doubt = " and ".join(
        f"the {row.side} is {row.verdict}" for row in (base, candidate) if not comparable(row)
    )
    return PairRatio(name=name, text="; ".join(words) + (f" ({doubt})" if doubt else ""))


def _silent(row: CaseRow) -> bool:
    return row.verdict in ("failed", "skipped")
