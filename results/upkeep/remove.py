"""Remove sessions for good that a person names: an import under a wrong name, a night to forget."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.errors import UsageError
from results import layout, quarantine
from results.catalog import Catalog
from results.store import Store
from results.upkeep import removal
from results.upkeep.removal import Removed


def remove(store: Store, session_ids: Sequence[str], dry_run: bool = False) -> Removed:
    """Remove sealed sessions by their full ids; nothing but say so if `dry_run`.

    One that is not there is a note, so that what was interrupted can be done again. UsageError for
    one that is not sealed and for anything but a full id, before anything goes.
    """
    named = tuple(dict.fromkeys(session_ids))
    absent: list[str] = []

    def going(catalog: Catalog) -> tuple[str, ...]:
        there = set(catalog.sessions())
        for name in named:
            if name not in there:
                _refuse(store, catalog, name)
        absent[:] = (name for name in named if name not in there)
        return tuple(name for name in named if name in there)

    found = removal.removed(store, going, dry_run)
    notes = (f"session {name!r} is not there" for name in absent)
    return msgspec.structs.replace(found, notes=tuple(notes))


def _refuse(store: Store, catalog: Catalog, name: str) -> None:
    """Raise for a word that is not the full id of a session that is sealed, or was."""
    if name in store.live(catalog):
        raise UsageError(
            f"session {name!r} is not sealed", "bring it to its end first: boardmark list says how"
        )
    if not layout.SESSION_ID.fullmatch(name):
        found = store.resolve(name, catalog)
        raise UsageError(f"{name!r} stands for session {found!r}", "name it in full to remove it")
    if name in quarantine.conflicted(store.storage):
        store.resolve(name, catalog)  # says what to do with its two contents
