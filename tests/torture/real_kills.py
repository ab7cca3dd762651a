"""kill -9 of the command line in the middle of a real session, and a disk that fails under it."""

from __future__ import annotations

import re
import signal
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from .desk import Desk, Session, judged
from .processes import CHANGES, STRACE, Ended, Moment, moments, traced
from .records import Campaign, Finding, Row, Scope, added, not_here

KILLS = "kill -9 of a real session (boardmark run)"
SYNCS = "EIO from one fdatasync of a real session"
_KILLS = 30
# Opening is left to the writer: here it is mostly Python's imports.
_CALLS = tuple(call for call in CHANGES if call != "openat")
# The first sync is the plan's, the third the second run's.
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
        kills = spread(found, _KILLS)
        return [
            added(KILLS, _killed(desk, folder, kills), f"at calls spread over its {len(found)}"),
            added(SYNCS, _unsynced(desk, folder), "of the plan and of each planned run"),
        ]


def spread(found: Sequence[Moment], count: int) -> list[Moment]:
    """Return `count` of the moments, evenly spread; all where there are fewer."""
    if count >= len(found):
        return list(found)
    return [found[round((place + 0.5) * len(found) / count)] for place in range(count)]


def _killed(desk: Desk, folder: Path, chosen: Sequence[Moment]) -> Iterator[Finding]:
    """Judge each; a session that ended before its call came (it repeats less) is no case."""
    for place, at in enumerate(chosen):
        where, log = folder / f"killed-{place}", folder / "log"
        ended = _traced(desk, where, log, [f"{at.call}:signal=KILL:when={at.number}"])
        session = Session(
            name=f"kill at {at.call} {at.number}",
            where=where,
            ended=ended,
            acked=_safe_runs(log),
            codes=(-signal.SIGKILL,),
        )
        found = judged(desk, session)
        if ended.code or found != Finding():
            yield found


def _unsynced(desk: Desk, folder: Path) -> Iterator[Finding]:
    # anchors and the case in two blocks, and the plan before them
    for number in range(1, 8):
        where, log = folder / f"unsynced-{number}", folder / "log"
        session = Session(
            name=f"EIO at fdatasync {number}",
            where=where,
            ended=_traced(desk, where, log, [f"fdatasync:error=EIO:when={number}"]),
            acked=_safe_runs(log),
            cause="input/output error",
        )
        yield judged(desk, session)


def _safe_runs(log: Path) -> int:
    """Return how many runs were synced: the first sync is the plan's."""
    return max(0, len(_SYNCED.findall(log.read_text(errors="replace"))) - 1)


def _traced(desk: Desk, where: Path, log: Path, inject: Sequence[str]) -> Ended:
    words = [cast(str, STRACE), "-qq", "-s", "0", "-o", str(log), "-e", "signal=none"]
    words += ["-e", traced(_CALLS)]
    words += [word for text in inject for word in ("-e", f"inject={text}")]
    return desk.run(desk.command(where), words)


CAMPAIGN = Campaign("real-kills", play)
