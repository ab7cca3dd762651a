"""Make the index anew from the parts, and drop what writers that were killed left behind."""

from __future__ import annotations

import contextlib

import msgspec

from harness.errors import StoreError
from results import layout, quarantine
from results.catalog import Catalog
from results.durable import translated
from results.schema import TABLES
from results.sessions import list_sessions
from results.storage import MissingError
from results.store import Store
from results.upkeep import leftovers, merging, removal

_TRIES = 20


class Reindexed(msgspec.Struct, frozen=True, kw_only=True):
    """What there is: sound parts and committed sessions, and how many leftovers went.

    `problems` are sentences about what is damaged; it lies in quarantine now.
    """

    sessions: int
    parts: int
    leftovers: int
    problems: tuple[str, ...] = ()


def reindex(store: Store) -> Reindexed:
    """Read every part, put what is damaged aside, and remember the others."""
    storage = store.storage
    problems = removal.finish(store)
    with store.locked():
        dropped = _drop_leftovers(store, problems)
        storage.remove(*(entry.path for entry in list(storage.walk(layout.INDEX))))
        problems += quarantine.settle(storage, store.catalog())
        merging.close(storage, store.catalog(), merging.open_merges(storage))
    catalog = store.catalog()
    parts = _checked(catalog, problems)
    catalog.forget()
    sessions = len(catalog.sessions())
    catalog.save()
    listing = list_sessions(store)
    told = (*listing.problems, *catalog.problems, *problems)
    return Reindexed(
        sessions=sessions,
        parts=parts,
        leftovers=dropped,
        problems=tuple(dict.fromkeys(told)),
    )


def _checked(catalog: Catalog, problems: list[str]) -> int:
    """Read every part, without the store's lock, and return how many are sound.

    Again where one was compacted or removed meanwhile; what was read is not read twice.
    """
    for _ in range(_TRIES):
        with contextlib.suppress(MissingError):
            sound = 0
            for table in TABLES:
                good, bad = catalog.sound(catalog.parts(table))
                sound += len(good)
                problems += bad
                for part in good:
                    catalog.known(part)
            return sound
        catalog.forget()
    raise StoreError(
        "the parts change faster than they can be read", "wait until whoever compacts is done"
    )


def _drop_leftovers(store: Store, problems: list[str]) -> int:
    """Remove unfinished files and the journals of sealed sessions; return how many went."""
    files = leftovers.unfinished(store)
    for path in files:
        with translated("remove", path):
            path.unlink(missing_ok=True)
    sealed = leftovers.closed_journals(store, store.catalog())
    for session_id in sealed:
        try:
            removal.close_journals(store, [session_id])
        except StoreError as error:
            problems.append(str(error))
    return len(files) + len(sealed)
