"""A real session of the null backend through the command line: one case twice and the anchors."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from . import reader
from .judge import wrong_message
from .processes import ROOT, WAIT_S, Ended
from .records import Finding

BLOCKS = 2
_MARK = "BOARDMARK_TORTURE"


class Desk:
    """Runs the command line with one cache of artifacts; every process it starts carries a mark."""

    def __init__(self, folder: Path, sample: str = "0.1s") -> None:
        """Keep the artifacts below `folder`; sample each run for `sample`."""
        self._mark = secrets.token_hex(8)
        self._sample = sample
        self.environment = {
            **os.environ,
            "BOARDMARK_CACHE": str(folder / "cache"),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
            "PYTHONDONTWRITEBYTECODE": "1",
            _MARK: self._mark,
        }

    def command(self, where: Path) -> list[str]:
        """Return the words that measure a session into the store at `where`."""
        return [
            *("run", "--suite", "quick", "--model", "null-model", "--backends", "null"),
            *("--variants", "fp32", "--blocks", str(BLOCKS)),
            *("--sample", self._sample, "--no-report", "--store", str(where)),
        ]

    def start(
        self, words: Sequence[str], before: Sequence[str] = (), **more: str
    ) -> subprocess.Popen[str]:
        """Start the command line with `words`, under the command `before`."""
        return subprocess.Popen(
            [*before, sys.executable, "-m", "harness.cli", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**self.environment, **more},
            text=True,
            cwd=ROOT,
        )

    def run(self, words: Sequence[str], before: Sequence[str] = (), **more: str) -> Ended:
        """Return how the command line ended; what it leaves running is waited for and told."""
        return self.ended(self.start(words, before, **more))

    def ended(self, process: subprocess.Popen[str]) -> Ended:
        """Return how a started command line ends."""
        _, errors = process.communicate(timeout=3 * WAIT_S)
        return Ended(process.returncode, (), errors)

    def go_on(self, where: Path) -> Ended:
        """Resume what can be resumed, begin again where there is nothing, tidy what is complete."""
        if reader.rows(where, "sessions"):
            return self.run(["store", "reindex", "--store", str(where)])
        if any(reader.records(path) for path in where.glob("sessions/*/journal.ndjson")):
            return self.run(["run", "--resume", "--no-report", "--store", str(where)])
        return self.run(self.command(where))

    def left_running(self, within_s: float = 15.0) -> Iterator[str]:
        """Say which of our processes are still there after `within_s`, and end them."""
        deadline = time.monotonic() + within_s
        while (found := self._marked()) and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid, command in found.items():
            yield f"left running: {command}"
            os.kill(pid, signal.SIGKILL)

    def _marked(self) -> dict[int, str]:
        mark = f"{_MARK}={self._mark}".encode()
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (path / "environ").read_bytes().split(b"\0"):
                    command = (path / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[int(path.name)] = command.decode(errors="replace").strip()
            except OSError:
                continue  # gone, or not ours
        return found


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session that a fault was put into: how it ended and what is known to have been safe."""

    name: str
    where: Path
    ended: Ended
    acked: int = 0
    cause: str = ""
    codes: tuple[int, ...] = (2,)


def judged(desk: Desk, session: Session) -> Finding:
    """Look at the store of a broken session, let it go on to its end, and look again."""
    before = reader.look(session.where)
    faults = [*desk.left_running(), *before.broken, *_ending(session)]
    again = desk.go_on(session.where)
    after = reader.look(session.where)
    faults += [*_completed(session.where, again, after), *after.broken]
    faults += [*desk.left_running(), *_verified(desk, session.where)]
    there = {name: found[0] for name, found in (before.journaled | before.sealed).items()}
    return Finding(
        lost=max(0, session.acked - len(there)) + len(after.missing(there)),
        duplicated=len(set(before.doubled()) | set(after.doubled())),
        tracebacks=sum("Traceback" in one.errors for one in (session.ended, again)),
        broken=tuple(f"{session.name}: {sentence}" for sentence in faults),
    )


def _ending(session: Session) -> Iterator[str]:
    ended = session.ended
    if ended.code not in (0, *session.codes):
        yield f"ended with {ended.code}: {ended.errors.strip()[-300:]}"
    elif ended.code == 2 and session.cause:
        last = "".join(line for line in ended.errors.splitlines(True) if "boardmark: " in line)
        yield from wrong_message(last, session.where, session.cause)


def _completed(where: Path, again: Ended, after: reader.Seen) -> Iterator[str]:
    """Say what is not as it should be after all went on to the end."""
    if again.code:
        yield f"going on ended with {again.code}: {again.errors.strip()[-300:]}"
    if after.journaled:
        yield f"{len(after.journaled)} runs journaled in the end"
    yield from sensible(where)


def sensible(where: Path) -> Iterator[str]:
    """Say which planned runs are missing, repeated, out of order or hold negative times."""
    found = sorted(
        (row for row in reader.rows(where, "runs") if row["run_id"]), key=lambda row: row["seq"]
    )
    if [row["seq"] for row in found] != list(range(len(found))):
        yield f"sequence numbers {[row['seq'] for row in found]}"
    measured = {(row["block"], row["case_key"]) for row in found}
    if len(measured) != len(found):
        yield "a case was measured twice in a block"
    for plan in (json.loads(row["plan_json"]) for row in reader.rows(where, "sessions")):
        # more blocks than those of the plan repeat what the machine disturbed
        planned = {(block, key) for block, keys in enumerate(plan["order"]) for key in keys}
        if planned - measured:
            yield f"{len(planned - measured)} of {len(planned)} planned runs are missing"
    for row in found:
        if row["duration_s"] < 0 or any((row[name] or 0) < 0 for name in ("import_s", "load_s")):
            yield f"run {row['seq']} has a negative duration"
    for row in reader.rows(where, "samples"):
        if min(row["values"], default=0) < 0:
            yield f"run {row['run_id']} has a negative sample"


def _verified(desk: Desk, where: Path) -> Iterator[str]:
    checked = desk.run(["store", "verify", "--store", str(where)])
    if checked.code:
        yield f"verify ended with {checked.code}: {checked.errors.strip()[-300:]}"
