"""A wall clock that jumps by days while a session runs, for the desk, its agent and the child.

A `sitecustomize` shifts time.time() by what stands in a file, in every Python process of the
session. Monotonic clocks stay right, as they do when a real clock is set. (libfaketime is of no use
here: without its own monotonic clock it lets time.sleep() of Python 3.11 and later fail.)
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from .desk import Desk, Session, judged
from .reader import rows
from .records import Campaign, Finding, Row, Scope, added
from .stops import measuring

FAULT = "the wall clock jumps a day while a session runs"
_SHIM = Path(__file__).parent / "clock_shim"
_DAY_S = 86400


class Jump(msgspec.Struct, frozen=True):
    """How many days the clock jumps in a run, and then once more while the session is dead.

    With `lost_agent` the agent dies in the run of the first jump, so that the desk has to say by
    its own clocks how long that run took.
    """

    name: str
    days: int
    resumed_days: int | None = None
    lost_agent: bool = False


_JUMPS = (
    Jump("forward", 1),
    Jump("back", -1),
    Jump("back, the agent lost", -1, lost_agent=True),
    Jump("back, resumed a day later", -1, resumed_days=1),
    Jump("forward, resumed a day before", 1, resumed_days=-1),
)


def play(scope: Scope) -> list[Row]:
    """Let the clock jump both ways; kill the session in between and resume it at another date."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jumps = _JUMPS if scope == "full" else _JUMPS[-1:]
        found = [_jumped(folder, jump) for jump in jumps]
    return [added(FAULT, found, "time.time() shifted in desk, agent and child")]


def _jumped(folder: Path, jump: Jump) -> Finding:
    where, clock = folder / jump.name.replace(" ", "-"), folder / "clock"
    desk = Desk(folder, sample="0.5s")
    desk.environment |= _shifted(clock)
    _set(clock, 0)
    process = desk.start(desk.command(where))
    processes = measuring(process, where)
    _set(clock, jump.days)
    if jump.lost_agent:
        os.kill(processes.supervisor, signal.SIGKILL)
    if jump.resumed_days is not None:
        measuring(process, where, after_runs=2)
        process.send_signal(signal.SIGKILL)
    ended = desk.ended(process)
    _set(clock, jump.days if jump.resumed_days is None else jump.resumed_days)
    session = Session(name=jump.name, where=where, ended=ended, codes=(4, -signal.SIGKILL))
    found = judged(desk, session)
    return msgspec.structs.replace(found, broken=(*found.broken, *_still(where, jump)))


def _still(where: Path, jump: Jump) -> Iterator[str]:
    """Say if the clock did not jump for those who measured: then nothing was tried."""
    began = [row["started_unix_s"] for row in rows(where, "runs") if row["run_id"]]
    if max(began) - min(began) < _DAY_S / 2:
        yield f"{jump.name}: the clock of the runs did not jump"


def _shifted(clock: Path) -> dict[str, str]:
    """Return the environment in which every process takes the date from the file `clock`."""
    paths = os.pathsep.join([str(_SHIM), str(_SHIM.parents[2]), str(_SHIM.parents[1])])
    return {"CLOCK_OFFSET_FILE": str(clock), "PYTHONPATH": paths}


def _set(clock: Path, days: int) -> None:
    beside = clock.with_suffix(".new")
    beside.write_text(f"{days * _DAY_S}\n")
    beside.replace(clock)


CAMPAIGN = Campaign("clocks", play)
