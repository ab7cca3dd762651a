"""Make the index anew from the parts, and drop what writers that were killed left behind."""

from __future__ import annotations

import msgspec

from harness.errors import StoreError
from results import layout, quarantine
from results.durable import translated
from results.schema import TABLES
from results.sessions import list_sessions
from results.store import Store
from results.upkeep import leftovers, prune


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
    with store.locked():
        problems = prune.finish(store)
        dropped = _drop_leftovers(store, problems)
        storage.remove(*(entry.path for entry in list(storage.walk(layout.INDEX))))
        catalog = store.catalog()
        problems += quarantine.settle(storage, catalog)
        parts = 0
        for table in TABLES:
            good, bad = catalog.sound(catalog.parts(table))
            parts += len(good)
            problems += bad
            for part in good:
                catalog.known(part)
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


def _drop_leftovers(store: Store, problems: list[str]) -> int:
    """Remove unfinished files and the journals of sealed sessions; return how many went."""
    files = leftovers.unfinished(store)
    for path in files:
        with translated("remove", path):
            path.unlink(missing_ok=True)
    sealed = leftovers.closed_journals(store, store.catalog())
    for session_id in sealed:
        try:
            prune.close_journals(store, [session_id])
        except StoreError as error:
            problems.append(str(error))
    return len(files) + len(sealed)
