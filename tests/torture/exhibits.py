"""A small store with one of each kind of file, and what is true of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import handmade
import msgspec

from harness.types import Run, SessionPlan
from results.schema import TABLES
from results.store import Store
from results.upkeep.compact import compact

from . import onlooker
from .onlooker import View

FIRST, SECOND, THIRD, LIVE = (f"20261120T14150{n}Z-3f2{n}" for n in range(4))


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One file to be damaged: of which kind, and the sessions whose data are in it."""

    path: str
    kind: str
    sessions: tuple[str, ...] = ()


class Exhibit(msgspec.Struct, frozen=True, kw_only=True):
    """A store at `where` that is put right after each damage, and what its readers gave before."""

    where: Path
    pristine: dict[str, tuple[bytes, int]]
    truth: View
    targets: tuple[Target, ...]

    def damage(self, target: Target, data: bytes) -> None:
        """Give a file other bytes; its time stays, as where a disk forgets."""
        path = self.where / target.path
        path.write_bytes(data)
        stamp = self.pristine[target.path][1]
        os.utime(path, ns=(stamp, stamp))

    def restore(self, keep_index: bool) -> None:
        """Put everything back; without an index if it is not to be kept."""
        for path in _files(self.where):
            if path not in self.pristine:
                (self.where / path).unlink()
        for path, (data, stamp) in self.pristine.items():
            place = self.where / path
            if path.startswith("index/") and not keep_index:
                place.unlink(missing_ok=True)
            elif not place.is_file() or place.read_bytes() != data:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
                os.utime(place, ns=(stamp, stamp))


def singles(where: Path) -> Exhibit:
    """Return a store of two sealed sessions and a live one; targets are the first one's files."""
    store = _store(where, (FIRST, SECOND))
    targets = [_part(where, table, FIRST) for table in TABLES]
    targets.append(Target(path=f"sessions/{LIVE}/journal.ndjson", kind="journal", sessions=(LIVE,)))
    targets.append(Target(path="store.json", kind="store.json"))
    return _exhibit(store, where, targets)


def compacted(where: Path) -> Exhibit:
    """Return a store with two sessions in compact parts, one in parts of its own and a live one."""
    store = _store(where, (FIRST, SECOND))
    compact(store)
    seal(store, THIRD)
    targets = []
    for table in TABLES:
        (path,) = (where / "parts" / table).rglob("compact-*.parquet")
        name = str(path.relative_to(where))
        targets.append(Target(path=name, kind=f"compact {table}", sessions=(FIRST, SECOND)))
    return _exhibit(store, where, targets, with_index=True)


def content(session_id: str) -> tuple[SessionPlan, tuple[Run, ...]]:
    """Return what a session of an exhibit holds: two runs, ids of their own."""
    plan = handmade.plan(session_id, blocks=1, cases=(handmade.FP32, handmade.INT8), skipped=())
    runs = tuple(
        msgspec.structs.replace(run, run_id=f"{session_id}-{run.run_id}", session_id=session_id)
        for run in handmade.runs()[:2]
    )
    return plan, runs


def seal(store: Store, session_id: str) -> None:
    """Measure a session into a store and seal it."""
    plan, runs = content(session_id)
    with store.start(plan) as journal:
        for run in runs:
            journal.append(run)
        journal.note(f"a note of {session_id}")
    store.seal(session_id)


def _exhibit(store: Store, where: Path, targets: list[Target], with_index: bool = False) -> Exhibit:
    journal = store.start(content(LIVE)[0])
    with journal:
        for run in content(LIVE)[1]:
            journal.append(run)
    truth = onlooker.look(where)
    onlooker.look(where)
    if with_index:
        for path in sorted((where / "index").iterdir()):
            targets.append(Target(path=f"index/{path.name}", kind=f"index {path.stem}"))
    pristine = {
        path: ((where / path).read_bytes(), (where / path).stat().st_mtime_ns)
        for path in _files(where)
    }
    return Exhibit(where=where, pristine=pristine, truth=truth, targets=tuple(targets))


def _store(where: Path, sealed: tuple[str, ...]) -> Store:
    store = Store.create(where)
    for session_id in sealed:
        seal(store, session_id)
    return store


def _part(where: Path, table: str, session_id: str) -> Target:
    (path,) = (where / "parts" / table).rglob(f"{session_id}-*.parquet")
    name = str(path.relative_to(where))
    return Target(path=name, kind=f"part of {table}", sessions=(session_id,))


def _files(where: Path) -> Iterator[str]:
    for path in sorted(where.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield str(path.relative_to(where))


def copied(exhibit: Exhibit, where: Path) -> Exhibit:
    """Return the same store at another place, for another process."""
    shutil.copytree(exhibit.where, where)
    for path, (_, stamp) in exhibit.pristine.items():
        os.utime(where / path, ns=(stamp, stamp))
    return msgspec.structs.replace(exhibit, where=where)
