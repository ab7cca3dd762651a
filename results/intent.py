"""What is about to be removed: written down first, so that it is completed if interrupted."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from harness.errors import StoreError
from results.storage import MissingError, Storage

INTENT = "prune.json"


class _Intent(msgspec.Struct, frozen=True):
    """What prune.json says: the sessions that are going."""

    sessions: tuple[str, ...]


def pending(storage: Storage) -> tuple[str, ...]:
    """Return the sessions whose removal was interrupted."""
    try:
        return msgspec.json.decode(storage.read(INTENT), type=_Intent).sessions
    except MissingError:
        return ()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(
            f"{INTENT!r} in {storage.label!r} does not say what to remove: {error}",
            "delete it and remove them again",
        ) from error


def write(storage: Storage, session_ids: Iterable[str]) -> None:
    """Put down which sessions are going; the store's lock is held."""
    intent = _Intent(tuple(sorted(session_ids)))
    storage.replace(INTENT, msgspec.json.encode(intent) + b"\n")


def withdraw(storage: Storage, session_id: str) -> None:
    """Let a session that comes back stay; the store's lock is held.

    An intent that cannot be read removes nothing either: that must not keep a session from sealing.
    """
    try:
        going = pending(storage)
    except StoreError:
        return
    if session_id in going:
        write(storage, set(going) - {session_id})
