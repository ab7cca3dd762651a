"""Rows of many parts into one file of format 2, a few thousand at a time.

Rows are copied as Arrow columns and never pass through our records, so that columns and texts of a
newer minor version stay as they are.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec

from harness.errors import StoreError
from results import encoding, layout, migrations, parts, schema
from results.catalog import Covered
from results.schema import Footer
from results.storage import Storage

if TYPE_CHECKING:
    import pyarrow as pa

# As many rows are in memory at once, or as many bytes of them.
_ROWS = 512
_BYTES = 32 * 2**20
# Smaller files are read at once.
_SMALL_BYTES = 2**20

Tables = Callable[[], Iterator["pa.Table"]]


class SpoiltError(parts.CorruptPartError):
    """A corrupt part and its path."""

    def __init__(self, path: str, reason: str) -> None:
        """Keep the path apart from the clause that says why."""
        super().__init__(reason)
        self.path = path


class MixedError(StoreError):
    """Parts that do not go into one file."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One partition of a table: a month in UTC and a device."""

    month: str
    device: str


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """What one part gives to another one: the sessions in `footer`, and only those.

    `tables` reads the rows, in the version of format 2 that `footer` names; `shape` are their
    columns in a file. `path` is the part, None for rows that were worked out.
    """

    footer: Footer
    shape: Any
    tables: Tables
    path: str | None = None


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """A file that takes the place of the first `pieces` of those that it was made of."""

    footer: Footer
    data: bytes
    pieces: int


def writer() -> str:
    """Return what a part says of who wrote it."""
    return f"boardmark {version('boardmark')}"


def piece(
    storage: Storage,
    part: Covered,
    left_out: Collection[str] = (),
    place: Place | None = None,
    sessions: Any | None = None,
) -> Piece:
    """Return what `part` gives without the sessions `left_out`; its digest is checked on reading.

    A part of format 1 needs its `place`, and of another table than `sessions` the row of that table
    for its session. This and reading raise SpoiltError, MissingError, and StoreError where the part
    is of a newer major version.
    """
    with _named(part.path):
        footer, shape = parts.read_shape(storage, part.path)
    if place is not None:
        footer = msgspec.structs.replace(footer, month=place.month, device=place.device)
    kept, _ = parts.divided(footer, left_out)
    old = footer.major < schema.major()

    def tables() -> Iterator[pa.Table]:
        for raw in _read(storage, part.path):
            rows = migrations.upgraded(raw, footer.table, footer, sessions) if old else raw
            yield parts.without(rows, left_out) if left_out else rows

    if old:
        kept = msgspec.structs.replace(kept, version=schema.VERSION)
        shape = schema.schema(footer.table)
    return Piece(footer=kept, shape=shape, tables=tables, path=part.path)


def worked_out(footer: Footer, tables: Tables) -> Piece:
    """Return rows in the logical schema, which are in no part yet, as a piece."""

    return Piece(footer=footer, shape=schema.schema(footer.table), tables=tables)


def joined(pieces: Sequence[Piece], limit_bytes: int | None = None) -> Joined:
    """Return one file of the first `pieces`: of all, or until it has `limit_bytes`.

    MixedError where columns that this version does not know have two types.
    """
    taken = list(pieces)
    while True:
        footer = schema.joined([one.footer for one in taken], writer())
        file = _File(footer, _common(taken, footer.table), min(_BYTES, limit_bytes or _BYTES))
        count = 0
        for one in taken:
            for rows in one.tables():
                file.add(rows, one.footer)
            count += 1
            if limit_bytes is not None and file.size_bytes >= limit_bytes:
                break
        if count == len(taken):
            return Joined(footer=footer, data=file.finish(), pieces=count)
        # the footer comes first in the file and has named too many sessions
        taken = taken[:count]


class _File:
    """A parquet file in memory, written a row group at a time."""

    def __init__(self, footer: Footer, shape: pa.Schema, group_bytes: int) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._shape = shape.with_metadata(schema.metadata(footer))
        self._footer = footer
        self._group = parts.ROW_GROUP[footer.table]
        self._group_bytes = group_bytes
        self._sink = pa.BufferOutputStream()
        how = encoding.options(footer.table, shape.names)
        self._writer = pq.ParquetWriter(self._sink, self._shape, **how)
        self._held: list[tuple[str, pa.Table]] = []
        self._rows = self._bytes = 0

    @property
    def size_bytes(self) -> int:
        """Return what was written so far."""
        return int(self._sink.tell())

    def add(self, rows: pa.Table, footer: Footer) -> None:
        """Take rows of the version that `footer` names; those that make a row group are written."""
        self._held.append((footer.version, rows))
        self._rows += len(rows)
        self._bytes += rows.nbytes
        if self._rows >= self._group or self._bytes >= self._group_bytes:
            self._write()

    def finish(self) -> bytes:
        """Return the whole file."""
        self._write()
        self._writer.close()
        data: bytes = self._sink.getvalue().to_pybytes()
        return data

    def _write(self) -> None:
        """Write a row group; rows of one version are brought to today's columns together."""
        import pyarrow as pa

        if not self._held:
            return
        found = [self._shape.empty_table()]
        for version_, held in itertools.groupby(self._held, key=lambda one: one[0]):
            raw = pa.concat_tables([rows for _, rows in held], promote_options="default")
            footer = msgspec.structs.replace(self._footer, version=version_)
            found.append(migrations.for_file(migrations.upgraded(raw, footer.table, footer)))
        rows = pa.concat_tables(found, promote_options="default").select(self._shape.names)
        if len(self._footer.sessions) > 1:
            rows = rows.sort_by("session_id")
        self._writer.write_table(rows.cast(self._shape), row_group_size=self._group)
        self._held, self._rows, self._bytes = [], 0, 0


def rows(storage: Storage, part: Covered, session_id: str) -> pa.Table:
    """Return the rows of one session of a part, in the logical schema; errors as of `piece`."""
    with _named(part.path):
        return parts.read_table(storage, part.path, session_id=session_id)


def place_of(storage: Storage, part: Covered, session_id: str) -> Place:
    """Return the partition that a session of a part in `sessions` belongs to; errors as of `piece`.

    A part of format 1 tells it in its row.
    """
    if part.device is not None:
        return Place(month=part.month, device=part.device)
    (row,) = rows(storage, part, session_id).select(["month", "device"]).to_pylist()
    return Place(month=row["month"] or part.month, device=row["device"] or "")


def is_old(path: str) -> bool:
    """Tell whether the part at `path` is of format 1."""
    found = layout.parse(path)
    return found is not None and found.format == 1


def publish(storage: Storage, made: Joined) -> str:
    """Put a file that was made of pieces into the store and return its path."""
    return parts.publish(storage, made.footer, made.data)


@contextlib.contextmanager
def _named(path: str) -> Iterator[None]:
    """Say which part it is that the block finds corrupt."""
    import pyarrow as pa

    try:
        yield
    except parts.CorruptPartError as corrupt:
        raise SpoiltError(path, str(corrupt)) from corrupt
    except pa.ArrowException as error:
        raise SpoiltError(path, f"it is not readable as parquet: {error}") from error


def _read(storage: Storage, path: str) -> Iterator[pa.Table]:
    """Yield the rows of a part as they lie in it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _named(path):
        data = parts.read_bytes(storage, path)
        file = pq.ParquetFile(pa.BufferReader(data))
        if len(data) < _SMALL_BYTES:
            batches = iter([file.read(use_threads=False)])
        else:
            found = file.iter_batches(_ROWS, use_threads=False)
            batches = (pa.Table.from_batches([batch]) for batch in found)
    while True:
        with _named(path):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def _common(pieces: Sequence[Piece], table: str) -> pa.Schema:
    """Return the columns of a file of `table` with all of these pieces: ours, then unknown ones."""
    import pyarrow as pa

    distinct = list(dict.fromkeys([schema.schema(table), *(one.shape for one in pieces)]))
    try:
        return pa.unify_schemas(distinct)
    except pa.ArrowException as error:
        raise MixedError(
            f"parts of {table!r} do not fit together: {error}",
            "upgrade boardmark: a newer version wrote them",
        ) from error
