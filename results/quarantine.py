"""What must not be read and must not be lost: corrupt parts, and sessions with two contents.

    quarantine/<part>.parquet       as it was found
    quarantine/<part>.reason.txt    where it lay, and why it is here

A session that conflicts stays out of the store for good, whatever is merged, until a person decides
which of its contents is right: by moving those parts back and deleting its other files here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.errors import StoreError
from results import layout, parts
from results.layout import QUARANTINE, SUFFIX
from results.lock import WAIT_S, store_lock
from results.schema import TABLES
from results.storage import Entry, MissingError, Storage

if TYPE_CHECKING:
    from results.catalog import Catalog, Covered

_REASON = ".reason.txt"
_CONFLICT = re.compile(rf"conflict over session ({layout.SESSION_ID.pattern})")
# A reader would rather go on than wait for a long compaction.
_WAIT_S = 2.0


def aside(storage: Storage, path: str, reason: str) -> str:
    """Move a part aside, its reason beside it; return the sentence for the report.

    Where the store cannot be written the part stays where it is and the sentence says so.
    """
    part = layout.parse(path)
    table, name = (part.table, part.name) if part else ("unknown", path)
    try:
        with store_lock(storage.root, _WAIT_S):
            target = _move(storage, path, reason)
    except MissingError:
        where = "it is gone from its place"
    except StoreError as error:
        where = f"it could not be moved to {QUARANTINE}/ ({error.message})"
    else:
        where = f"moved to {target!r}"
    return f"{table} part {name!r} is left out because {reason}; {where}"


def listed(storage: Storage) -> dict[str, str]:
    """Return the name of each part in quarantine, and a sentence with the reason."""
    reasons = _reasons(storage)
    found = {}
    for entry in _entries(storage):
        if entry.path.endswith(SUFFIX):
            name = entry.path.rpartition("/")[2].removesuffix(SUFFIX)
            reason = reasons.get(name, "reason unknown")
            found[name] = f"part {name!r} lies in {QUARANTINE}/ ({reason})"
    return found


def conflicted(storage: Storage) -> frozenset[str]:
    """Return the sessions of which quarantine holds two contents: they stay out."""
    found = (_CONFLICT.search(reason) for reason in _reasons(storage).values())
    return frozenset(match[1] for match in found if match)


def settle(storage: Storage, catalog: Catalog, wait_s: float = WAIT_S) -> list[str]:
    """Move every part of conflicting sessions aside, both contents; return a sentence for each.

    Out of a compact part only those sessions go. Killed in between, doing it again completes it:
    what commits a session goes last. StoreError where the store cannot be written.
    """
    with store_lock(storage.root, wait_s):
        catalog.forget()
        found = sorted(catalog.conflicts())
        for session_id in found:
            reason = f"conflict over session {session_id}: the store was given two contents for it"
            for table in reversed(TABLES):
                for covered in catalog.claims(table, session_id):
                    _take_out(storage, covered, session_id, reason)
            catalog.forget()
    return [
        f"session {session_id!r} has two contents: both lie in {QUARANTINE}/ and neither is read"
        for session_id in found
    ]


def settled(storage: Storage, catalog: Catalog) -> list[str]:
    """Do what `settle` does as far as a reader can; return the sentences for the report."""
    found = sorted(catalog.conflicts())
    try:
        return settle(storage, catalog, _WAIT_S) if found else []
    except StoreError as error:
        return [
            f"session {session_id!r} has two contents and neither is read; they could not be moved "
            f"to {QUARANTINE}/ ({error.message})"
            for session_id in found
        ]


def _take_out(storage: Storage, covered: Covered, session_id: str, reason: str) -> None:
    """Move one session of a part aside; the others of a compact part are published anew first."""
    if list(covered.sessions) == [session_id]:
        _move(storage, covered.path, reason)
        return
    table = parts.read_table(storage, covered.path)
    footer = parts.read_footer(storage, covered.path)
    others, alone = parts.divided(footer, [session_id])
    data = parts.encode(parts.only(table, [session_id]), alone)
    name = layout.name_of((session_id,), data)
    # where it may be moved back to: under the name of the whole part it would count as corrupt
    _explain(storage, name, parts.path_of(alone, data), reason)
    storage.publish(f"{QUARANTINE}/{name}{SUFFIX}", data)
    parts.publish(storage, others, parts.encode(parts.without(table, [session_id]), others))
    storage.remove(covered.path)


def _move(storage: Storage, path: str, reason: str) -> str:
    """Move a part to quarantine; the reason comes first, so that none ever lies there without."""
    name = _unused(storage, path)
    _explain(storage, name, path, reason)
    target = f"{QUARANTINE}/{name}{SUFFIX}"
    storage.move(path, target)
    return target


def _unused(storage: Storage, path: str) -> str:
    """Return the name of a part, with the digest of its bytes where others lie there under it.

    A part that was merged in again after it rotted may rot again.
    """
    name = path.rpartition("/")[2].removesuffix(SUFFIX)
    try:
        held = storage.read(f"{QUARANTINE}/{name}{SUFFIX}")
    except MissingError:
        return name
    data = storage.read(path)
    return name if held == data else f"{name}.{layout.digest_of(data)}"


def _explain(storage: Storage, name: str, path: str, reason: str) -> None:
    storage.publish(f"{QUARANTINE}/{name}{_REASON}", f"{path}: {reason}\n".encode())


def _entries(storage: Storage) -> list[Entry]:
    """Return what lies in quarantine; nothing where a file is in the folder's place."""
    try:
        return list(storage.walk(QUARANTINE))
    except StoreError:
        return []


def _reasons(storage: Storage) -> dict[str, str]:
    """Return the reason beside each part in quarantine, by the part's name."""
    found = {}
    for entry in _entries(storage):
        if entry.path.endswith(_REASON):
            name = entry.path.rpartition("/")[2].removesuffix(_REASON)
            try:
                found[name] = storage.read(entry.path).decode("utf-8", "replace").strip()
            except StoreError:
                continue
    return found
