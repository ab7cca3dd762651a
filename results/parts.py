"""Parquet parts: immutable files whose name carries the digest of their own bytes.

So a reader notices any flipped byte, writing the same part again changes nothing, and merging two
stores is copying the files that are not there yet. The footer says which sessions a part covers,
with the digest of each one's content.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from harness.errors import StoreError
from harness.types import Json
from results import encoding, layout, migrations, schema
from results.layout import Part
from results.schema import Footer
from results.storage import Storage

if TYPE_CHECKING:
    import pyarrow as pa

# Rows that are read together: one session of a compact part is found without reading the rest.
ROW_GROUP = {"sessions": 64, "environments": 1024, "runs": 8192, "samples": 2048, "probes": 8192}


class CorruptPartError(Exception):
    """A part that is not what it was when it was written; the message is a clause that says why."""


def encode(data: pa.Table | Sequence[Json], footer: Footer) -> bytes:
    """Return a parquet file of format 2 with the rows of one month and device.

    Rows are sorted by session, so that one is found quickly; keys that a row lacks are null, and
    columns that this version does not know are kept.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if not isinstance(data, pa.Table):
            data = pa.Table.from_pylist(list(data), schema=schema.schema(footer.table))
        data = migrations.for_file(data).replace_schema_metadata(schema.metadata(footer))
        if len(footer.sessions) > 1:
            data = data.sort_by("session_id")
        sink = pa.BufferOutputStream()
        how = encoding.options(footer.table, data.column_names)
        pq.write_table(data, sink, row_group_size=ROW_GROUP[footer.table], **how)
    except (pa.ArrowException, OverflowError) as error:
        raise StoreError(
            f"a value does not fit its column of {footer.table!r}: {error}",
            "the journal is kept; report this with the journal attached",
        ) from error
    encoded: bytes = sink.getvalue().to_pybytes()
    return encoded


def path_of(footer: Footer, data: bytes) -> str:
    """Return where a part with this footer and content lies."""
    name = layout.name_of(footer.sessions, data)
    part = Part(table=footer.table, month=footer.month or "", device=footer.device, name=name)
    return part.path


def publish(storage: Storage, footer: Footer, data: bytes) -> str:
    """Put an encoded part into the store and return its path; the same again changes nothing.

    StoreError where it does not read back as it was written.
    """
    path = path_of(footer, data)
    storage.publish(path, data)
    if storage.read(path) != data:
        raise StoreError(f"{path!r} does not read back as it was written", "check the disk")
    return path


def read_bytes(storage: Storage, path: str) -> bytes:
    """Return a part's bytes as they were written; CorruptPartError, MissingError, StoreError."""
    data = storage.read(path)
    part = layout.parse(path)
    if part is None or layout.digest_of(data) != part.digest:
        raise CorruptPartError("its bytes do not match the digest in its name")
    return data


def check(storage: Storage, path: str) -> None:
    """Read all of a part; raises what `read_table` would, but does not look at its rows."""
    read_shape(storage, path)


def read_footer(storage: Storage, path: str) -> Footer:
    """Return what a part says of itself.

    Its digest is checked: Arrow may end the whole process over a damaged footer. Raises
    CorruptPartError, MissingError, and StoreError for a part of a newer major version.
    """
    return read_shape(storage, path)[0]


def read_shape(storage: Storage, path: str) -> tuple[Footer, pa.Schema]:
    """Return what `read_footer` does, and the columns as they lie in the file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = read_bytes(storage, path)
    try:
        shape = pq.read_schema(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        raise CorruptPartError(f"it is not readable as parquet: {error}") from error
    return _footer(shape.metadata, path), shape.remove_metadata()


def footer_of(data: bytes, path: str) -> Footer:
    """Return what `read_footer` does, of bytes that were read and checked."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(pa.BufferReader(data)).metadata
    except (pa.ArrowException, OSError) as error:
        raise CorruptPartError(f"it is not readable as parquet: {error}") from error
    return _footer(metadata, path)


def read_table(
    storage: Storage,
    path: str,
    columns: Sequence[str] | None = None,
    session_id: str | None = None,
    checked: bool = False,
) -> pa.Table:
    """Return the rows of a part in today's columns, `device` and `month` among them.

    `columns` and `session_id` restrict what is returned. The digest is checked, unless it is known
    to be right (`checked`): then only what is asked for is read. Raises CorruptPartError,
    MissingError, and StoreError for a part of a newer major version.
    """
    import pyarrow as pa

    if not checked:
        return decode(read_bytes(storage, path), path, columns, session_id)
    filesystem, base = storage.filesystem()
    try:
        with filesystem.open_input_file(f"{base}/{path}") as source:
            return _decode(source, path, columns, session_id)
    except (pa.ArrowException, OSError) as error:
        storage.read(path)
        raise CorruptPartError(f"it is not readable as parquet: {error}") from error


def decode(
    data: bytes, path: str, columns: Sequence[str] | None = None, session_id: str | None = None
) -> pa.Table:
    """Return the rows of a part's bytes, as read_table does."""
    import pyarrow as pa

    try:
        return _decode(pa.BufferReader(data), path, columns, session_id)
    except (pa.ArrowException, OSError) as error:
        raise CorruptPartError(f"it is not readable as parquet: {error}") from error


def rows(table: pa.Table) -> list[Json]:
    """Return the rows of a table as dicts; CorruptPartError where a text is none."""
    import pyarrow as pa

    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        numbers = pa.types.is_list(column.type) and not pa.types.is_string(column.type.value_type)
        try:
            columns[name] = _lists(column) if numbers else column.to_pylist()
        except UnicodeDecodeError as error:
            raise CorruptPartError(f"its column {name!r} is not UTF-8") from error
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def _lists(column: pa.ChunkedArray) -> list[list[Any] | None]:
    """Return a column of lists of numbers; a thousand times faster than value by value."""
    found: list[list[Any] | None] = []
    for chunk in column.chunks:
        if chunk.values.null_count:
            found += chunk.to_pylist()
            continue
        values, ends = chunk.values.to_numpy(), chunk.offsets.to_numpy()
        for number, valid in enumerate(chunk.is_valid().to_pylist()):
            found.append(values[ends[number] : ends[number + 1]].tolist() if valid else None)
    return found


def divided(footer: Footer, session_ids: Collection[str]) -> tuple[Footer, Footer]:
    """Return the footers of a part without these sessions, and of one with only them."""
    held = footer.sessions
    footer = msgspec.structs.replace(footer, listing=None)
    others = {name: held[name] for name in held if name not in session_ids}
    alone = {name: held[name] for name in held if name in session_ids}
    return (
        msgspec.structs.replace(footer, sessions=others),
        msgspec.structs.replace(footer, sessions=alone),
    )


def without(table: pa.Table, session_ids: Collection[str]) -> pa.Table:
    """Return the rows of all other sessions."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return table.filter(pc.invert(_is_in(table, pa.array(session_ids, pa.string()))))


def only(table: pa.Table, session_ids: Collection[str]) -> pa.Table:
    """Return the rows of these sessions."""
    import pyarrow as pa

    return table.filter(_is_in(table, pa.array(session_ids, pa.string())))


def _is_in(table: pa.Table, session_ids: Any) -> Any:
    import pyarrow.compute as pc

    return pc.is_in(table["session_id"], value_set=session_ids)


def _decode(
    source: Any, path: str, columns: Sequence[str] | None, session_id: str | None
) -> pa.Table:
    """Read what is asked for out of an open file and bring it to today's columns."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(source)
    shape = file.schema_arrow
    footer = _footer(shape.metadata, path)
    wanted = None if columns is None else {*columns, "session_id"}
    whole = wanted is None or footer.major < schema.major()
    stored = None if whole else [name for name in shape.names if name in (wanted or ())]
    groups = list(range(file.num_row_groups))
    if session_id is not None and "session_id" in shape.names:
        at = shape.names.index("session_id")
        groups = [n for n in groups if _may_hold(file.metadata.row_group(n), at, session_id)]
    read = file.read_row_groups(groups, columns=stored, use_threads=False)
    table = migrations.upgraded(read, footer.table, footer, columns=wanted)
    if session_id is not None:
        table = only(table, [session_id])
    return table if columns is None else table.select(list(columns))


def _may_hold(group: Any, column: int, session_id: str) -> bool:
    """Tell whether a row group may hold rows of a session, by its statistics."""
    known = group.column(column).statistics
    if known is None or not known.has_min_max or not isinstance(known.min, str):
        return True
    return bool(known.min <= session_id <= known.max)


def _footer(metadata: dict[bytes, bytes] | None, path: str) -> Footer:
    """Return what a part says of itself, checked against the place it lies in."""
    try:
        footer = schema.footer(metadata)
    except schema.FooterError as error:
        raise CorruptPartError(str(error)) from error
    part = layout.parse(path)
    if footer.major > schema.major():
        raise StoreError(
            f"{path!r} has schema version {footer.version} and this boardmark reads up to "
            f"{schema.VERSION}",
            "upgrade boardmark",
        )
    if part is None or footer.table != part.table:
        raise CorruptPartError(f"it says it is a part of {footer.table!r}")
    if footer.major == 1:
        footer = msgspec.structs.replace(
            footer, sessions={part.session_id or "": footer.content or ""}, month=part.month
        )
    if part.session_id is not None and list(footer.sessions) != [part.session_id]:
        raise CorruptPartError("it covers other sessions than its name says")
    return footer
