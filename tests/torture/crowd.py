"""Sixteen writers, merges of overlapping copies and compactions at once, killed at random."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.types import Run
from results.store import Store
from results.upkeep.compact import compact
from results.upkeep.merge import merge
from results.upkeep.reindex import reindex

from . import onlooker, reader
from .crowd_members import COPIES, Order, content
from .processes import ROOT
from .records import Campaign, Finding, Row, Scope, added

SEED = 20261120
WRITERS = 16
SESSIONS: dict[Scope, int] = {"full": 6, "reduced": 1}
KILLS: dict[Scope, int] = {"full": 250, "reduced": 12}
WAIT_S = 600.0


def play(scope: Scope) -> list[Row]:
    """Let a crowd loose at two stores; look at both when all of it is done."""
    with tempfile.TemporaryDirectory() as name:
        order = Order(
            where=name, seed=SEED, writers=WRITERS, sessions=SESSIONS[scope], kills=KILLS[scope]
        )
        killed = _let_loose(order)
        merged = len(Store.open(Path(name) / "common").catalog().sessions())
        finding = judged(order)
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(killed.items()))
    counts += f"; {merged} of {WRITERS * SESSIONS[scope]} sessions were merged meanwhile"
    row = added(f"{WRITERS} writers, merges, compactions, kill -9 at random", [finding])
    return [msgspec.structs.replace(row, cases=sum(killed.values()), note=counts)]


def judged(order: Order) -> Finding:
    """Bring both stores to their end, then say what is not in them as it was measured."""
    where = Path(order.where)
    expected = {run.run_id: run for run in _runs(order)}
    acked = {line for path in where.glob("said/*.acks") for line in path.read_text().splitlines()}
    faults = [
        f"{path.stem}: {line}"
        for path in sorted(where.glob("said/*.faults"))
        for line in dict.fromkeys(path.read_text().splitlines())
    ]
    common = Store.open(where / "common")
    for name in ("shared", *(f"copy-{number}" for number in range(COPIES))):
        if (where / name).is_dir():
            merge(common, Store.open(where / name))
    missing: set[str] = set()
    doubled: list[str] = []
    for name in ("shared", "common"):
        compact(Store.open(where / name))
        seen = reader.look(where / name)
        samples = {run_id: run.samples_ns for run_id, run in expected.items()}
        missing.update(seen.missing(samples))
        doubled += seen.doubled()
        faults += [f"{name}: {sentence}" for sentence in _not_as_measured(where / name, expected)]
        faults += [f"{name}: {sentence}" for sentence in (*seen.broken, *_reindexed(where / name))]
    if unknown := acked - expected.keys():
        faults.append(f"acknowledged but never measured: {sorted(unknown)}")
    return Finding(
        lost=len(missing),
        duplicated=len(doubled),
        tracebacks=sum("Traceback" in fault for fault in faults),
        broken=tuple(faults),
    )


def _let_loose(order: Order) -> dict[str, int]:
    """Run the crowd in processes of its own; return how often which kind of member was killed."""
    paths = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "torture.crowd_members", msgspec.json.encode(order).decode()],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        timeout=WAIT_S,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=dict[str, int])


def _runs(order: Order) -> Iterator[Run]:
    for writer in range(order.writers):
        for number in range(order.sessions):
            yield from content(writer, number)[1]


def _not_as_measured(where: Path, expected: dict[str, Run]) -> Iterator[str]:
    view = onlooker.look(where)
    yield from (*view.crashed, *view.refused, *view.problems, *onlooker.verified(where))
    found = view.runs
    if found != expected:
        different = [name for name in expected if found.get(name) != expected[name]]
        yield f"{len(found)} runs of {len(expected)}, not as measured: {different[:5]}"


def _reindexed(where: Path) -> Iterator[str]:
    """Say how a rebuilt index makes anything else of the store than the one that grew."""
    grown = onlooker.look(where)
    catalog = Store.open(where).catalog()
    live = [catalog.live(table) for table in ("sessions", "runs", "samples")]
    reindex(Store.open(where))
    again = Store.open(where).catalog()
    if onlooker.look(where) != grown:
        yield "a rebuilt index shows other sessions than the one that grew"
    if [again.live(table) for table in ("sessions", "runs", "samples")] != live:
        yield "a rebuilt index reads other parts than the one that grew"
    # elsewhere a writer without the store's lock may be at one: those go after an hour
    if left := sorted(path.name for path in (where / "parts").rglob(".tmp-*")):
        yield f"left behind after reindex: {left}"


CAMPAIGN = Campaign("crowd", play)
