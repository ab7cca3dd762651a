"""kill -9 of the command line in the middle of a real session, and a disk that fails under it."""

from __future__ import annotations

import re
import signal
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from .desk import Desk, Session, judged
from .processes import CHANGES, STRACE, Ended, Moment, moments
from .records import Campaign, Finding, Row, Scope, added, not_here

KILLS = "kill -9 of a real session (boardmark run)"
SYNCS = "EIO from one fdatasync of a real session"
_KILLS, _SYNCS = 30, 5
# Opening is left to the writer: here it is mostly Python's imports.
_CALLS = tuple(call for call in CHANGES if call != "openat")
# The first sync is the plan's, each other one makes a run safe.
_AFTER_ONE_RUN = Moment("fdatasync", 3)
_SYNCED = re.compile(r"^fdatasync\(\d+\) += 0$", re.MULTILINE)


def play(scope: Scope) -> list[Row]:
    """Kill sessions at moments spread over their whole life; let their syncs fail."""
    if STRACE is None:
        return [not_here(fault, "strace is not installed") for fault in (KILLS, SYNCS)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        desk = Desk(folder)
        if scope == "reduced":
            return [added(KILLS, _killed(desk, folder, [_AFTER_ONE_RUN]), "in its second run")]
        _traced(desk, folder / "warm-up", folder / "log", [])
        _traced(desk, folder / "untroubled", folder / "log", [])
        found = moments(folder / "log")
        syncs = [at for at in found if at.call == "fdatasync"]
        kills, failing = spread(found, _KILLS), spread(syncs, _SYNCS)
        return [
            added(KILLS, _killed(desk, folder, kills), f"{len(kills)} of its {len(found)} calls"),
            added(SYNCS, _unsynced(desk, folder, failing), f"{len(failing)} of its {len(syncs)}"),
        ]


def spread(found: Sequence[Moment], count: int) -> list[Moment]:
    """Return `count` of the moments, evenly spread; all where there are fewer."""
    if count >= len(found):
        return list(found)
    return [found[round((place + 0.5) * len(found) / count)] for place in range(count)]


def _killed(desk: Desk, folder: Path, chosen: Sequence[Moment]) -> Iterator[Finding]:
    for place, at in enumerate(chosen):
        where = folder / f"killed-{place}"
        ended = _traced(desk, where, folder / "log", [f"{at.call}:signal=KILL:when={at.number}"])
        synced = len(_SYNCED.findall((folder / "log").read_text(errors="replace")))
        name = f"kill at {at.call} {at.number}"
        session = Session(
            name=name, where=where, ended=ended, acked=max(0, synced - 1), codes=(-signal.SIGKILL,)
        )
        yield judged(desk, session)


def _unsynced(desk: Desk, folder: Path, syncs: Sequence[Moment]) -> Iterator[Finding]:
    for at in syncs:
        where = folder / f"unsynced-{at.number}"
        ended = _traced(desk, where, folder / "log", [f"fdatasync:error=EIO:when={at.number}"])
        session = Session(
            name=f"EIO at fdatasync {at.number}",
            where=where,
            ended=ended,
            acked=max(0, at.number - 2),
            cause="input/output error",
        )
        yield judged(desk, session)


def _traced(desk: Desk, where: Path, log: Path, inject: Sequence[str]) -> Ended:
    words = [cast(str, STRACE), "-qq", "-s", "0", "-o", str(log), "-e", "signal=none"]
    words += ["-e", f"trace={','.join(_CALLS)}"]
    words += [word for text in inject for word in ("-e", f"inject={text}")]
    return desk.run(desk.command(where), words)


CAMPAIGN = Campaign("real-kills", play)
