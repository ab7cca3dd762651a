"""Disks of a few kilobytes: tmpfs in a mount namespace of its own that ends with its process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec

from .desk import Desk, Session
from .desk import judged as judged_session
from .judge import Case, judged
from .processes import ROOT, Ended, ForkServer
from .records import Campaign, Finding, Row, Scope, added, not_here

WRITER = "a full disk: tmpfs of each size under a writer"
SESSION = "a full disk: tmpfs of each size under a real session"
_PAGE_KB = 4
_SIZES_KB = {"full": range(_PAGE_KB, 196, _PAGE_KB), "reduced": range(8, 96, 24)}
_SESSIONS_KB = {"full": (8, 12, 16, 24, 32, 48, 64, 96), "reduced": ()}
_CAUSE = "no space left on device"


def play(scope: Scope) -> list[Row]:
    """Let writers and sessions run into the end of small disks, make room, let them go on."""
    unshare = [shutil.which("unshare") or "", "--mount", *([] if os.geteuid() == 0 else ["-Ur"])]
    probe = [*unshare, "mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", tempfile.gettempdir()]
    if not unshare[0] or subprocess.run(probe, capture_output=True, check=False).returncode:
        missing = "mount namespaces are not permitted"
        return [not_here(fault, missing) for fault in (WRITER, SESSION)]
    paths = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
    told = subprocess.run(
        [*unshare, sys.executable, "-m", "torture.small_disks", scope],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    return msgspec.json.decode(told, type=list[Row])


def inside(scope: Scope) -> list[Row]:
    """Do so in the namespace that this process is in."""
    sizes, sessions = _SIZES_KB[scope], _SESSIONS_KB[scope]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [added(WRITER, _writers(folder, sizes), _range(sizes))]
        if sessions:
            rows.append(added(SESSION, _sessions(folder, sessions), _range(sessions)))
        return rows


def _range(sizes_kb: Sequence[int]) -> str:
    return f"{sizes_kb[0]} to {sizes_kb[-1]} kB"


def _writers(folder: Path, sizes_kb: Sequence[int]) -> Iterator[Finding]:
    with ForkServer() as server:
        for size in sizes_kb:
            disk = _disk(folder / f"writer-{size}", size)
            case = Case(name=f"writer on {size} kB", where=disk / "store", cause=_CAUSE)
            yield judged(server, case, partial(_written, server, disk))
            _mount("umount", str(disk))


def _written(server: ForkServer, disk: Path, where: Path) -> Ended:
    ended = server.run("write", where)
    _enlarge(disk)
    return ended


def _sessions(folder: Path, sizes_kb: Sequence[int]) -> Iterator[Finding]:
    desk = Desk(folder)
    desk.run(desk.command(folder / "warm-up"))
    for size in sizes_kb:
        disk = _disk(folder / f"session-{size}", size)
        ended = desk.run(desk.command(disk / "store"))
        _enlarge(disk)
        session = Session(
            name=f"session on {size} kB", where=disk / "store", ended=ended, cause=_CAUSE
        )
        yield judged_session(desk, session)
        _mount("umount", str(disk))


def _disk(path: Path, size_kb: int) -> Path:
    path.mkdir()
    _mount("mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "tmpfs", str(path))
    return path


def _enlarge(disk: Path) -> None:
    _mount("mount", "-o", "remount,size=64m", str(disk))


def _mount(*words: str) -> None:
    subprocess.run(words, check=True)


CAMPAIGN = Campaign("small-disks", play)

if __name__ == "__main__":
    sys.stdout.write(json.dumps(msgspec.to_builtins(inside(sys.argv[1]))))  # type: ignore[arg-type]
