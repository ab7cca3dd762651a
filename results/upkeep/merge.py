"""Take the sealed sessions of another store over, which stays as it is.

Parts are named by their content and never change, so a merge copies the files that are not there
yet; of a part that covers sessions which are there already, only the others. In whatever order and
however often stores are merged, the same sessions come out. Two contents of one session both go to
quarantine.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import msgspec

from harness.errors import StoreError, UsageError
from results import parts, quarantine, sessions
from results.catalog import Catalog, Covered
from results.lock import store_lock
from results.schema import TABLES
from results.storage import MissingError
from results.store import Store
from results.upkeep import merging, removal, rewrite
from results.upkeep.untouched import Untouched

_TRIES = 5
# The part that commits a session is copied last.
_DATA = tuple(table for table in reversed(TABLES) if table != "sessions")


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one merge: sessions of the source, and those of them that are new here.

    `conflicts` are sessions with another content here, which are in quarantine now; `live` those
    that are not sealed, which are left where they are. `problems` are sentences about whatever
    could not be taken over.
    """

    source: str
    sessions: int
    added: int
    parts: int
    size_bytes: int
    conflicts: tuple[str, ...] = ()
    live: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def merge(store: Store, source: Store) -> Merged:
    """Copy what `store` does not have yet; UsageError where `source` is that store itself.

    StoreError where the store cannot be written: doing it again goes on from there.
    """
    check(store, source)
    problems = removal.finish(store)
    before = set(store.catalog().sessions())
    copied: dict[str, int] = {}
    announced: set[str] = set()
    for _ in range(_TRIES):
        pass_ = _Merge(store, source)
        listing = pass_.listing()
        changed = True
        with contextlib.suppress(MissingError):
            pass_.run()
            changed = pass_.listing() != listing
        copied |= pass_.copied
        announced |= pass_.announced
        if not changed:
            break
    else:
        problems.append(f"{source.label!r} changed while it was read: merge it again")
    catalog = store.catalog()
    conflicts = tuple(sorted(catalog.conflicts()))
    problems += quarantine.settle(store.storage, catalog) if conflicts else []
    theirs = set(pass_.theirs)
    after = set(catalog.sessions())
    merging.close(store.storage, catalog, announced)
    catalog.save()
    return Merged(
        source=source.label,
        sessions=len(theirs),
        added=len((after - before) & theirs),
        parts=len(copied),
        size_bytes=sum(copied.values()),
        conflicts=conflicts,
        live=source.live(),
        problems=tuple(dict.fromkeys((*pass_.problems, *catalog.problems, *problems))),
    )


def check(store: Store, source: Store) -> None:
    """Raise UsageError where two names mean the same store."""
    here, there = store.storage, source.storage
    if here.root is None or there.root is None:
        same = here.label.rstrip("/") == there.label.rstrip("/")
    else:
        same = here.root.exists() and here.root.samefile(there.root)
    if same:
        raise UsageError(
            f"{there.label!r} is the store that is merged into", "name another store to take from"
        )


def offers(source: Store) -> bool:
    """Tell whether a store holds a sealed session that can be read: else nothing is to be made."""
    catalog = Catalog.of(Untouched(source.storage))
    try:
        commits = (catalog.known(part) for part, _ in catalog.live("sessions"))
        return any(set(one.sessions.values()) != {""} for one in commits)
    except MissingError:  # changed this moment, so there was something
        return True


class _Merge:
    """One walk over the source."""

    def __init__(self, store: Store, source: Store) -> None:
        self.problems: list[str] = []
        self.copied: dict[str, int] = {}
        self.announced: set[str] = set()
        self._storage = store.storage
        self._source = Untouched(source.storage)
        self._here = store.catalog()
        self._there = Catalog.of(self._source)
        self.theirs: tuple[str, ...] = ()
        self._wanted: dict[str, set[str]] = {}
        self._handled: set[str] = set()

    def listing(self) -> list[str]:
        """Return the parts that the source has now."""
        fresh = Catalog.of(self._source)
        return [part.path for table in TABLES for part in fresh.parts(table)]

    def run(self) -> None:
        """Copy session by session, so that a merge that is interrupted got somewhere."""
        self.theirs = self._there.sessions()
        self._wanted = self._missing()
        for commit, out in self._there.live("sessions"):
            names = commit.sessions.keys() - out
            if not any(names & wanted for wanted in self._wanted.values()):
                continue
            if not self._readable(commit):
                continue  # without it the other rows would be nobody's
            for table in _DATA:
                for part in self._of(table, names & self._wanted[table]):
                    self._take(part)
            if names & self._wanted["sessions"]:
                self._take(commit)
        self.problems += self._there.problems
        self.problems += (
            f"session {name!r} has two contents in {self._source.label!r}: it was left there"
            for name in self._there.conflicts()
        )

    def _missing(self) -> dict[str, set[str]]:
        """Return the sessions of the source that each table here has no row of, by table.

        All tables lack a session whose content is another one here: both are kept, for a person to
        decide.
        """
        found: dict[str, set[str]] = {table: set() for table in TABLES}
        apart = quarantine.conflicted(self._storage)
        for name in self.theirs:
            if name in apart:
                self.problems.append(
                    f"session {name!r} was left out: two contents of it lie in quarantine/"
                )
                continue
            known = self._here.owner("sessions", name) is not None
            if known and not self._same(name):
                if self._reads_alike(name):
                    continue
                known = False
            for table in TABLES:
                if not known or self._here.owner(table, name) is None:
                    found[table].add(name)
        return found

    def _same(self, name: str) -> bool:
        """Tell whether a session has the same content here and there."""
        here, there = (one.owner("sessions", name) for one in (self._here, self._there))
        if here is not None and there is not None and _file(here) == _file(there):
            return True
        return self._here.content(name) == self._there.content(name)

    def _reads_alike(self, name: str) -> bool:
        """Tell whether two digests are of the same records: format 1 made them another way."""
        owners = (one.owner("sessions", name) for one in (self._here, self._there))
        if not any(part is not None and rewrite.is_old(part.path) for part in owners):
            return False
        problems: list[str] = []
        ours = sessions.sealed(self._storage, self._here, name, problems)
        theirs = sessions.sealed(self._source, self._there, name, problems)
        return ours == theirs and ours is not None and not problems

    def _of(self, table: str, names: Iterable[str]) -> list[Covered]:
        """Return the parts of the source with the rows of these sessions, each once."""
        owners = (self._there.owner(table, name) for name in names)
        return list({part.path: part for part in owners if part is not None}.values())

    def _take(self, part: Covered) -> None:
        """Copy a part, or those of its sessions that are wanted; name it if it is damaged."""
        if part.path in self._handled:
            return
        self._handled.add(part.path)
        try:
            if self._readable(part):
                self._announce()
                self._copy(part)
        except parts.CorruptPartError as corrupt:
            self._refuse(part, corrupt)

    def _announce(self) -> None:
        """Put down what is taken over before the first part comes, and only then."""
        if not self.announced:
            names = set[str]().union(*self._wanted.values())
            self.announced.add(merging.announce(self._storage, self._source.original, names))

    def _readable(self, part: Covered) -> bool:
        """Tell whether a part can be read; name it where it cannot."""
        try:
            parts.read_footer(self._source, part.path)
        except MissingError:
            raise
        except parts.CorruptPartError as corrupt:
            self._refuse(part, corrupt)
        except StoreError as error:  # of a newer version: the others can still be taken over
            self.problems.append(str(error))
        else:
            return True
        return False

    def _refuse(self, part: Covered, why: parts.CorruptPartError) -> None:
        self.problems.append(
            f"{part.path!r} in {self._source.label!r} was not copied because {why}"
        )

    def _copy(self, part: Covered) -> None:
        wanted = {
            name
            for name in part.sessions.keys() & self._wanted[part.table]
            if (one := self._there.owner(part.table, name)) is not None and one.path == part.path
        }
        left_out = part.sessions.keys() - wanted
        if not left_out:
            self._publish(part.path, parts.read_bytes(self._source, part.path))
            return
        made = rewrite.joined([rewrite.piece(self._source, part, left_out)])
        self._publish(parts.path_of(made.footer, made.data), made.data)

    def _publish(self, path: str, data: bytes) -> None:
        """Put a part into the store; one of that name that is damaged makes room for it."""
        with store_lock(self._storage.root):
            if self._storage.publish(path, data):
                self.copied[path] = len(data)
            elif self._storage.read(path) != data:
                reason = "its bytes do not match the digest in its name"
                self.problems.append(quarantine.aside(self._storage, path, reason))
                self._storage.publish(path, data)
                self.copied[path] = len(data)


def _file(part: Covered) -> str:
    return part.path.rpartition("/")[2]
