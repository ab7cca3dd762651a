"""DuckDB in memory: it answers one question, opens no file by itself, and ends with Ctrl-C."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_READING = ("SELECT", "EXPLAIN", "MULTI")  # PIVOT is more than one statement inside
_INTERRUPT_S = 0.05


class UnansweredError(Exception):
    """DuckDB cannot answer, although every part it read is sound; the message is one line."""


@contextlib.contextmanager
def connected(readable: Path | None = None) -> Iterator[Any]:
    """Give a database in memory that knows no names but its own, and no files or network.

    With `readable` it may open files below that directory: for questions of ours, not of users.

    What does not fit into memory goes to the machine's folder for that: left alone, DuckDB would
    put it where one happens to be. The folder is a new one because DuckDB lets a question read it.
    """
    import duckdb

    spill = Path(tempfile.gettempdir()) / f"boardmark-{secrets.token_hex(8)}"
    config = {"temp_directory": str(spill), "python_enable_replacements": False}
    with duckdb.connect(config=config) as connection:
        if readable is not None:
            connection.execute(f"SET allowed_directories = [{quoted(str(readable))}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection


def quoted(text: str) -> str:
    """Return a text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def check(connection: Any, text: str) -> None:
    """Raise UnansweredError unless `text` is one question, which changes nothing."""
    statements = connection.extract_statements(text)
    if len(statements) > 1:
        raise UnansweredError(f"these are {len(statements)} statements: ask one at a time")
    if any(one.type.name not in _READING for one in statements):
        raise UnansweredError("it is no SELECT")


def ask(connection: Any, text: str, values: Mapping[str, Any]) -> pa.Table:
    """Return the answer; an interrupt of this process ends it. UnansweredError for no table.

    DuckDB works in a thread of its own, since it does not look for signals while it does.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        asked = thread.submit(_ask, connection, text, values)
        try:
            return asked.result()
        finally:
            while not asked.done():
                connection.interrupt()
                wait([asked], timeout=_INTERRUPT_S)


def is_misput(error: Exception) -> bool:
    """Tell whether the question itself is wrong, whatever the parts hold."""
    import duckdb

    return isinstance(
        error,
        duckdb.ParserException
        | duckdb.BinderException
        | duckdb.CatalogException
        | duckdb.PermissionException,
    )


def _ask(connection: Any, text: str, values: Mapping[str, Any]) -> pa.Table:
    found = connection.sql(text, params=dict(values))
    if found is None:
        raise UnansweredError("it gives no table")
    answer: pa.Table = found.to_arrow_table()
    return answer.rename_columns(_apart(answer.column_names))


def _apart(names: Sequence[str]) -> list[str]:
    """Return the names of columns with a number behind each that was there before."""
    found: list[str] = []
    for name in names:
        number, new = 1, name
        while new in found or (number > 1 and new in names):
            number += 1
            new = f"{name}_{number}"
        found.append(new)
    return found
