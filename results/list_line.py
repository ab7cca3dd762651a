"""The line of a session in a list of sessions: from its row, or from the footer of its part."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec

from harness.types import UnixTime
from results import parts
from results.catalog import Catalog, Covered
from results.storage import Storage

if TYPE_CHECKING:
    import pyarrow as pa

_ENTRY_COLUMNS = (
    "session_id",
    "created_unix_s",
    "device",
    "suite",
    "models",
    "cases",
    "skipped",
    "runs",
    "kind",
)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list of sessions; cases, skipped and runs are counts."""

    session_id: str
    created_unix_s: UnixTime
    device: str
    suite: str
    models: tuple[str, ...]
    cases: int
    skipped: int
    runs: int
    sealed: bool = True
    kind: str = "run"


def listing_of(rows: pa.Table) -> str:
    """Return the list line of the one session in rows of `sessions`, as its footer carries it."""
    (row,) = rows.select(_ENTRY_COLUMNS).to_pylist()
    return msgspec.json.encode(msgspec.convert(row, Entry)).decode()


def lines_of(
    storage: Storage, catalog: Catalog, part: Covered
) -> tuple[tuple[Entry, ...], list[str]]:
    """Return the list lines of one part of `sessions`, and a sentence for each bad row.

    Errors as of parts.read_table; every byte is checked.
    """
    data = parts.read_bytes(storage, part.path)
    footer = parts.footer_of(data, part.path)
    if footer.listing is not None and len(footer.sessions) == 1:
        with contextlib.suppress(msgspec.MsgspecError, RecursionError):
            line = msgspec.json.decode(footer.listing, type=Entry)
            if line.session_id in footer.sessions:
                catalog.remember(part)
                return (line,), []
    found = parts.rows(parts.decode(data, part.path, _ENTRY_COLUMNS))
    catalog.remember(part)
    entries, refused = [], []
    for row in found:
        try:
            entries.append(msgspec.convert(row, Entry))
        except msgspec.ValidationError as error:
            session_id = row["session_id"]
            refused.append(f"{part.path!r} holds no list line of session {session_id!r}: {error}")
    return tuple(entries), refused
