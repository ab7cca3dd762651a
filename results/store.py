"""A store is a directory of content-named files; many processes may write to it, one session each.

See layout.py for its files. Sealed sessions may also lie in a bucket, where nothing is measured.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from harness.errors import StoreError, UsageError
from harness.types import SessionPlan
from results import journal as journals
from results import layout, opening, quarantine, sealing
from results.catalog import Catalog
from results.durable import sync_directory, translated
from results.journal import Journal
from results.layout import LOCK, SESSIONS, STORE
from results.lock import lock, store_lock
from results.storage import Storage, open_storage

_BACK = re.compile(r"latest(?:~(\d{1,6}))?")


def new_session_id(now_unix_s: float | None = None) -> str:
    """Return an id that sorts by time: UTC to the second and eight random hex digits.

    Hundreds of boards begin in the same second of a night, and their stores are merged.
    """
    now = time.gmtime(time.time() if now_unix_s is None else now_unix_s)
    return f"{time.strftime('%Y%m%dT%H%M%SZ', now)}-{secrets.token_hex(4)}"


class Store:
    """The results of one machine or lab; made by `create` or `open`."""

    def __init__(self, storage: Storage) -> None:
        """Name the place; nothing is read or written yet."""
        self.storage = storage

    @property
    def label(self) -> str:
        """Return the place as the user wrote it."""
        return self.storage.label

    @property
    def root(self) -> Path:
        """Return the directory; StoreError for a bucket, where nothing is measured."""
        if self.storage.root is None:
            raise StoreError(
                f"{self.label!r} cannot hold a running session",
                "measure into a local store, then: boardmark store merge",
            )
        return self.storage.root

    @classmethod
    def create(cls, where: str | Path) -> Store:
        """Return the store at `where`, made if missing; StoreError unless it can be written."""
        storage = open_storage(where)
        if not opening.refuse_newer(storage):
            opening.refuse_inside(storage)
        if storage.root is not None:
            opening.probe(storage.root)
        storage.publish(STORE, opening.declaration())
        return cls(storage)

    @classmethod
    def open(cls, where: str | Path) -> Store:
        """Return the store at `where` for reading; StoreError if there is none."""
        storage = open_storage(where)
        declared = opening.refuse_newer(storage)
        if not declared:
            opening.refuse_inside(storage)
        if not declared and not opening.has_files(storage):
            made = "boardmark run" if storage.root is not None else "boardmark store merge"
            raise StoreError(
                f"there is no store at {storage.label!r}",
                f"make one with {made}, or say where it is with --store",
            )
        return cls(storage)

    def locked(self) -> AbstractContextManager[None]:
        """Hold the store's lock for a block (see lock.store_lock)."""
        return store_lock(self.storage.root)

    def catalog(self) -> Catalog:
        """Return what is sealed, as it lies there now."""
        return Catalog.of(self.storage)

    def journal(self, session_id: str) -> Path:
        """Return where the journal of a session lies while it is live."""
        return self._directory(session_id) / journals.JOURNAL

    def start(self, plan: SessionPlan) -> Journal:
        """Begin the session that `plan` describes; the plan is on the disk when this returns.

        A directory that an earlier start left without a plan is taken over.
        """
        directory = self._directory(plan.session_id)
        with translated("write", directory):
            planned = journals.has_plan(directory / journals.JOURNAL)
            if directory.is_dir() and not planned:
                with _locked(directory):
                    # another process may have begun this very session meanwhile
                    if not journals.has_plan(directory / journals.JOURNAL):
                        _remove(directory)
            directory.mkdir(mode=0o755)
            sync_directory(directory.parent)
        try:
            return Journal.create(directory, plan)
        except StoreError:
            _remove(directory)
            raise

    def resume(self, session_id: str) -> Journal:
        """Open the journal of an unfinished session behind its last good record."""
        path = self.journal(session_id)
        if self.catalog().claims("sessions", session_id):
            raise StoreError(
                f"session {session_id!r} is complete", "start a new one with boardmark run"
            )
        if not path.is_file():
            raise StoreError(
                f"there is no session {session_id!r} in {self.label!r}",
                "boardmark list sessions shows what there is",
            )
        return Journal.reopen(path.parent)

    def seal(self, session_id: str) -> tuple[str, ...]:
        """Turn a closed journal into parquet parts, one per table; sealed already is a no-op.

        Returns their paths in the store. The journal goes only after every part is on the disk and
        reads back as the same records. Killed at any point, doing it again completes it.
        StoreError where the session is sealed with other content: both are in quarantine then.
        """
        directory = self._directory(session_id)
        if not (directory / journals.JOURNAL).is_file():
            sealed = self.catalog().of_session(session_id)
            if not sealed:
                raise StoreError(f"there is no session {session_id!r} in {self.label!r}")
            _remove(directory)
            return sealed
        with _locked(directory):
            content = journals.read(directory / journals.JOURNAL)
            journals.check_known(directory / journals.JOURNAL, content)
            if content.plan is None:
                raise StoreError(f"{str(directory)!r} holds no plan, so there is nothing to seal")
            try:
                sealed = sealing.publish(self.storage, content.plan, content)
            except sealing.ConflictError:
                _remove(directory)
                raise
            _remove(directory)
        return sealed

    def sessions(self, catalog: Catalog | None = None) -> tuple[str, ...]:
        """Return the ids of all sessions, live and sealed, oldest first."""
        catalog = catalog or self.catalog()
        # journals first: what is sealed meanwhile is in the parts before its journal goes
        live = self.live(catalog)
        return tuple(sorted({*catalog.sessions(), *live}))

    def live(self, catalog: Catalog | None = None) -> tuple[str, ...]:
        """Return the ids of the sessions that are not sealed, oldest first: what can be resumed."""
        if self.storage.root is None:
            return ()
        found = (path.parent for path in (self.root / SESSIONS).glob(f"*/{journals.JOURNAL}"))
        names = [path.name for path in found if journals.has_plan(path / journals.JOURNAL)]
        names = [name for name in names if layout.SESSION_ID.fullmatch(name)]
        if names:
            sealed = (catalog or self.catalog()).sessions()
            names = sorted(set(names).difference(sealed))
        return tuple(names)

    def resolve(self, word: str, catalog: Catalog | None = None) -> str:
        """Return the id that a word stands for: an id, an unambiguous beginning, or `latest`.

        `latest~1` is the session before the latest, and so on.
        """
        known = self.sessions(catalog)
        if word in quarantine.conflicted(self.storage):
            raise StoreError(
                f"session {word!r} has two contents, and both lie in {layout.QUARANTINE}/",
                "decide which is right and move its parts back to where their reasons say",
            )
        if not known:
            raise UsageError(
                f"the store {self.label!r} holds no session yet", "measure one with boardmark run"
            )
        if back := _BACK.fullmatch(word):
            return _from_the_end(known, int(back.group(1) or 0))
        found = [name for name in known if name == word] or [n for n in known if n.startswith(word)]
        if len(found) == 1 and word:
            return found[0]
        near = found[-3:] or difflib.get_close_matches(word, known[-200:], n=3) or known[-3:]
        problem = "ambiguous" if found else "unknown"
        raise UsageError(f"{problem} session {word!r}", f"did you mean {' or '.join(near)}?")

    def _directory(self, session_id: str) -> Path:
        """Return where a live session lies; only well-formed ids become paths."""
        if not layout.SESSION_ID.fullmatch(session_id):
            raise UsageError(
                f"not a session id: {session_id!r}", "it looks like 20261120T141500Z-3f2a or latest"
            )
        return self.root / SESSIONS / session_id


def _from_the_end(known: Sequence[str], back: int) -> str:
    """Return the session `back` places before the latest."""
    if back < len(known):
        return known[-1 - back]
    raise UsageError(
        f"there is no session latest~{back}: the store holds {len(known)}",
        "boardmark list sessions shows them",
    )


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold a session's lock for the block; StoreError where another process has it."""
    with translated("lock", directory):
        held = lock(directory)
    try:
        yield
    finally:
        os.close(held)


def _remove(directory: Path) -> None:
    """Remove a session's directory; what cannot go is found again by the next seal or listing."""
    with contextlib.suppress(OSError):
        for name in (journals.JOURNAL, LOCK):
            (directory / name).unlink(missing_ok=True)
        directory.rmdir()
        sync_directory(directory.parent)
