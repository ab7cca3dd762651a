"""Rows of cases to files that other programs read: CSV, JSON, parquet, in base units."""

from __future__ import annotations

import csv
import io
import types
import typing
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.types import Json
from harness.whole_file import write_whole
from results.durable import translated
from results.row import CaseRow

COLUMNS = CaseRow.__struct_fields__

# a spreadsheet takes a cell that begins like this for a formula and runs it
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def to_json(rows: Sequence[CaseRow]) -> str:
    """Return a JSON array with one object per case; what is unknown or not finite is null."""
    return msgspec.json.format(msgspec.json.encode(rows), indent=2).decode() + "\n"


def to_csv(rows: Iterable[CaseRow]) -> str:
    """Return RFC 4180 text: unknown is empty, notes are joined by "; ", objects are JSON.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    return _csv(COLUMNS, ([getattr(row, name) for name in COLUMNS] for row in rows))


def table_to_csv(table: Any) -> str:
    """Return a pyarrow table as the same kind of text."""
    columns = [table[name].to_pylist() for name in table.column_names]
    return _csv(table.column_names, zip(*columns, strict=True))


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def write_parquet(rows: Iterable[CaseRow], path: Path) -> None:
    """Write one parquet row per case to `path`, replacing it; evidence and counts are JSON text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist([_record(row) for row in rows], schema=_arrow_schema())
    packed = io.BytesIO()
    pq.write_table(table, packed, compression="zstd")
    with translated("write", path):
        write_whole(path, packed.getvalue())


def _cell(value: Any) -> Any:
    """Return a value as a cell of a text file."""
    if isinstance(value, dict):
        return msgspec.json.encode(value).decode() if value else ""
    if isinstance(value, list):
        return msgspec.json.encode(value).decode()
    if isinstance(value, tuple):
        value = "; ".join(value)
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value


def _record(row: CaseRow) -> Json:
    """Return a row as a dict that fits the parquet columns."""
    record: Json = msgspec.to_builtins(row)
    return {
        name: _cell(value) or None if isinstance(value, dict) else value
        for name, value in record.items()
    }


def _arrow_schema() -> Any:
    """Return the parquet columns that belong to the fields of a row."""
    import pyarrow as pa

    columns = {int: pa.int64(), float: pa.float64(), tuple: pa.list_(pa.string())}
    kinds = {name: _kind(hint) for name, hint in typing.get_type_hints(CaseRow).items()}
    return pa.schema([(name, columns.get(kinds[name], pa.string())) for name in COLUMNS])


def _kind(hint: Any) -> Any:
    """Return the plain type behind a field's annotation: float for `float | None`."""
    if isinstance(hint, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    return typing.get_origin(hint) or hint
