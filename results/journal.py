"""The journal of a live session: one self-checking line per finished run, on the disk at once.

The first record is the plan, then come runs and notes. A record is appended with a single write and
synced, so that a crash can only tear the last line, which was never acknowledged and is cut when
the journal is opened again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from harness.errors import StoreError
from harness.types import Run, SessionPlan
from results.durable import RESUME, open_file, read_file, sync_directory, translated, write_all
from results.lines import DamageError, Record, decode, is_whole, outlasts, readable
from results.lock import lock
from results.storage import MissingError

JOURNAL = "journal.ndjson"
_LARGEST_NS = 2**63 - 1


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What a journal holds; its last good record ends at `end_bytes`, `torn_bytes` follow.

    `damaged` names each unreadable line before that end; it is empty unless reading was asked to
    salvage. `plan_json` and `run_json`, one for each of `runs`, are the texts themselves, with
    whatever a newer version wrote into them. `digest` (16 hex digits) changes with any of it, and
    is the same whichever version reads the journal. `unknown` are kinds of records that only a
    newer version knows: what such a journal says is not all of it.
    """

    plan: SessionPlan | None
    runs: tuple[Run, ...]
    notes: tuple[str, ...]
    end_bytes: int
    torn_bytes: int
    damaged: tuple[str, ...] = ()
    plan_json: bytes = b""
    run_json: tuple[bytes, ...] = ()
    digest: str = ""
    unknown: tuple[str, ...] = ()


def read(path: Path, salvage: bool = False) -> Content:
    """Return what the journal at `path` holds, without its torn tail; change nothing.

    A damaged line before the tail raises StoreError naming it, or is left out and listed if
    `salvage`.
    """
    with translated("read", path):
        try:
            data = read_file(path)
        except FileNotFoundError as error:
            raise MissingError(
                f"cannot read {str(path)!r}: it is not there",
                "another process may have sealed the session, so ask again",
            ) from error
    lines = data.split(b"\n")
    tail = lines.pop()
    records: list[Record] = []
    damaged: list[str] = []
    end = 0
    for number, line in enumerate([*lines, tail] if outlasts(tail) else lines, start=1):
        try:
            records.append(decode(line))
        except DamageError as damage:
            if number == len(lines) and not tail and not outlasts(line):
                tail = line + b"\n"
                break
            if not salvage:
                advice = "move the session's directory away and measure again"
                raise StoreError(f"{str(path)!r} line {number} {damage}", advice) from None
            damaged.append(f"{str(path)!r} line {number} {damage}: left out")
        end += len(line) + 1
    return _content(path, records, end, len(tail), tuple(damaged))


def check_known(path: Path, content: Content) -> None:
    """Raise StoreError where a journal holds what this version would lose in sealing it."""
    if content.unknown:
        kinds = ", ".join(map(repr, content.unknown))
        raise StoreError(
            f"{str(path)!r} holds records of a kind that this version does not know: {kinds}",
            "upgrade boardmark to bring the session to its end",
        )


def kept_runs(count: int) -> str:
    """Return the clause that tells people what a failure did not cost them."""
    return f"{count} finished {'run is' if count == 1 else 'runs are'} kept in its journal"


def has_plan(path: Path) -> bool:
    """Tell whether the journal got as far as its plan; without one nothing was measured.

    A bad first line is a torn plan where nothing follows it, and damage where something does. What
    is there and cannot be read has one, as far as anyone knows.
    """
    try:
        with open_file(path) as file:
            line = file.readline()
            return line.endswith(b"\n") and (is_whole(line) or bool(file.read(1)))
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _content(
    path: Path, records: list[Record], end: int, torn: int, damaged: tuple[str, ...]
) -> Content:
    """Sort the records of a journal by kind; a run that was written twice counts once."""
    plan: SessionPlan | None = None
    plan_json = b""
    runs: dict[str, tuple[Run, bytes]] = {}
    notes: list[str] = []
    unknown: dict[str, None] = {}
    hasher = hashlib.sha256()
    try:
        for record in records:
            body = bytes(record.body)
            if record.kind == "plan" and plan is None:
                plan, plan_json = msgspec.json.decode(body, type=SessionPlan), body
            elif record.kind == "run":
                run = msgspec.json.decode(body, type=Run)
                if run.run_id in runs:
                    continue
                runs[run.run_id] = run, body
            elif record.kind == "note":
                notes.append(msgspec.json.decode(body, type=str))
            else:
                unknown |= {} if record.kind == "plan" else {record.kind: None}
                continue
            hasher.update(b"%b %d %b\n" % (record.kind.encode(), len(body), body))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise StoreError(
            f"{str(path)!r} holds a record this version cannot read: {error}",
            "read it with the version of boardmark that wrote it",
        ) from error
    return Content(
        plan=plan,
        runs=tuple(run for run, _ in runs.values()),
        notes=tuple(notes),
        end_bytes=end,
        torn_bytes=torn,
        damaged=damaged,
        plan_json=plan_json,
        run_json=tuple(text for _, text in runs.values()),
        digest=hasher.hexdigest()[:16],
        unknown=tuple(unknown),
    )


class Journal:
    """The open journal of one session, locked against every other process until it is closed.

    Made by `Store.start` and `Store.resume`. After an error nothing more is accepted: what is on
    the disk is certain, what the kernel still holds is not, and only opening it again tells.
    """

    def __init__(
        self, path: Path, lock: int, descriptor: int, plan: SessionPlan, content: Content
    ) -> None:
        """Take over the lock and the descriptor that appends to the journal at `path`."""
        self.path = path
        self.plan = plan
        self._lock = lock
        self._descriptor = descriptor
        self._end = content.end_bytes
        self._runs = {run.run_id: run for run in content.runs}
        self._notes = list(content.notes)
        self._broken = False

    @classmethod
    def create(cls, directory: Path, plan: SessionPlan) -> Journal:
        """Open a new journal in the empty `directory`; the plan is on the disk on return."""
        path = directory / JOURNAL
        with translated("write", directory):
            held = lock(directory)
        try:
            with translated("write", path):
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW
                descriptor = os.open(path, flags, 0o644)
                sync_directory(directory)
        except StoreError:
            os.close(held)
            raise
        empty = Content(plan=plan, runs=(), notes=(), end_bytes=0, torn_bytes=0)
        journal = cls(path, held, descriptor, plan, empty)
        try:
            journal._append("plan", plan)
        except StoreError:
            journal.close()
            raise
        return journal

    @classmethod
    def reopen(cls, directory: Path) -> Journal:
        """Open the journal of an unfinished session and cut its torn tail."""
        path = directory / JOURNAL
        with translated("write", directory):
            held = lock(directory)
        try:
            content = read(path)
            check_known(path, content)
            if content.plan is None:
                raise StoreError(
                    f"{str(path)!r} ends before its plan, so nothing was measured in it",
                    "start a new session with boardmark run",
                )
            with translated("write", path):
                descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
                if content.torn_bytes:
                    os.ftruncate(descriptor, content.end_bytes)
                    os.fsync(descriptor)
        except StoreError:
            os.close(held)
            raise
        return cls(path, held, descriptor, content.plan, content)

    @property
    def runs(self) -> tuple[Run, ...]:
        """Return the runs that are on the disk, in the order they were finished."""
        return tuple(self._runs.values())

    @property
    def notes(self) -> tuple[str, ...]:
        """Return the sentences that were put down beside the runs."""
        return tuple(self._notes)

    def append(self, run: Run) -> None:
        """Put `run` on the disk before returning; the same run again is a no-op."""
        known = self._runs.get(run.run_id)
        if known is not None:
            if msgspec.json.encode(known) == msgspec.json.encode(run):
                return
            raise StoreError(
                f"run {run.run_id!r} is already in {str(self.path)!r} with other content"
            )
        if not all(0 <= value <= _LARGEST_NS for value in run.samples_ns):
            raise StoreError(f"run {run.run_id!r} holds a duration that is no 64-bit number of ns")
        self._append("run", run)
        self._runs[run.run_id] = run

    def note(self, text: str) -> None:
        """Put a sentence about the whole session on the disk before returning."""
        self._append("note", text)
        self._notes.append(text)

    def close(self) -> None:
        """Let go of the file and of the lock; closing twice is harmless."""
        for descriptor in (self._descriptor, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptor = self._lock = -1

    def __enter__(self) -> Journal:
        """Return the journal, to be closed at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the journal, whatever happened in the block."""
        self.close()

    def _append(self, kind: str, body: Any) -> None:
        """Write one record and sync it, or leave the file as it was and say what is safe."""
        kept = kept_runs(len(self._runs))
        if self._broken or self._descriptor < 0:
            raise StoreError(f"{str(self.path)!r} is closed for writing; {kept}", RESUME)
        try:
            line = readable(kind, body)
        except DamageError as odd:
            raise StoreError(f"cannot keep this {kind} in {str(self.path)!r}: it {odd}") from odd
        with translated("append to", self.path, kept):
            try:
                write_all(self._descriptor, line)
                os.fdatasync(self._descriptor)
            except OSError:
                self._broken = True
                self._cut()
                raise
        self._end += len(line)

    def _cut(self) -> None:
        """Take back a failed write; where even that fails, the next opening cuts it."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, self._end)
