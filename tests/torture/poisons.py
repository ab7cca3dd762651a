"""Texts, tables and things that a careful reader has to survive, and the files that carry them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from results import layout, schema

DEEP = 10**6
Placed = Callable[[Path], None]


def texts() -> dict[str, bytes]:
    """Return JSON texts, and what pretends to be one."""
    nines = b"9" * 4999
    return {
        "a million brackets": b"[" * DEEP,
        "a million nested lists": b"[" * DEEP + b"]" * DEEP,
        "a million nested objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
        "not a number": b'{"boardmark_store":NaN,"result":NaN}',
        "infinity": b'{"boardmark_store":-Infinity,"result":{"load_s":1e999}}',
        "the same key twice": b'{"boardmark_store":2,"boardmark_store":{},"result":{},"result":1}',
        "a number of 5,000 digits": b'{"boardmark_store":9%b,"result":{"x":9%b}}' % (nines, nines),
        "not UTF-8": b'{"boardmark_store":2,"result":{"note":"\xff\xfe"}}',
        "half a character": b'{"boardmark_store":2,"result":{"note":"\\ud800"}}',
        "zero bytes": b"\0" * 4096,
        "a zero inside": b'{"boardmark_store":2,"result":{"note":"a\\u0000b"}}',
        "nothing": b"",
        "null": b"null",
        "a list": b"[1,2,3]",
        "another shape": b'{"boardmark_store":[],"result":"text","session_id":7}',
    }


def journal_lines() -> dict[str, bytes]:
    """Return lines of a journal whose checksums are right and whose records are poison."""
    lines = {}
    for name, text in texts().items():
        for kind in ("run", "note", "plan", "unheard-of"):
            lines[f"{name} as a {kind}"] = _line(b'{"kind":"%b","body":%b}' % (kind.encode(), text))
        lines[f"{name} as a record"] = _line(text)
        lines[f"{name} as a line"] = text + b"\n"
    return lines


def with_journal(line: bytes, journal: str) -> Placed:
    """Return what appends `line` to the journal at the path `journal` of a store."""

    def place(where: Path) -> None:
        with (where / journal).open("ab") as file:
            file.write(line)

    return place


def with_first_line(line: bytes, journal: str) -> Placed:
    """Return what puts `line` before the plan of a journal."""

    def place(where: Path) -> None:
        path = where / journal
        path.write_bytes(line + path.read_bytes())

    return place


def with_file(path: str, data: bytes) -> Placed:
    """Return what gives a file of a store the content `data`."""
    return lambda where: _written(where / path, data)


def rewritten(path: str, change: Callable[[Any], Any]) -> Placed:
    """Return what replaces a part by one whose Arrow table was changed, under its right digest."""

    def place(where: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        source = where / path
        table = change(pq.ParquetFile(source).read(use_threads=False))
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        data = sink.getvalue().to_pybytes()
        source.unlink()
        _written(source.with_name(f"{source.stem[:-16]}{layout.digest_of(data)}.parquet"), data)

    return place


def changes(table: str) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """Yield what can be wrong with the rows of a part of `table` whose digest is right."""
    texts_of = [name for name in schema.schema(table).names if name.endswith("_json")]
    for column in texts_of:
        for name, text in texts().items():
            yield f"{name} in {column}", partial(_filled, column=column, text=text)
    for column in schema.schema(table).names:
        yield f"no {column}", partial(_without, column=column)
        yield f"null as {column}", partial(_nulls, column=column)
        yield f"another type of {column}", partial(_retyped, column=column)
    yield "no rows", lambda old: old.slice(0, 0)
    yield "every row twice", _doubled
    yield "no metadata", lambda old: old.replace_schema_metadata(None)
    for name, text in texts().items():
        yield f"{name} for a list of sessions", partial(_told, name="sessions", value=text)
    for name, value in _METADATA:
        yield f"{name} is {value!r}", partial(_told, name=name, value=value)


def obstacles(part: str) -> dict[str, Placed]:
    """Return what can lie where files of a store are looked for; `part` is the path of a part."""
    folder = part.rpartition("/")[0]
    twin = f"{folder}/20261120T999999Z-ffff-{'0' * 16}.parquet"
    compact = f"{folder}/compact-{'0' * 16}.parquet"
    found: dict[str, Placed] = {
        "a device named like a path": with_file(
            f"parts/runs/month=2026-11/device=..%2F..%2Fx/{twin.rpartition('/')[2]}", b"x"
        ),
        "a name that is not UTF-8": lambda where: _written(
            Path(os.fsdecode(os.fsencode(where / folder) + b"/\xff\xfe.parquet")), b"x"
        ),
        "a name with a line end": with_file(f"{folder}/a\nb.parquet", b"x"),
        "a thousand nested folders": lambda where: _nested(where / "parts/runs", 1500),
        "a file for the quarantine": with_file("quarantine", b"x"),
        "a file for the index": lambda where: _instead(where / "index", _a_file),
    }
    places = {
        "part": twin,
        "compact part": compact,
        "journal": "sessions/20261120T999999Z-ffff/journal.ndjson",
        "store.json": "store.json",
        "index": "index/entries.msgpack",
        "lock": "lock",
        "intent to prune": "prune.json",
        "reason": "quarantine/x.reason.txt",
        "quarantined part": "quarantine/x.parquet",
    }
    for name, path in places.items():
        for kind, make in _THINGS.items():
            found[f"{kind} for a {name}"] = partial(_instead_at, path=path, make=make)
    return found


def _line(record: bytes) -> bytes:
    digest = hashlib.sha256(record).hexdigest().encode()
    return b'{"v":1,"sha256":"%b","len":%d,"rec":%b}\n' % (digest, len(record), record)


def _written(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _filled(table: Any, column: str, text: bytes) -> Any:
    import pyarrow as pa

    # as bytes, then seen as text: an engine that writes parquet need not check what is UTF-8
    values = pa.array([text] * len(table), pa.binary()).view(pa.string())
    return table.set_column(table.column_names.index(column), column, values)


def _without(table: Any, column: str) -> Any:
    return table.drop_columns([column])


def _nulls(table: Any, column: str) -> Any:
    import pyarrow as pa

    kind = table.schema.field(column).type
    at = table.column_names.index(column)
    return table.set_column(at, column, pa.nulls(len(table), kind))


def _retyped(table: Any, column: str) -> Any:
    import pyarrow as pa

    text = pa.types.is_string(table.schema.field(column).type)
    values = pa.array([1.5] * len(table)) if text else pa.array(["text"] * len(table))
    return table.set_column(table.column_names.index(column), column, values)


def _doubled(table: Any) -> Any:
    import pyarrow as pa

    return pa.concat_tables([table, table])


def _told(table: Any, name: str, value: bytes) -> Any:
    metadata = {**(table.schema.metadata or {}), f"boardmark.{name}".encode(): value}
    return table.replace_schema_metadata(metadata)


_METADATA = (
    ("schema_version", b"9.0"), ("schema_version", b"2.999"), ("schema_version", b"two"),
    ("schema_version", b"0"), ("schema_version", b""), ("table", b"runners"), ("table", b""),
    ("sessions", b"{}"), ("sessions", json.dumps({"../../x": "0" * 16}).encode()),
    ("sessions", json.dumps({"20261120T141500Z-3f20": "f" * 16}).encode()),
    ("device", b"other"), ("month", b"1970-01"), ("month", b"\xff"),
)  # fmt: skip


def _nested(top: Path, depth: int) -> None:
    # step by step: the whole path is longer than a call may name
    here = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("a", dir_fd=here)
        below = os.open("a", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def _instead(path: Path, make: Callable[[Path], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() and not path.is_symlink():
        path.rename(path.with_name("moved-away"))
    path.unlink(missing_ok=True)
    make(path)


def _instead_at(where: Path, path: str, make: Callable[[Path], None]) -> None:
    _instead(where / path, make)


def _a_file(path: Path) -> None:
    path.write_bytes(b"x")


def _a_directory(path: Path) -> None:
    (path / "below").mkdir(parents=True)


_THINGS: dict[str, Callable[[Path], None]] = {
    "a directory": _a_directory,
    "a pipe": os.mkfifo,
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to a directory": lambda path: path.symlink_to("/"),
    "a link to an endless device": lambda path: path.symlink_to("/dev/zero"),
}
