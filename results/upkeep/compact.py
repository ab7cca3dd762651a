"""Many small parts into few large ones, one table, month and device at a time.

A large part is on the disk, and was read back, before the small ones go. Parts of format 1 become
format 2 on the way; parts whose sessions all count elsewhere go, and so does what a reader would
have to leave out of a part.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import msgspec

from harness.errors import StoreError
from results import quarantine
from results.catalog import Catalog, Covered
from results.schema import TABLES
from results.storage import MissingError
from results.store import Store
from results.upkeep import removal, rewrite
from results.upkeep.partition import WORKED_OUT, Partition, Task
from results.upkeep.rewrite import Place

LIMIT_BYTES = 256 * 2**20
# Others that wait for the store's lock get their turn after this long.
_TURN_S = 2.0
_PAUSE_S = 0.02
_TRIES = 20


class Compacted(msgspec.Struct, frozen=True, kw_only=True):
    """How many parts and bytes there were and are, and sentences about what was left alone."""

    parts_before: int
    parts_after: int
    bytes_before: int
    bytes_after: int
    problems: tuple[str, ...] = ()


def compact(store: Store, limit_bytes: int = LIMIT_BYTES) -> Compacted:
    """Leave at most one part below half of `limit_bytes` per table, month and device."""
    problems = removal.finish(store)
    work = _Work(store, limit_bytes)
    first = store.catalog()
    before = _sizes(first)
    while not work.turn():
        time.sleep(_PAUSE_S)
    last = store.catalog()
    after = _sizes(last)
    last.save()
    told = (*problems, *first.problems, *work.problems, *last.problems)
    return Compacted(
        parts_before=len(before),
        parts_after=len(after),
        bytes_before=sum(before),
        bytes_after=sum(after),
        problems=tuple(dict.fromkeys(told)),
    )


class _Work:
    """What is left to do, with the catalog of the moment."""

    def __init__(self, store: Store, limit_bytes: int) -> None:
        self.problems: list[str] = []
        self._store = store
        self._limit_bytes = limit_bytes
        self._done: set[tuple[str, Place]] = set()
        self._spoilt: set[str] = set()
        self._missed = 0
        self._places: dict[str, Place] = {}

    def turn(self) -> bool:
        """Work under the store's lock for a while; tell whether all is done."""
        end = time.monotonic() + _TURN_S
        storage = self._store.storage
        with self._store.locked():
            catalog = self._store.catalog()
            try:
                self.problems += quarantine.settled(storage, catalog)
                return all(self._compacted(catalog, task, end) for task in self._tasks(catalog))
            except rewrite.SpoiltError as spoilt:
                sentence = quarantine.aside(storage, spoilt.path, str(spoilt))
                if spoilt.path in self._spoilt:
                    raise StoreError(sentence, "move that file away by hand") from spoilt
                self.problems.append(sentence)
                self._spoilt.add(spoilt.path)
                return False
            except MissingError:
                # a part that the catalog found corrupt, and moved aside, after it had listed it
                self._missed += 1
                if self._missed > _TRIES:
                    raise
                return False
            finally:
                self.problems += catalog.problems

    def _compacted(self, catalog: Catalog, task: Task, end: float) -> bool:
        """Rewrite one partition of a table; False where the time is over before the end."""
        if (task.table, task.place) in self._done:
            return True
        if time.monotonic() > end:
            return False
        partition = Partition(self._store.storage, catalog, task)
        for _ in partition.steps(self._limit_bytes):
            if time.monotonic() > end:
                return False
        self.problems += partition.problems
        self._done.add((task.table, task.place))
        return True

    def _tasks(self, catalog: Catalog) -> Iterator[Task]:
        """Yield each partition of each table, that of what commits a session last."""
        places = self._of_sessions(catalog)
        for table in reversed(TABLES):
            found: dict[Place, list[Covered]] = {place: [] for place in places.values()}
            lacking: dict[Place, list[str]] = {place: [] for place in found}
            for part in catalog.parts(table):
                if _counts(catalog, part):
                    found[places[next(iter(part.sessions))]].append(part)
            for name, place in places.items():
                if table in WORKED_OUT and catalog.owner(table, name) is None:
                    lacking[place].append(name)
            for place, here in found.items():
                yield Task(table=table, place=place, parts=here, lacking=lacking[place])

    def _of_sessions(self, catalog: Catalog) -> dict[str, Place]:
        """Return the partition of each committed session."""
        found = {}
        for part, out in catalog.live("sessions"):
            for name in part.sessions.keys() - out:
                if name not in self._places:
                    self._places[name] = rewrite.place_of(self._store.storage, part, name)
                found[name] = self._places[name]
        return found


def _counts(catalog: Catalog, part: Covered) -> bool:
    """Tell whether all that a part holds counts, in it or elsewhere with the same content.

    What nobody committed yet may be half of what another process is writing.
    """
    for name in part.sessions:
        owner = catalog.owner(part.table, name)
        if owner is None:
            return False
        if owner.path != part.path:
            content = catalog.known(part).sessions[name]
            if content != catalog.content(name):
                return False
    return True


def _sizes(catalog: Catalog) -> list[int]:
    return [part.size_bytes for table in TABLES for part in catalog.parts(table)]
