"""The five tables of a store as views of DuckDB: one road for a directory and a bucket.

Sealed parts are read through an Arrow dataset, so that a question opens only the files of its
months and devices and takes only its columns out of them. What is not a part of format 2 stands
beside them in memory: sessions that are not sealed, and those of format 1. Each session is there
once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness.errors import StoreError
from results import engine, layout, parts, quarantine, scan, schema, sessions, tables
from results.catalog import Covered
from results.storage import MissingError

if TYPE_CHECKING:
    import pyarrow as pa

    from results.store import Store

_TRIES = 20
_CONTESTED = "part"


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Which parts can matter: of one device, of months from `first` to `last`, of some sessions."""

    device: str | None = None
    first: str | None = None
    last: str | None = None
    sessions: frozenset[str] | None = None

    def holds(self, part: Covered) -> bool:
        """Tell whether a part of format 2 can hold what is asked for."""
        return (
            part.device is not None
            and self.device in (None, part.device)
            and (self.first is None or self.first <= part.month)
            and (self.last is None or part.month <= self.last)
            and (self.sessions is None or not self.sessions.isdisjoint(part.sessions))
        )


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: `text` is SQL in which $name stands for one of `values`.

    `table` is the one it reads, if it is known beforehand.
    """

    text: str
    table: str | None = None
    scope: Scope = Scope()
    values: Mapping[str, Any] = {}

    @property
    def tables(self) -> list[str]:
        """Return the tables that it may read: those whose names it has where nobody told it."""
        if self.table is not None:
            return [self.table]
        words = set(re.findall(r"\w+", self.text.lower()))
        return [table for table in schema.TABLES if table in words]


class Views:
    """The tables of one store; `problems` are sentences about what could not be read."""

    def __init__(self, store: Store) -> None:
        """Name the store; nothing is read yet."""
        self.problems: list[str] = []
        self.catalog = store.catalog()
        self._store = store
        self._beside: dict[str, dict[str, pa.Table]] = {}
        self._unreadable: set[str] = set()
        self._named: set[str] = set()
        self._suspected: set[tuple[str, str]] = set()

    def answer(self, question: Question) -> pa.Table:
        """Return the answer of DuckDB.

        A part that turns out corrupt goes to quarantine, one that was compacted or pruned meanwhile
        is looked up anew, and the question is asked again. UnansweredError where that is not why it
        fails.
        """
        import duckdb
        import pyarrow as pa

        # a question of a user's could have files read that are none of the store's views
        root = self._store.storage.root if question.table is not None else None
        root = root if scan.readable(root) else None
        for _ in range(_TRIES):
            read: list[Covered] = []
            with engine.connected(root and root.absolute() / layout.PARTS) as connection:
                try:
                    engine.check(connection, question.text)
                    for table in question.tables:
                        read += self._define(connection, table, question.scope, root)
                    answer = engine.ask(connection, question.text, question.values)
                except MissingError:
                    self.catalog.forget()
                except scan.RottenError as rotten:
                    if not self._broken([rotten.part], rotten):
                        root = None
                except (duckdb.Error, pa.ArrowException, OSError) as error:
                    if root is not None:
                        root = None  # Arrow tells what is wrong, or reads what DuckDB does not
                    elif not self._broken(read, error):
                        told = str(error).strip().partition("\n")[0]
                        raise engine.UnansweredError(told) from error
                else:
                    self.catalog.save()
                    return answer
        raise StoreError(
            f"the parts of {self._store.label!r} change faster than they can be read",
            "wait until whoever compacts or prunes it is done",
        )

    def _define(
        self, connection: Any, table: str, scope: Scope, root: Path | None
    ) -> list[Covered]:
        """Define the view of one table; return the parts that it reads.

        With a `root` DuckDB reads them from there by itself, else Arrow does.
        """
        import pyarrow as pa

        beside = self._outside(table)
        chosen = self._chosen(table, scope)
        plain = [part for part, out in chosen if not out]
        contested = [(part, out) for part, out in chosen if out]
        queries = []
        if plain and root is not None:
            scan.check(root, self.catalog, plain)
            queries.append(scan.relation(root, table, plain))
        elif plain:
            connection.register(f"{table}_parts", self._dataset(table, plain))
            queries.append(f"FROM {table}_parts")
        if contested:
            connection.register(f"{table}_contested", self._dataset(table, contested, True))
            connection.register(f"{table}_out", _left_out(contested))
            queries.append(
                f"SELECT * EXCLUDE ({_CONTESTED}) FROM {table}_contested"
                f" ANTI JOIN {table}_out USING ({_CONTESTED}, session_id)"
            )
        if beside or not queries:
            empty = schema.logical(table).empty_table()
            connection.register(f"{table}_beside", pa.concat_tables([empty, *beside]))
            queries.append(f"FROM {table}_beside")
        connection.execute(f"CREATE TEMP VIEW {table} AS {' UNION ALL '.join(queries)}")
        return [part for part, _ in chosen]

    def _chosen(self, table: str, scope: Scope) -> list[tuple[Covered, frozenset[str]]]:
        """Return the sound parts in scope, each with the sessions that do not count in it."""
        while True:
            chosen = []
            for part in self.catalog.parts(table):
                if scope.holds(part) and part.path not in self._unreadable:
                    out = frozenset(name for name in part.sessions if not self._counts(part, name))
                    if len(out) < len(part.sessions):
                        chosen.append((part, out))
            good, problems = self.catalog.sound(part for part, _ in chosen)
            sound = {part.path for part in good}
            self._named.update(
                name for part, _ in chosen if part.path not in sound for name in part.sessions
            )
            found = [(part, out) for part, out in chosen if part.path in sound]
            if not self.tell([*self.catalog.problems, *problems]):
                lacking = {(table, name) for name in self._lacking(table, scope, found)}
                if lacking <= self._suspected:
                    self.tell(
                        sessions.absent(self._store.storage, table, name)
                        for _, name in sorted(lacking)
                    )
                    return found
                # pruned, perhaps, after its row in `sessions` was listed
                self._suspected |= lacking
            self.catalog.forget()

    def _lacking(self, table: str, scope: Scope, chosen: Sequence[Any]) -> Iterator[str]:
        """Yield the committed sessions in scope that no part of `table` is there for.

        Those of which a part was named as broken already are not repeated.
        """
        there = {name for part, out in chosen for name in part.sessions.keys() - out}
        there |= self._beside.keys() | self._named
        for part in self.catalog.parts("sessions"):
            if scope.holds(part):
                for name in part.sessions.keys() - there:
                    meant = scope.sessions is None or name in scope.sessions
                    committed = self.catalog.owner("sessions", name) is not None
                    if meant and committed and self.catalog.owner(table, name) is None:
                        yield name

    def _counts(self, part: Covered, session_id: str) -> bool:
        """Tell whether a session is to be read from `part`: not from another one, nor beside."""
        owner = self.catalog.owner(part.table, session_id)
        return owner is not None and owner.path == part.path and session_id not in self._beside

    def _outside(self, table: str) -> list[pa.Table]:
        """Return the rows of the sessions that no part of format 2 holds."""
        catalog = self.catalog
        commits = (part for part in catalog.parts("sessions") if part.device is None)
        old = {name for part in commits for name in part.sessions}.intersection(catalog.sessions())
        for session_id in old.union(self._store.live(catalog)) - self._beside.keys():
            try:
                session = sessions.load(self._store, session_id, catalog)
            except StoreError as error:
                self.tell([str(error)])
                continue
            self.tell(session.problems)
            recorded = tables.Recorded(plan=session.plan, runs=session.runs, notes=session.notes)
            self._beside[session_id] = tables.arrow(recorded)
        return [of_session[table] for of_session in self._beside.values()]

    def _dataset(self, table: str, chosen: Sequence[Any], numbered: bool = False) -> Any:
        """Return parts as one Arrow dataset; their device and month come from their paths.

        With `numbered` each part's place in `chosen` is a column.
        """
        import pyarrow as pa
        from pyarrow import dataset

        filesystem, base = self._store.storage.filesystem()
        shape = schema.logical(table)
        if numbered:
            shape = shape.append(pa.field(_CONTESTED, pa.int64()))
        # a whole part is not wanted in memory before its first row is
        scan = dataset.ParquetFragmentScanOptions(
            pre_buffer=self._store.storage.root is None, page_checksum_verification=True
        )
        parquet = dataset.ParquetFileFormat(default_fragment_scan_options=scan)
        fragments = []
        for number, one in enumerate(chosen):
            part = one[0] if numbered else one
            place = (dataset.field("device") == part.device) & (
                dataset.field("month") == part.month
            )
            if numbered:
                place &= dataset.field(_CONTESTED) == number
            path = f"{base}/{part.path}"
            fragments.append(parquet.make_fragment(path, filesystem, place))
        return dataset.FileSystemDataset(fragments, shape, parquet, filesystem)

    def _broken(self, read: Iterable[Covered], error: Exception) -> bool:
        """Tell whether a part among `read` is corrupt, gone or unreadable: asking again helps then.

        Every byte is checked: what was found right once may have rotted since.
        """
        if engine.is_misput(error):
            return False
        broken = False
        for part in read:
            try:
                parts.read_bytes(self._store.storage, part.path)
            except parts.CorruptPartError as corrupt:
                aside = quarantine.aside(self._store.storage, part.path, str(corrupt))
                self.tell([aside])
                self._named.update(part.sessions)
                self.catalog.distrust(part)
            except MissingError:
                pass
            except StoreError as unreadable:
                self.tell([str(unreadable)])
                self._unreadable.add(part.path)
            else:
                continue
            self.catalog.forget()
            broken = True
        return broken

    def tell(self, problems: Iterable[str]) -> bool:
        """Keep sentences, each once; tell whether any is new."""
        new = [one for one in dict.fromkeys(problems) if one not in self.problems]
        self.problems += new
        return bool(new)


def _left_out(contested: Sequence[tuple[Covered, frozenset[str]]]) -> pa.Table:
    """Return the sessions that do not count in which part."""
    import pyarrow as pa

    pairs = [(number, name) for number, (_, out) in enumerate(contested) for name in sorted(out)]
    return pa.table(
        {
            _CONTESTED: pa.array([number for number, _ in pairs], pa.int64()),
            "session_id": pa.array([name for _, name in pairs], pa.string()),
        }
    )
