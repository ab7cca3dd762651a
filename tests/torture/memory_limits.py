"""A measured child that gets no memory: killed by its cgroup, or refused by its address space."""

from __future__ import annotations

import contextlib
import os
import resource
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from .desk import Desk, Session, judged
from .reader import rows
from .records import Campaign, Finding, Row, Scope, added, not_here
from .stops import measuring

CGROUP = "out of memory: the measured child's cgroup allows 1 MB"
ADDRESS_SPACE = "out of memory: RLIMIT_AS of the measured child"
_LIMIT_BYTES = 1 << 20
_V1, _V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")


def play(scope: Scope) -> list[Row]:
    """Take the memory from the child of a session's second run; the others must be measured."""
    table = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with _cgroup() as group:
            if group is None:
                table.append(not_here(CGROUP, "no memory cgroup may be made"))
            else:
                table.append(_row(CGROUP, folder / "group", lambda pid: _join(group, pid)))
        if scope == "full":
            table.append(_row(ADDRESS_SPACE, folder / "space", _confine))
    return table


def _row(fault: str, folder: Path, starve: Callable[[int], None]) -> Row:
    folder.mkdir()
    desk = Desk(folder, sample="1s")
    where = folder / "store"
    process = desk.start(desk.command(where))
    starve(measuring(process, where).child)
    ended = desk.ended(process)
    session = Session(name=fault, where=where, ended=ended, codes=(4,))
    found = judged(desk, session)
    words = [word for word in dict.fromkeys(_statuses(where)) if word != "ok"]
    return added(fault, [_recorded(where, found)], f"recorded as {', '.join(words)}")


def _recorded(where: Path, found: Finding) -> Finding:
    """Add what is wrong with how the session recorded its starved run."""
    starved = [status for status in _statuses(where) if status != "ok"]
    if starved in (["crashed"], ["failed"], ["oom"]):
        return found
    sentence = f"the runs that failed ended as {starved}"
    return msgspec.structs.replace(found, broken=(*found.broken, sentence))


def _statuses(where: Path) -> list[str]:
    runs = [row for row in rows(where, "runs") if row["run_id"]]
    return [row["status"] for row in sorted(runs, key=lambda row: row["seq"])]


def _confine(pid: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_AS, (_LIMIT_BYTES, _LIMIT_BYTES))


def _join(group: Path, pid: int) -> None:
    (group / "cgroup.procs").write_text(str(pid))


@contextlib.contextmanager
def _cgroup() -> Iterator[Path | None]:
    """Give a cgroup with little memory and no swap; None where none can be made."""
    v1 = (_V1 / "memory.limit_in_bytes").exists()
    group = (_V1 if v1 else _V2) / f"boardmark-torture-{os.getpid()}"
    limits = ("memory.limit_in_bytes",) if v1 else ("memory.max", "memory.swap.max")
    try:
        group.mkdir()
    except OSError:
        yield None
        return
    try:
        for name in limits:
            (group / name).write_text(str(_LIMIT_BYTES if name != "memory.swap.max" else 0))
    except OSError:
        yield None
    else:
        yield group
    finally:
        group.rmdir()


CAMPAIGN = Campaign("memory", play)
