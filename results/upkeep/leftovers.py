"""What writers that were killed left behind, and nobody needs."""

from __future__ import annotations

import os
import time
from pathlib import Path

from results import journal, layout
from results.catalog import Catalog
from results.durable import translated
from results.storage import UNFINISHED
from results.store import Store

# A file that is being written in a place without a lock is younger than this.
_OLD_S = 3600.0
# Nothing of ours lies in more folders.
_DEEPEST = 16


def unfinished(store: Store) -> tuple[Path, ...]:
    """Return the files that were never published; those of a bucket never show up.

    Below parts/ and quarantine/ one writes with the store's lock only: while it is held none is in
    use. Elsewhere a file counts once it is an hour old.
    """
    root = store.storage.root
    if root is None:
        return ()
    found = []
    with translated("read", root):
        for folder, below, names in os.walk(root):
            inside = Path(folder).relative_to(root).parts
            locked = inside[:1] in ((layout.PARTS,), (layout.QUARANTINE,))
            if len(inside) > _DEEPEST:
                below.clear()
            for name in names:
                path = Path(folder, name)
                if name.startswith(UNFINISHED) and (locked or _is_old(path)):
                    found.append(path)
    return tuple(sorted(found))


def closed_journals(store: Store, catalog: Catalog) -> tuple[str, ...]:
    """Return the sessions that are sealed and whose journal is still there."""
    if store.storage.root is None:
        return ()
    folder = store.storage.root / layout.SESSIONS
    names = {path.parent.name for path in folder.glob(f"*/{journal.JOURNAL}")}
    return tuple(sorted(names & set(catalog.sessions())))


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > _OLD_S
    except FileNotFoundError:
        return False
