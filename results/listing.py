"""The files of a store as they lay there at one moment, whoever rewrites them meanwhile."""

from __future__ import annotations

from results.lock import rewriting
from results.storage import Entry, Storage

_TRIES = 20


def entries(storage: Storage, folder: str) -> list[Entry]:
    """List the files below `folder`, until no one can have moved any during the listing.

    A file that is replaced by another one while a directory is read may show up as neither.
    """
    before = rewriting(storage.root)
    found = list(storage.walk(folder))
    for _ in range(_TRIES):
        if rewriting(storage.root) == before and not before[1]:
            break
        before, last = rewriting(storage.root), found
        found = list(storage.walk(folder))
        if found == last:
            break
    return found
