"""Take sessions out of a store for good.

What is about to go is written down first, in prune.json, so that a removal that was interrupted is
completed by the next upkeep. A session's row in `sessions` goes before its other rows: whatever is
killed in between, no reader sees half a session.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable

import msgspec

from harness.errors import StoreError
from results import layout, parts, quarantine
from results.catalog import Catalog, Covered
from results.durable import is_full, translated
from results.intent import INTENT, pending, write
from results.schema import TABLES
from results.storage import MissingError, Storage
from results.store import Store
from results.upkeep import leftovers, rewrite

# Others that wait for the store's lock get their turn after this long.
_TURN_S = 2.0
_PAUSE_S = 0.02


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """What went, or would go in a `dry_run`; `size_bytes` is the difference of all parts.

    `problems` are sentences about parts that could not be rewritten, `notes` about sessions that
    stay or are not there.
    """

    removed: tuple[str, ...]
    kept: int
    size_bytes: int | None
    dry_run: bool = False
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def removed(
    store: Store, choose: Callable[[Catalog], tuple[str, ...]], dry_run: bool = False
) -> Removed:
    """Remove the committed sessions that `choose` names; nothing but say so if `dry_run`.

    StoreError where the store cannot be written: doing it again goes on from there.
    """
    if dry_run:
        catalog = store.catalog()
        going = choose(catalog)
        kept = len(catalog.sessions()) - len(going)
        return Removed(removed=going, kept=kept, size_bytes=None, dry_run=True)
    problems = finish(store)
    with store.locked():
        catalog = store.catalog()
        problems += quarantine.settled(store.storage, catalog)
        going = choose(catalog)
        before = _size_bytes(catalog)
        if going:
            close_journals(store, going)
            # what an earlier removal could not remove stays in it
            _announce(store, {*going, *pending(store.storage)})
    problems += finish(store)
    catalog.forget()
    left = set(catalog.sessions())
    catalog.save()
    return Removed(
        removed=tuple(name for name in going if name not in left),
        kept=len(left),
        size_bytes=before - _size_bytes(catalog),
        problems=tuple(dict.fromkeys((*catalog.problems, *problems))),
    )


def finish(store: Store) -> list[str]:
    """Complete a removal that was interrupted; return a sentence for each part that resists.

    Every upkeep that changes a store begins with this. It holds the store's lock for a while, lets
    others have it, and goes on. StoreError where the store cannot be written.
    """
    problems: list[str] = []
    resisting: dict[str, str] = {}
    before: set[str] = set()
    while pending(store.storage):
        with store.locked():
            done = _turn(store.storage, resisting, problems)
        if not done:
            time.sleep(_PAUSE_S)
        elif resisting.keys() == before:
            break
        else:  # on a full disk, what went meanwhile has made room
            before = set(resisting)
            resisting.clear()
    return [*problems, *resisting.values()]


def close_journals(store: Store, sealed: Iterable[str]) -> None:
    """Let the journals go whose sessions are sealed, which a writer that was killed left behind.

    Otherwise a session that is removed would be back as a live one.
    """
    if store.storage.root is None:
        return
    for session_id in sealed:
        if store.journal(session_id).parent.is_dir():
            store.seal(session_id)


def _announce(store: Store, going: Collection[str]) -> None:
    """Put down which sessions are going; on a full disk, what is only a cache makes room for it."""
    storage = store.storage
    try:
        write(storage, going)
    except StoreError as error:
        if not is_full(error):
            raise
        storage.remove(*(entry.path for entry in list(storage.walk(layout.INDEX))))
        for path in leftovers.unfinished(store):
            with translated("remove", path):
                path.unlink(missing_ok=True)
        try:
            write(storage, going)
        except StoreError as still:
            raise StoreError(
                f"{still.message}; nothing was removed",
                "free a few kB there, then do it again: what goes is written down first",
            ) from still


def _turn(storage: Storage, resisting: dict[str, str], problems: list[str]) -> bool:
    """Work under the store's lock for a while; tell whether all was done that can be.

    Parts that could not be rewritten are added to `resisting`: a session with such a part keeps its
    rows in the tables behind that one.
    """
    end = time.monotonic() + _TURN_S
    going = frozenset(pending(storage))
    for table in TABLES:
        catalog = Catalog.of(storage)
        touched = [part for part in catalog.parts(table) if going & part.sessions.keys()]
        problems += (one for one in catalog.problems if one not in problems)
        # first what takes no room
        whole = [part for part in touched if part.sessions.keys() <= going]
        storage.remove(*(part.path for part in whole))
        for part in touched:
            if part in whole:
                continue
            if part.path not in resisting:
                _rewrite(storage, part, going & part.sessions.keys(), resisting, problems)
                if time.monotonic() > end:
                    return False
            if part.path in resisting:
                going -= part.sessions.keys()
    if not resisting:
        storage.remove(INTENT)
    return True


def _rewrite(
    storage: Storage,
    part: Covered,
    going: Collection[str],
    resisting: dict[str, str],
    problems: list[str],
) -> None:
    """Publish a part without some of its sessions, then remove it."""
    try:
        made = rewrite.joined([rewrite.piece(storage, part, going)])
        rewrite.publish(storage, made)
    except parts.CorruptPartError as corrupt:
        problems.append(quarantine.aside(storage, part.path, str(corrupt)))
    except MissingError:
        return
    except StoreError as error:
        resisting[part.path] = str(error)
    else:
        storage.remove(part.path)


def _size_bytes(catalog: Catalog) -> int:
    return sum(part.size_bytes for table in TABLES for part in catalog.parts(table))
