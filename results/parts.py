"""Parquet parts: immutable files whose name carries the digest of their own bytes.

    parts/<table>/<session id>-<first 16 hex digits of the file's SHA-256>.parquet

So a reader notices any flipped byte, writing the same part again changes nothing, and merging two
stores is copying the files that are not there yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from harness.errors import StoreError
from harness.types import Json
from results.durable import make_directory, publish, sync_directory, translated
from results.format1 import SCHEMA_VERSION, metadata, schema, version_of

PARTS = "parts"
QUARANTINE = "quarantine"


class CorruptPartError(Exception):
    """A part that is not what it was when it was written; the message is a clause that says why."""


def find(root: Path, table: str, session_id: str = "*") -> list[Path]:
    """Return the parts of `table`, of one session or of all, sorted by name."""
    return sorted((root / PARTS / table).glob(f"{session_id}-{'[0-9a-f]' * 16}.parquet"))


def session_of(path: Path) -> str:
    """Return the session id in a part's name."""
    return path.stem[:-17]


def encode(table: str, rows: Sequence[Json], writer: str, content: str) -> bytes:
    """Return `rows` as one parquet file of `table`; keys that a row lacks are null.

    Raw samples are delta encoded, texts that repeat are dictionary encoded, everything is packed
    with zstd.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    shape = schema(table).with_metadata(metadata(table, writer, content))
    try:
        data = pa.Table.from_pylist(list(rows), schema=shape)
        sink = pa.BufferOutputStream()
        pq.write_table(
            data,
            sink,
            compression="zstd",
            use_dictionary=[name for name in shape.names if name != "values"],
            column_encoding={"values.list.element": "DELTA_BINARY_PACKED"}
            if table == "samples"
            else None,
        )
    except (pa.ArrowException, OverflowError) as error:
        raise StoreError(
            f"a value does not fit its column of {table!r}: {error}",
            "the journal is kept; report this with the journal attached",
        ) from error
    encoded: bytes = sink.getvalue().to_pybytes()
    return encoded


def write(root: Path, table: str, session_id: str, data: bytes) -> Path:
    """Put an encoded part into the store; the same bytes again change nothing. OSError."""
    path = root / PARTS / table / f"{session_id}-{hashlib.sha256(data).hexdigest()[:16]}.parquet"
    make_directory(path.parent)
    publish(data, path)
    return path


def read(path: Path, columns: Sequence[str] | None = None) -> list[Json]:
    """Return the rows of a part as dicts, of `columns` only where they are given.

    Raises CorruptPartError where the bytes are not those that were written, and StoreError where
    the file cannot be read at all or was written by a newer version.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with translated("read", path):
        data = path.read_bytes()
    if not path.stem.endswith(hashlib.sha256(data).hexdigest()[:16]):
        raise CorruptPartError("its bytes do not match the digest in its name")
    try:
        part = pq.ParquetFile(pa.BufferReader(data))
        version = version_of(part.schema_arrow.metadata)
        if version is None:
            raise CorruptPartError("it carries no schema version")
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{str(path)!r} has schema version {version} and this boardmark reads up to "
                f"{SCHEMA_VERSION}",
                "upgrade boardmark",
            )
        rows: list[Json] = part.read(columns=columns, use_threads=False).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise CorruptPartError(f"it is not readable as parquet: {error}") from error
    return rows


def quarantine(root: Path, path: Path, reason: str) -> str:
    """Move a corrupt part aside, its reason beside it; return the sentence for the report.

    Where the store cannot be written the part stays where it is and the sentence says so.
    """
    aside = root / QUARANTINE / path.name
    try:
        make_directory(aside.parent)
        aside.with_suffix(".reason.txt").write_text(
            f"{path.parent.name}: {reason}\n", encoding="utf-8"
        )
        path.rename(aside)
        sync_directory(aside.parent)
    except OSError as error:
        where = f"it could not be moved to {QUARANTINE}/ ({error.strerror})"
    else:
        where = f"moved to {str(aside)!r}"
    return f"{path.parent.name} part {path.name!r} is left out because {reason}; {where}"


def quarantined(root: Path) -> dict[str, str]:
    """Return the name of each part in quarantine, and a sentence with the reason."""
    found = {}
    for path in sorted((root / QUARANTINE).glob("*.parquet")):
        try:
            reason = path.with_suffix(".reason.txt").read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            reason = "reason unknown"
        found[path.name] = f"part {path.name!r} lies in {QUARANTINE}/ ({reason})"
    return found
