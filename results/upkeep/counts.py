"""What one part holds of each session, as far as a check of the whole store needs it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from results import migrations, parts, schema
from results.schema import Footer
from results.storage import Storage

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 4096
# The columns that are looked at, by table; of the others only their names and types.
_COLUMNS = {
    "sessions": ("session_id", "runs", "skipped"),
    "environments": ("session_id",),
    "runs": ("session_id", "run_id", "samples"),
    "samples": ("session_id", "metric", "values"),
    "probes": ("session_id",),
}


class Counts(msgspec.Struct, kw_only=True):
    """Rows of one session in one part: `runs` have a run_id, `skipped` have none.

    `samples` are durations of timed calls. In `sessions` they are what the row says there are.
    """

    rows: int = 0
    runs: int = 0
    skipped: int = 0
    samples: int = 0
    repeated: int = 0


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a part says it covers, and what it holds, by session."""

    footer: Footer
    held: dict[str, Counts]


def facts(storage: Storage, path: str) -> Facts:
    """Return what the part at `path` holds; the digest of its bytes is checked.

    Raises CorruptPartError, also for columns that are not those of its version, MissingError, and
    StoreError for a newer major version.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = parts.read_bytes(storage, path)
    footer = parts.read_footer(storage, path)
    held: dict[str, Counts] = {name: Counts() for name in footer.sessions}
    seen: set[str] = set()
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        _check_columns(file.schema_arrow, footer)
        for rows in _batches(file, footer):
            _count(rows, footer.table, held, seen)
    except (pa.ArrowException, OSError) as error:
        raise parts.CorruptPartError(f"it is not readable as parquet: {error}") from error
    if len(held) > len(footer.sessions):
        raise parts.CorruptPartError("it holds rows of sessions that it does not name")
    return Facts(footer=footer, held=held)


def _check_columns(found: pa.Schema, footer: Footer) -> None:
    """Raise CorruptPartError where a column of format 2 is missing or of another type."""
    if footer.major < schema.major():
        return
    for field in schema.schema(footer.table):
        if field.name not in found.names:
            raise parts.CorruptPartError(f"it has no column {field.name!r}")
        if found.field(field.name).type != field.type:
            raise parts.CorruptPartError(
                f"its column {field.name!r} is {found.field(field.name).type}, not {field.type}"
            )


def _batches(file: Any, footer: Footer) -> Iterator[pa.Table]:
    """Yield the columns that are looked at, a few thousand rows at a time."""
    import pyarrow as pa

    old = footer.major < schema.major()
    wanted = None if old else list(_COLUMNS[footer.table])
    for batch in file.iter_batches(_ROWS, columns=wanted, use_threads=False):
        rows = pa.Table.from_batches([batch])
        yield migrations.upgraded(rows, footer.table, footer) if old else rows


def _count(rows: pa.Table, table: str, held: dict[str, Counts], seen: set[str]) -> None:
    """Add rows to the counts of their sessions."""
    import pyarrow.compute as pc

    names = rows["session_id"].to_pylist()
    for name in names:
        held.setdefault(name, Counts()).rows += 1
    if table == "sessions":
        said = zip(names, rows["runs"].to_pylist(), rows["skipped"].to_pylist(), strict=True)
        for name, runs, skipped in said:
            held[name].runs += runs
            held[name].skipped += skipped
    elif table == "runs":
        ids, samples = rows["run_id"].to_pylist(), rows["samples"].to_pylist()
        for name, run_id, number in zip(names, ids, samples, strict=True):
            count = held[name]
            if run_id is None:
                count.skipped += 1
                continue
            count.runs += 1
            count.samples += number or 0
            count.repeated += run_id in seen
            seen.add(run_id)
    elif table == "samples":
        metrics, lengths = rows["metric"].to_pylist(), pc.list_value_length(rows["values"])
        for name, metric, length in zip(names, metrics, lengths.to_pylist(), strict=True):
            if metric == "latency":
                held[name].samples += length or 0
