"""Processes that are stopped in the middle of a run and go on: SIGSTOP, a pause, SIGCONT."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from .desk import Desk, Session, judged
from .records import Campaign, Finding, Row, Scope, added

_PAUSE_S = {"full": 30.0, "reduced": 3.0}
_PATIENCE_S = 30.0


class Tree(msgspec.Struct, frozen=True):
    """The processes of a session while it measures: desk, supervisor, measured child."""

    desk: int
    supervisor: int
    child: int


def play(scope: Scope) -> list[Row]:
    """Stop the measured child, the agent's supervisor and the desk, each in its own session."""
    pause_s = _PAUSE_S[scope]
    chosen = ("desk",) if scope == "reduced" else ("child", "supervisor", "desk")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        desk = Desk(folder, sample="0.5s")
        return [
            added(
                f"SIGSTOP of the {who} for {pause_s:.0f} s", [_stopped(desk, folder, who, pause_s)]
            )
            for who in chosen
        ]


def _stopped(desk: Desk, folder: Path, who: str, pause_s: float) -> Finding:
    where = folder / who
    process = desk.start(desk.command(where))
    pid = getattr(measuring(process, where), who)
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(pause_s)
        faults = list(_not_taken_over(desk, where)) if who == "desk" else []
    finally:
        os.kill(pid, signal.SIGCONT)
    session = Session(name=f"{who} stopped", where=where, ended=desk.ended(process), codes=())
    found = judged(desk, session)
    return msgspec.structs.replace(found, broken=(*found.broken, *faults))


def _not_taken_over(desk: Desk, where: Path) -> Iterator[str]:
    """Say if another process could resume a session whose own is only stopped."""
    tried = desk.run(["run", "--resume", "--no-report", "--store", str(where)])
    if tried.code != 2 or "is being written by process" not in tried.errors:
        yield f"a stopped session could be resumed: {tried.code} {tried.errors.strip()[-300:]}"


def measuring(process: subprocess.Popen[str], where: Path, after_runs: int = 1) -> Tree:
    """Return the processes of a session once `after_runs` runs are safe and another is measured."""
    _until(
        lambda: any(_lines(path) > after_runs for path in where.glob("sessions/*/journal.ndjson"))
    )
    found: list[Tree] = []

    def look() -> bool:
        for supervisor in _children(process.pid):
            found.extend(Tree(process.pid, supervisor, child) for child in _children(supervisor))
        return bool(found)

    _until(look)
    return found[0]


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not true():
        if time.monotonic() > deadline:
            raise RuntimeError(f"nothing was measured within {_PATIENCE_S:.0f} s")
        time.sleep(0.01)


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")


def _children(pid: int) -> list[int]:
    """Return the processes whose parent is `pid`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # the name in parentheses may hold anything; state and parent follow the last one
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
        except OSError:
            continue  # gone meanwhile
    return found


CAMPAIGN = Campaign("stops", play)
