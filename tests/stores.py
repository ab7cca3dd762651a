"""Stores with the handmade session in them, and their files."""

from __future__ import annotations

import shutil
from pathlib import Path

import handmade
import msgspec

from results import parts, schema
from results.schema import TABLES
from results.store import Store

GOLDEN = Path(__file__).parent / "golden" / "store-v1"


def live(store, runs=None, session_id=handmade.SESSION_ID, **changes):
    """Journal the handmade session, or other runs under its plan, with one note."""
    with store.start(handmade.plan(session_id, **changes)) as journal:
        for run in handmade.runs() if runs is None else runs:
            journal.append(msgspec.structs.replace(run, session_id=session_id))
        journal.note("the battery was charging")


def sealed(where, session_id=handmade.SESSION_ID, **options):
    """Return a store with the handmade session sealed in it."""
    store = Store.create(where)
    live(store, session_id=session_id, **options)
    store.seal(session_id)
    return store


def files(store, table, session_id=""):
    """Return the files of one table, of a session or of all."""
    return sorted((store.root / "parts" / table).rglob(f"{session_id}*.parquet"))


def contents(folder):
    """Return every file below a folder with its bytes."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def copy(store, other):
    """Copy every part of one store into another, as a merge by hand would."""
    for table in TABLES:
        for path in files(store, table):
            target = other.root / path.relative_to(store.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())


def golden(where):
    """Return a copy of the store of format 1."""
    shutil.copytree(GOLDEN, where)
    return Store.open(where)


def compact(store, table, session_ids):
    """Publish one part of `table` with these sessions beside the single ones; return its path."""
    import pyarrow as pa

    found = [
        path.relative_to(store.root) for one in session_ids for path in files(store, table, one)
    ]
    footer = schema.joined(
        [parts.read_footer(store.storage, str(path)) for path in found], "boardmark test"
    )
    rows = pa.concat_tables([parts.read_table(store.storage, str(path)) for path in found])
    return parts.publish(store.storage, footer, parts.encode(rows, footer))
