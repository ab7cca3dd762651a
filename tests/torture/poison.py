"""Poisoned content under right digests, and things in the places of files."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from results.query import Filter, History
from results.store import Store
from results.upkeep.compact import compact
from results.upkeep.merge import merge
from results.upkeep.reindex import reindex

from . import apart, exhibits, onlooker, poisons
from .records import Campaign, Finding, Row, Scope, added

# In the reduced scope every so many cases are tried.
REDUCED_STEP = 60
_JOURNAL = f"sessions/{exhibits.LIVE}/journal.ndjson"


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One poison by its name among those of its `fault`, put into copies of the store `where`."""

    fault: str
    name: str
    where: str


def play(scope: Scope) -> list[Row]:
    """Put each poison into a copy of a small store; read it, look after it, read it again."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        where = Path(name) / "store"
        exhibits.singles(where)
        step = REDUCED_STEP if scope == "reduced" else 1
        cases = [
            Case(fault=fault, name=one, where=str(where))
            for fault, found in placed(where).items()
            for one in list(found)[::step]
        ]
        workers = 1 if scope == "reduced" else None
        grouped: dict[str, list[Finding]] = {}
        for case, finding in zip(cases, apart.findings(judged, cases, workers), strict=True):
            grouped.setdefault(case.fault, []).append(finding)
        return [added(fault, findings) for fault, findings in grouped.items()]


def placed(where: Path) -> dict[str, dict[str, poisons.Placed]]:
    """Return each poison by fault and name; those of parts lie in the store at `where`."""
    tables = {table: _part(where, table) for table in ("sessions", "runs", "samples")}
    lines = poisons.journal_lines()
    return {
        "poison in a journal": {
            name: poisons.with_journal(line, _JOURNAL) for name, line in lines.items()
        }
        | {
            f"{name}, first": poisons.with_first_line(line, _JOURNAL)
            for name, line in lines.items()
        },
        "poison in a part": {
            f"{table}: {name}": poisons.rewritten(path, change)
            for table, path in tables.items()
            for name, change in poisons.changes(table)
        },
        "poison in store.json, the index and the intent to prune": {
            f"{name} in {path}": poisons.with_file(path, text)
            for path in ("store.json", "prune.json", "index/entries.msgpack")
            for name, text in poisons.texts().items()
        },
        "another thing in the place of a file": poisons.obstacles(tables["runs"]),
    }


def judged(case: Case) -> Finding:
    """Say what a poison does to whoever reads the store or looks after it."""
    template = Path(case.where)
    where = template.with_name(f"case-{secrets.token_hex(4)}")
    shutil.copytree(template, where)
    try:
        placed(template)[case.fault][case.name](where)
        faults = list(_faults(case, where))
    finally:
        # rmtree goes no deeper than Python's stack
        subprocess.run(["rm", "-rf", str(where), f"{where}-merged"], check=True)
    return Finding(
        tracebacks=sum("Traceback" in fault for fault in faults),
        broken=tuple(f"{case.name}: {fault}" for fault in faults),
    )


def _faults(case: Case, where: Path) -> Iterator[str]:
    yield from _read(case, where)
    for deed in _DEEDS:
        for sentence in onlooker.tried(deed, where):
            if "was refused" not in sentence:
                yield sentence
    yield from _read(case, where)


def _read(case: Case, where: Path) -> Iterator[str]:
    """Say what is wrong with the sessions that the poison is none of."""
    view = onlooker.look(where)
    yield from view.crashed
    if "store.json" in case.name and not view.entries and view.refused:
        return
    plan, runs = exhibits.content(exhibits.SECOND)
    found = view.sessions.get(plan.session_id)
    if found is None or (found.plan, found.runs) != (plan, runs):
        yield f"{plan.session_id} does not load as it was: {'; '.join(view.refused)}"
    for session_id in (exhibits.FIRST, exhibits.LIVE):
        session = view.sessions.get(session_id)
        # what else a part says under its right digest is what somebody wrote
        true = {run.run_id: run.samples_ns for run in exhibits.content(session_id)[1]}
        given = {run.run_id: run.samples_ns for run in session.runs} if session else true
        if session and not session.problems and not true.items() <= given.items():
            yield f"{session_id} loads with runs that never were, and nobody says so"


def _part(where: Path, table: str) -> str:
    (path,) = (where / "parts" / table).rglob(f"{exhibits.FIRST}-*.parquet")
    return str(path.relative_to(where))


def _history(where: Path) -> None:
    History(Store.open(where)).latest_per_case(Filter())


def _merge(where: Path) -> None:
    merge(Store.create(where.with_name(f"{where.name}-merged")), Store.open(where))


def _compact(where: Path) -> None:
    compact(Store.open(where))


def _reindex(where: Path) -> None:
    reindex(Store.open(where))


def _seal(where: Path) -> None:
    Store.open(where).seal(exhibits.LIVE)


_DEEDS: tuple[Callable[[Path], object], ...] = (
    _history, onlooker.verified, _merge, _compact, _reindex, _seal,
)  # fmt: skip

CAMPAIGN = Campaign("poison", play)
