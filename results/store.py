"""A store is a directory of content-named files; many processes may write to it, one session each.

sessions/<id>/journal.ndjson    a session that is running or was interrupted
parts/<table>/<id>-....parquet  sealed sessions; writing the part in `sessions`, the last, seals
quarantine/                     parts that were found corrupt
"""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.errors import StoreError, UsageError
from harness.types import Run, SessionPlan
from results import journal as journals
from results import parts, tables
from results.durable import make_directory, sync_directory, translated
from results.format1 import TABLES
from results.journal import Journal
from results.lock import LOCK, lock

SESSIONS = "sessions"
PATTERN = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4,16}")
_BACK = re.compile(r"latest(?:~(\d{1,6}))?")


def new_session_id(now_unix_s: float | None = None) -> str:
    """Return an id that sorts by time: UTC to the second and four random hex digits."""
    now = time.gmtime(time.time() if now_unix_s is None else now_unix_s)
    return f"{time.strftime('%Y%m%dT%H%M%SZ', now)}-{secrets.token_hex(2)}"


class Store:
    """The results of one machine or lab under one directory; made by `create` or `open`."""

    def __init__(self, root: Path) -> None:
        """Name the directory; nothing is read or written yet."""
        self.root = root

    @classmethod
    def create(cls, root: Path) -> Store:
        """Return the store at `root`, made if missing; StoreError unless it can be written."""
        with translated("write to the store", root):
            for name in (SESSIONS, *(f"{parts.PARTS}/{table}" for table in TABLES)):
                make_directory(root / name)
            # a mount may be read-only although its permissions are fine: only a file tells
            probe = root / f".tmp-{secrets.token_hex(8)}"
            os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            probe.unlink()
        return cls(root)

    @classmethod
    def open(cls, root: Path) -> Store:
        """Return the store at `root` for reading; StoreError if there is none."""
        with translated("read the store", root):
            if not any((root / name).is_dir() for name in (SESSIONS, parts.PARTS)):
                raise StoreError(
                    f"there is no store at {str(root)!r}",
                    "measure something with boardmark run, or say where it is with --store",
                )
        return cls(root)

    def start(self, plan: SessionPlan) -> Journal:
        """Begin the session that `plan` describes; the plan is on the disk when this returns."""
        directory = self._directory(plan.session_id)
        with translated("write", directory):
            directory.mkdir(mode=0o755)
            sync_directory(directory.parent)
        try:
            return Journal.create(directory, plan)
        except StoreError:
            _remove(directory)
            raise

    def resume(self, session_id: str) -> Journal:
        """Open the journal of an unfinished session behind its last good record."""
        directory = self._directory(session_id)
        if parts.find(self.root, "sessions", session_id):
            raise StoreError(
                f"session {session_id!r} is complete", "start a new one with boardmark run"
            )
        if not (directory / journals.JOURNAL).is_file():
            raise StoreError(
                f"there is no session {session_id!r} in {str(self.root)!r}",
                "boardmark list sessions shows what there is",
            )
        return Journal.reopen(directory)

    def seal(self, session_id: str) -> tuple[Path, ...]:
        """Turn a closed journal into parquet parts and return them; sealed already is a no-op.

        The journal goes only after every part is on the disk and reads back as the same records.
        Killed at any point, doing it again completes it.
        """
        directory = self._directory(session_id)
        if not directory.is_dir():
            sealed = self._sealed(session_id)
            if not sealed:
                raise StoreError(f"there is no session {session_id!r} in {str(self.root)!r}")
            return sealed
        with _locked(directory):
            sealed = self._sealed(session_id) or self._write_parts(session_id)
            _remove(directory)
        return sealed

    def sessions(self) -> tuple[str, ...]:
        """Return the ids of all sessions, live and sealed, oldest first."""
        sealed = {parts.session_of(path) for path in parts.find(self.root, "sessions")}
        return tuple(sorted(sealed | set(self.live())))

    def live(self) -> tuple[str, ...]:
        """Return the ids of the sessions that are not sealed, oldest first: what can be resumed."""
        sealed = {parts.session_of(path) for path in parts.find(self.root, "sessions")}
        found = (path.parent for path in (self.root / SESSIONS).glob(f"*/{journals.JOURNAL}"))
        names = (path.name for path in found if journals.has_plan(path / journals.JOURNAL))
        return tuple(
            sorted(name for name in names if PATTERN.fullmatch(name) and name not in sealed)
        )

    def resolve(self, word: str) -> str:
        """Return the id that a word stands for: an id, an unambiguous beginning, or `latest`.

        `latest~1` is the session before the latest, and so on.
        """
        known = self.sessions()
        if not known:
            raise UsageError(
                f"the store {str(self.root)!r} holds no session yet",
                "measure one with boardmark run",
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
        if not PATTERN.fullmatch(session_id):
            raise UsageError(
                f"not a session id: {session_id!r}", "it looks like 20261120T141500Z-3f2a or latest"
            )
        return self.root / SESSIONS / session_id

    def _sealed(self, session_id: str) -> tuple[Path, ...]:
        """Return the parts of a sealed session, none while it is not committed."""
        if not parts.find(self.root, "sessions", session_id):
            return ()
        found = (parts.find(self.root, table, session_id) for table in TABLES)
        return tuple(path for paths in found for path in paths)

    def _write_parts(self, session_id: str) -> tuple[Path, ...]:
        """Write the three parts of a journal, the one that commits them last."""
        directory = self._directory(session_id)
        content = journals.read(directory / journals.JOURNAL)
        if content.plan is None:
            raise StoreError(f"{str(directory)!r} holds no plan, so there is nothing to seal")
        plan, runs, notes = content.plan, content.runs, content.notes
        digest = tables.content_digest(plan, runs, notes)
        writer = f"boardmark {plan.harness_version}"
        with translated("seal", directory, journals.kept_runs(len(runs))):
            self._discard_uncommitted(session_id)
            data = parts.encode("samples", tables.sample_rows(runs), writer, digest)
            samples = parts.write(self.root, "samples", session_id, data)
            data = parts.encode("runs", tables.run_rows(plan, runs), writer, digest)
            rows = parts.write(self.root, "runs", session_id, data)
            _compare(runs, rows, samples)
            row = tables.session_row(plan, runs, notes)
            row |= {"runs_part": rows.name, "samples_part": samples.name}
            commit = parts.encode("sessions", [row], writer, digest)
            return parts.write(self.root, "sessions", session_id, commit), rows, samples

    def _discard_uncommitted(self, session_id: str) -> None:
        """Remove what a seal that was interrupted left, so that no engine counts its runs twice."""
        for table in ("runs", "samples"):
            for path in parts.find(self.root, table, session_id):
                path.unlink()


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


def _compare(expected: tuple[Run, ...], rows: Path, samples: Path) -> None:
    """Refuse to let a journal go whose parts do not read back as the same runs."""
    try:
        same = tables.runs_from(parts.read(rows), parts.read(samples)) == expected
    except parts.CorruptPartError:
        same = False
    if not same:
        raise StoreError(
            f"{str(rows)!r} does not read back as it was written, so the journal is kept",
            "check the disk, then seal it again with boardmark run --resume",
        )


def _remove(directory: Path) -> None:
    """Remove a session's directory; what cannot go is found again by the next seal or listing."""
    with contextlib.suppress(OSError):
        for name in (journals.JOURNAL, LOCK):
            (directory / name).unlink(missing_ok=True)
        directory.rmdir()
        sync_directory(directory.parent)
