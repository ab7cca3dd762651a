"""Start one tool, follow the memory of its process tree, end it in time, read what it left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from .records import Bench, Command, Peer, Reading, Start, Unusable

POLL_S = 0.25  # a high-water mark keeps what happened between two looks


def start(peer: Peer, bench: Bench, number: int, folder: Path) -> Start:
    """Run `peer` in the new `folder`; whatever goes wrong becomes the record's reason."""
    folder.mkdir(parents=True)
    try:
        command = peer.tool.command(bench, peer.word)
    except Unusable as error:
        return Start(tool=peer.name, round=number, wall_s=0.0, peak_bytes=None, reason=str(error))
    wall_s, peak, reason = execute(command, folder)
    reading: Reading | None = None
    if reason is None:
        try:
            reading = peer.tool.read(folder, peer.word)
        except (Unusable, OSError, ValueError, LookupError, TypeError) as error:
            reason = f"its output cannot be read: {type(error).__name__}: {error}"
    return Start(
        tool=peer.name,
        round=number,
        wall_s=wall_s,
        peak_bytes=peak,
        reading=reading,
        reason=reason,
    )


def execute(command: Command, folder: Path) -> tuple[float, int | None, str | None]:
    """Return (seconds, peak memory of the tree in bytes, why it failed or None).

    Standard output and error are kept in the folder, and the command line beside them.
    """
    for name, text in command.files.items():
        (folder / name).write_text(text, "utf-8")
    (folder / "command.txt").write_text("\n".join(command.argv), "utf-8")
    began = time.monotonic()
    with (folder / "stdout.txt").open("wb") as out, (folder / "stderr.txt").open("wb") as err:
        try:
            process = subprocess.Popen(
                command.argv,
                cwd=folder,
                env={**os.environ, **command.environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        except OSError as error:
            return 0.0, None, f"it cannot be started: {error.strerror}"
        tree = Tree(process.pid)
        peak, in_time = _follow(process, tree, began + command.patience_s)
    wall_s = time.monotonic() - began
    if not in_time:
        return wall_s, peak, f"no answer within {command.patience_s:g} s"
    if process.returncode not in command.good_codes:
        return wall_s, peak, f"exit code {process.returncode}: {_last_words(folder)}"
    return wall_s, peak, None


def _follow(process: subprocess.Popen[bytes], tree: Tree, deadline: float) -> tuple[int, bool]:
    """Return the tree's peak memory and whether it ended in time; nothing of it is left behind."""
    peak = 0
    try:
        while time.monotonic() < deadline:
            peak = max(peak, sum(map(high_water_bytes, tree.pids())))
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(POLL_S)
                return peak, True
        return peak, False
    finally:
        # an interrupt ends up here too
        if process.poll() is None:
            for pid in tree.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()


class Tree:
    """The living descendants of a process, itself included.

    Processes found to be strangers are not looked at again: a look costs a fraction of a
    millisecond beside what is being timed.
    """

    def __init__(self, root: int) -> None:
        self._ours = {root}
        self._strangers: set[int] = set()

    def pids(self) -> list[int]:
        """Return the process ids, found by their parents; sorted, parents mostly first."""
        with os.scandir("/proc") as entries:
            living = {int(entry.name) for entry in entries if entry.name.isdigit()}
        self._ours &= living
        self._strangers &= living
        for pid in sorted(living - self._ours - self._strangers):
            family = self._ours if parent(pid) in self._ours else self._strangers
            family.add(pid)
        return sorted(self._ours)


def parent(pid: int) -> int | None:
    """Return the parent's process id, None where the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    return int(text.rpartition(")")[2].split()[1])


def high_water_bytes(pid: int) -> int:
    """Return a process's VmHWM in bytes, 0 where it is gone or a zombie: it holds none then."""
    return next(_high_water(pid), 0)


def _high_water(pid: int) -> Iterator[int]:
    try:
        text = Path(f"/proc/{pid}/status").read_text("utf-8", "replace")
    except OSError:
        return
    for line in text.splitlines():
        if line.startswith("VmHWM:"):
            yield int(line.split()[1]) * 1024


def _last_words(folder: Path) -> str:
    """Return the last line that a failed tool wrote, shortened."""
    for name in ("stderr.txt", "stdout.txt"):
        lines = (folder / name).read_text("utf-8", "replace").split("\n")
        spoken = [line.strip() for line in lines if line.strip()]
        if spoken:
            return error_line(spoken)[:200]
    return "it said nothing"


def error_line(lines: list[str]) -> str:
    """Return the last line that names an error, else the last one."""
    named = [line for line in lines if "rror" in line.partition(" ")[0]]
    return named[-1] if named else lines[-1]
