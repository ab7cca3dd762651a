"""Which parts a store has, which sessions they cover, and which of them count.

A session is committed when a part of `sessions` covers it; its other rows are in the parts of the
other tables that cover it with the same content. Merging and compacting publish before they remove,
so that one session may be covered twice for a while: with the same content the first part counts,
compact ones before single ones; the others are shadowed. Of two contents neither is read: a
conflict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import msgspec

from harness.errors import StoreError
from results import layout, parts, quarantine
from results.index import Index
from results.layout import PARTS
from results.listing import entries
from results.schema import TABLES
from results.storage import Entry, MissingError, Storage

_TRIES = 20

T = TypeVar("T")


class Covered(msgspec.Struct, frozen=True, kw_only=True):
    """One part and the sessions it covers, each with the digest of its content.

    A digest is None where nobody had to look into the file yet (see `Catalog.known`). `device` is
    None in format 1.
    """

    path: str
    table: str
    month: str
    device: str | None
    size_bytes: int
    mtime_ns: int
    sessions: dict[str, str | None]

    @property
    def rank(self) -> tuple[bool, str]:
        """Return what decides which of two parts with the same session counts: the lesser."""
        name = self.path.rpartition("/")[2]
        return not name.startswith(layout.COMPACT), name

    @property
    def entry(self) -> Entry:
        """Return the file as it was listed."""
        return Entry(path=self.path, size_bytes=self.size_bytes, mtime_ns=self.mtime_ns)


class Catalog:
    """The parts of a store as they lay there when each table was first asked for."""

    def __init__(self, storage: Storage) -> None:
        """Name the store; nothing is read yet."""
        self.problems: list[str] = []
        self._storage = storage
        self._footers: Index[dict[str, str]] = Index(storage, "footers", dict[str, str])
        self._checked: Index[bool] = Index(storage, "checked", bool)
        self._distrusted: set[str] = set()
        self._seen: set[Entry] = set()
        self.forget()

    @classmethod
    def of(cls, storage: Storage) -> Catalog:
        """Return the catalog of a store."""
        return cls(storage)

    def forget(self) -> None:
        """List everything anew at the next question."""
        self._parts: dict[str, tuple[Covered, ...]] = {}
        self._claims: dict[str, dict[str, list[Covered]]] = {}
        self._paths: dict[str, set[str]] = {}
        self._ruled: tuple[dict[str, Covered], dict[str, tuple[str, ...]]] | None = None

    def distrust(self, part: Covered) -> None:
        """Leave a part out that was found corrupt, wherever it lies now, and list anew."""
        self._distrusted.add(part.path)
        self.forget()

    def parts(self, table: str) -> tuple[Covered, ...]:
        """Return every part of `table` by path, those that do not count too."""
        if table not in self._parts:
            self._parts[table] = self._walk(table)
        return self._parts[table]

    def claims(self, table: str, session_id: str) -> Sequence[Covered]:
        """Return every part of `table` that covers a session, those that do not count too."""
        return self._by_session(table).get(session_id, ())

    def sessions(self) -> tuple[str, ...]:
        """Return the committed sessions without conflict, oldest first."""
        return tuple(sorted(self._ruling()[0]))

    def conflicts(self) -> dict[str, tuple[str, ...]]:
        """Return the sessions that have two contents, and the parts of `sessions` that say so.

        A session of which quarantine holds two contents is one as long as any such part covers it.
        """
        return self._ruling()[1]

    def content(self, session_id: str) -> str | None:
        """Return the digest of a committed session's content, None where it is not committed."""
        owner = self.owner("sessions", session_id)
        return None if owner is None else self.known(owner).sessions[session_id]

    def owner(self, table: str, session_id: str) -> Covered | None:
        """Return the part of `table` that counts for a session, None where there is none."""
        commit = self._ruling()[0].get(session_id)
        if table == "sessions" or commit is None:
            return commit
        claims = self.claims(table, session_id)
        if len(claims) > 1:
            content = self.content(session_id)
            claims = [one for one in map(self.known, claims) if one.sessions[session_id] == content]
        ours = commit.sessions[session_id]
        fit = [one for one in claims if _agree(one.sessions[session_id], ours)]
        return min(fit, key=lambda one: one.rank, default=None)

    def of_session(self, session_id: str) -> tuple[str, ...]:
        """Return the paths of the parts that count for a session, in the order of TABLES."""
        return tuple(part.path for table in TABLES if (part := self.owner(table, session_id)))

    def live(self, table: str) -> list[tuple[Covered, frozenset[str]]]:
        """Return the parts of `table` that readers read, each with the sessions to leave out.

        Left out are shadowed, uncommitted and conflicting sessions; a part that would have none
        left is not listed.
        """
        found = []
        for part in self.parts(table):
            out = frozenset(name for name in part.sessions if not self._counts(part, name))
            if len(out) < len(part.sessions):
                found.append((part, out))
        return found

    def known(self, part: Covered) -> Covered:
        """Return `part` with the content of every session; read from its footer if need be.

        A part whose footer cannot be read covers its sessions with the content "".
        """
        if None not in part.sessions.values():
            return part
        sessions = self._footer(part.entry) or dict.fromkeys(part.sessions, "")
        return msgspec.structs.replace(part, sessions=dict(sessions))

    def sound(self, wanted: Iterable[Covered]) -> tuple[list[Covered], list[str]]:
        """Return the parts whose bytes are those that were written, and a sentence for each other.

        Corrupt ones are moved to quarantine. What was right once is remembered by size and time.
        """
        good, problems = [], []
        for part in wanted:
            try:
                if not self.checked(part):
                    parts.check(self._storage, part.path)
                    self.remember(part)
            except parts.CorruptPartError as corrupt:
                problems.append(quarantine.aside(self._storage, part.path, str(corrupt)))
                self.distrust(part)
            except MissingError:
                raise
            except StoreError as error:
                problems.append(str(error))
            else:
                good.append(part)
        return good, problems

    def checked(self, part: Covered) -> bool:
        """Tell whether the digest of `part` was found right and the file is as it was then."""
        return self._checked.get(part.entry) is not None

    def seen(self, part: Covered) -> bool:
        """Tell whether this very catalog found it right: rot does not change a file's time."""
        return part.entry in self._seen

    def remember(self, part: Covered) -> None:
        """Remember that the digest of `part` is right."""
        self._checked.put(part.entry, True)
        self._seen.add(part.entry)

    def save(self) -> None:
        """Write what is remembered beside the parts; silently not where that cannot be done."""
        for index in (self._footers, self._checked):
            index.save(self.lists)

    def lists(self, path: str) -> bool:
        """Tell whether a part is there, as far as its table was listed."""
        table = path.split("/", 2)[1]
        if table not in self._parts:
            return True
        if table not in self._paths:
            self._paths[table] = {part.path for part in self._parts[table]}
        return path in self._paths[table]

    def _walk(self, table: str) -> tuple[Covered, ...]:
        """List the parts of `table`; again where one of them went away meanwhile."""
        folder = f"{PARTS}/{table}"
        found = self._steady(lambda: [self._covered(e) for e in entries(self._storage, folder)])
        return tuple(part for part in found if part is not None)

    def _steady(self, ask: Callable[[], T]) -> T:
        """Return an answer during which no part went away; list anew after each that did."""
        for _ in range(_TRIES):
            try:
                return ask()
            except MissingError:
                self.forget()
        raise StoreError(
            f"the parts of {self._storage.label!r} change faster than they can be listed",
            "wait until whoever compacts or prunes it is done",
        )

    def _covered(self, entry: Entry) -> Covered | None:
        """Return what a file covers, None where it is no part or cannot tell."""
        part = layout.parse(entry.path)
        if part is None or part.table not in TABLES or entry.path in self._distrusted:
            return None
        alone = part.session_id
        sessions: dict[str, str | None] | None = {alone: None} if alone else None
        if known := self._footers.get(entry):
            sessions = dict(known)
        elif sessions is None:
            found = self._footer(entry)
            sessions = None if found is None else dict(found)
        if sessions is None:
            return None
        return Covered(
            path=entry.path,
            table=part.table,
            month=part.month,
            device=part.device,
            size_bytes=entry.size_bytes,
            mtime_ns=entry.mtime_ns,
            sessions=sessions,
        )

    def _footer(self, entry: Entry) -> dict[str, str] | None:
        """Return the sessions in a part's footer; what is wrong with it becomes a problem."""
        if known := self._footers.get(entry):
            return known
        try:
            sessions = parts.read_footer(self._storage, entry.path).sessions
        except parts.CorruptPartError as corrupt:
            self.problems.append(quarantine.aside(self._storage, entry.path, str(corrupt)))
            self._distrusted.add(entry.path)
        except MissingError:
            raise
        except StoreError as error:
            self.problems.append(str(error))
        else:
            self._footers.put(entry, sessions)
            self._checked.put(entry, True)
            self._seen.add(entry)
            return sessions
        return None

    def _by_session(self, table: str) -> dict[str, list[Covered]]:
        if table not in self._claims:
            claims: dict[str, list[Covered]] = {}
            for part in self.parts(table):
                for session_id in part.sessions:
                    claims.setdefault(session_id, []).append(part)
            self._claims[table] = claims
        return self._claims[table]

    def _ruling(self) -> tuple[dict[str, Covered], dict[str, tuple[str, ...]]]:
        """Return the part that commits each session, and the conflicts."""
        if self._ruled is None:
            self._ruled = self._steady(self._decided)
        return self._ruled

    def _decided(self) -> tuple[dict[str, Covered], dict[str, tuple[str, ...]]]:
        owners, conflicts = {}, {}
        stay_out = quarantine.conflicted(self._storage)
        for session_id, claims in self._by_session("sessions").items():
            told = claims
            if len(claims) > 1:
                told = [part for part in map(self.known, claims) if part.sessions[session_id]]
            contents = {part.sessions[session_id] for part in told}
            if len(contents) > 1 or session_id in stay_out:
                conflicts[session_id] = tuple(part.path for part in claims)
            elif told:
                owners[session_id] = min(told, key=lambda part: part.rank)
        return owners, conflicts

    def _counts(self, part: Covered, session_id: str) -> bool:
        owner = self.owner(part.table, session_id)
        return owner is not None and owner.path == part.path


def _agree(one: str | None, other: str | None) -> bool:
    """Tell whether two digests, as far as they are known, can be of the same content."""
    return one is None or other is None or one == other
