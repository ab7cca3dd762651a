"""Remove old sessions for good: as many as asked for stay, of each device the newest.

What is about to go is written down first, in prune.json, so that a prune that was interrupted is
completed by the next upkeep. A session's row in `sessions` goes before its other rows: whatever is
killed in between, no reader sees half a session.
"""

from __future__ import annotations

import calendar
import contextlib
import re
import time
from collections.abc import Collection, Iterable

import msgspec

from harness.errors import StoreError, UsageError
from results import parts, quarantine
from results.catalog import Catalog, Covered
from results.intent import INTENT, pending, write
from results.schema import TABLES
from results.storage import MissingError, Storage
from results.store import Store
from results.upkeep import rewrite

_DAY_S = 86400
_KEEP = re.compile(r"([0-9]{1,6})(d?)")


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """What stays: the sessions of the last `days`, or the newest `sessions` of each device."""

    days: int | None = None
    sessions: int | None = None


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What went, or would go in a `dry_run`; `size_bytes` is the difference of all parts.

    `problems` are sentences about parts that could not be rewritten.
    """

    removed: tuple[str, ...]
    kept: int
    size_bytes: int | None
    dry_run: bool = False
    problems: tuple[str, ...] = ()


def parse(text: str) -> Keep:
    """Return what --keep says: `90d` or `200`; UsageError for anything else, and for nothing."""
    found = _KEEP.fullmatch(text.strip())
    if found is None or not int(found[1]):
        raise UsageError(
            f"--keep is not a number of days or sessions: {text!r}",
            "90d keeps the last 90 days, 200 the newest 200 sessions of each device",
        )
    number = int(found[1])
    return Keep(days=number) if found[2] else Keep(sessions=number)


def prune(store: Store, keep: Keep, dry_run: bool = False) -> Pruned:
    """Remove the sealed sessions that `keep` does not name; nothing but say so if `dry_run`.

    Days count back from the newest session, or from now where that is earlier: a clock that jumps
    ahead, or a lab that rests, must not empty a store.
    """
    if dry_run:
        catalog = store.catalog()
        going = _going(catalog, keep, _devices(store.storage, catalog), time.time())
        kept = len(catalog.sessions()) - len(going)
        return Pruned(removed=going, kept=kept, size_bytes=None, dry_run=True)
    with store.locked():
        problems = finish(store)
        catalog = store.catalog()
        problems += quarantine.settled(store.storage, catalog)
        going = _going(catalog, keep, _devices(store.storage, catalog), time.time())
        before = _size_bytes(catalog)
        if going:
            close_journals(store, going)
            # what an earlier prune could not remove stays in it
            write(store.storage, {*going, *pending(store.storage)})
            problems += finish(store)
            catalog.forget()
        left = set(catalog.sessions())
        catalog.save()
    return Pruned(
        removed=tuple(name for name in going if name not in left),
        kept=len(left),
        size_bytes=before - _size_bytes(catalog),
        problems=tuple(dict.fromkeys((*catalog.problems, *problems))),
    )


def finish(store: Store) -> list[str]:
    """Complete a prune that was interrupted; return a sentence for each part that resists.

    Every upkeep that changes a store begins with this. StoreError where the store cannot be
    written.
    """
    storage = store.storage
    if not pending(storage):
        return []
    problems: list[str] = []
    with store.locked():
        going = pending(storage)
        # a session whose row in `sessions` resists keeps its other rows, too
        if all(_clear(storage, table, going, problems) for table in TABLES):
            storage.remove(INTENT)
    return problems


def close_journals(store: Store, sealed: Iterable[str]) -> None:
    """Let the journals go whose sessions are sealed, which a writer that was killed left behind.

    Otherwise a session that is pruned would be back as a live one.
    """
    if store.storage.root is None:
        return
    for session_id in sealed:
        if store.journal(session_id).parent.is_dir():
            store.seal(session_id)


def _clear(storage: Storage, table: str, going: Collection[str], problems: list[str]) -> bool:
    """Take sessions out of every part of a table, those that do not count too; tell if all went."""
    catalog = Catalog.of(storage)
    gone = frozenset(going)
    whole = []
    cleared = True
    for part in catalog.parts(table):
        taken = gone & part.sessions.keys()
        if len(taken) == len(part.sessions):
            whole.append(part.path)
        elif taken:
            cleared = _without(storage, part, taken, problems) and cleared
    storage.remove(*whole)
    problems += catalog.problems
    return cleared


def _without(storage: Storage, part: Covered, going: Collection[str], problems: list[str]) -> bool:
    """Publish a part without some of its sessions, then remove it; tell if they went."""
    try:
        made = rewrite.joined([rewrite.piece(storage, part, going)])
    except parts.CorruptPartError as corrupt:
        problems.append(quarantine.aside(storage, part.path, str(corrupt)))
        return True
    except MissingError:
        return True
    except StoreError as error:
        problems.append(str(error))
        return False
    rewrite.publish(storage, made)
    storage.remove(part.path)
    return True


def _going(
    catalog: Catalog, keep: Keep, devices: dict[str, str | None], now_unix_s: float
) -> tuple[str, ...]:
    """Return the committed sessions that do not stay, oldest first."""
    known = catalog.sessions()
    if not known:
        return ()
    if keep.days is not None:
        end = min(now_unix_s, _unix_s(known[-1]))
        return tuple(name for name in known if _unix_s(name) < end - keep.days * _DAY_S)
    by_device: dict[str | None, list[str]] = {}
    for name in known:
        by_device.setdefault(devices[name], []).append(name)
    by_device.pop(None, None)
    gone = {name for of_one in by_device.values() for name in of_one[: -(keep.sessions or 1)]}
    return tuple(sorted(gone))


def _devices(storage: Storage, catalog: Catalog) -> dict[str, str | None]:
    """Return the device of each committed session; None where its row cannot be read."""
    found: dict[str, str | None] = {}
    for part, out in catalog.live("sessions"):
        for name in part.sessions.keys() - out:
            found[name] = None
            with contextlib.suppress(parts.CorruptPartError, StoreError):
                found[name] = rewrite.place_of(storage, part, name).device
    return found


def _unix_s(session_id: str) -> float:
    """Return when a session began, as its id says."""
    try:
        return calendar.timegm(time.strptime(session_id[:15], "%Y%m%dT%H%M%S"))
    except ValueError:
        return float("inf")  # no such day: no one knows how old it is, so it stays


def _size_bytes(catalog: Catalog) -> int:
    return sum(part.size_bytes for table in TABLES for part in catalog.parts(table))
