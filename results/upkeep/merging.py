"""Which sessions a merge is taking over: written down first, so that what it left is no riddle.

    merging/<digest>.json    {"source": where from, "sessions": [ids]}

The rows of a session come before the part that commits it. Where a merge ended in between, they are
rows of a session that is not there yet; without this they would look like those of one that was
lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import msgspec

from harness.errors import StoreError
from results.catalog import Catalog
from results.layout import digest_of
from results.schema import TABLES
from results.storage import Storage

FOLDER = "merging"


class Merging(msgspec.Struct, frozen=True, kw_only=True):
    """What one merge set out to take over, and from where."""

    source: str
    sessions: tuple[str, ...]


def announce(storage: Storage, source: Storage, session_ids: Collection[str]) -> str:
    """Put down which sessions are about to be copied; return the path of the file."""
    where = source.label if source.root is None else str(source.root.absolute())
    data = msgspec.json.encode(Merging(source=where, sessions=tuple(sorted(session_ids))))
    path = f"{FOLDER}/{digest_of(data)}.json"
    storage.publish(path, data + b"\n")
    return path


def open_merges(storage: Storage) -> dict[str, Merging]:
    """Return what merges put down that did not come to their end, by path.

    A file that says nothing excuses nothing.
    """
    found = {}
    for entry in list(storage.walk(FOLDER)):
        try:
            found[entry.path] = msgspec.json.decode(storage.read(entry.path), type=Merging)
        except (StoreError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
    return found


def half(catalog: Catalog, merging: Merging) -> list[str]:
    """Return the sessions of a merge that have rows here and are not committed."""
    return [
        name
        for name in merging.sessions
        if catalog.owner("sessions", name) is None
        and name not in catalog.conflicts()
        and any(catalog.claims(table, name) for table in TABLES)
    ]


def close(storage: Storage, catalog: Catalog, ours: Collection[str]) -> None:
    """Forget merges that left nothing half done: `ours`, and those whose sessions are all here."""
    done = (
        path
        for path, merging in open_merges(storage).items()
        if not half(catalog, merging)
        and (path in ours or all(catalog.owner("sessions", one) for one in merging.sessions))
    )
    storage.remove(*done)


def notes(storage: Storage, catalog: Catalog) -> Iterator[str]:
    """Say of each merge that left sessions half done how it is completed."""
    for merging in open_merges(storage).values():
        if left := half(catalog, merging):
            yield (
                f"{len(left)} of {len(merging.sessions)} sessions from {merging.source!r} are half"
                f" there, their merge runs or was interrupted: boardmark store merge"
                f" {merging.source} completes it"
            )
