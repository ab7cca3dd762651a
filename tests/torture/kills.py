"""kill -9 at every call of a writer that changes the disk or opens a file of the store."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from .beginnings import Beginning, beginnings, summary
from .judge import Break, Case, tried
from .processes import STRACE, Ended, ForkServer
from .records import Campaign, Row, Scope, added, not_here

FAULT = "kill -9 of a writer at each call"
_REDUCED_STEP = 24


def play(scope: Scope) -> list[Row]:
    """Kill writers at each write, sync, link, rename, ... of a new session and of a resumed one."""
    if STRACE is None:
        return [not_here(FAULT, "strace is not installed")]
    step = _REDUCED_STEP if scope == "reduced" else 1
    with tempfile.TemporaryDirectory() as name, ForkServer() as server:
        folder = Path(name)
        return [
            added(
                f"{FAULT}, {beginning.name}",
                tried(server, _cases(server, folder, beginning, step)),
                summary(beginning.moments),
            )
            for beginning in beginnings(server, folder)
        ]


def _cases(
    server: ForkServer, folder: Path, beginning: Beginning, step: int
) -> Iterator[tuple[Case, Break]]:
    for place, at in enumerate(beginning.moments[::step]):
        inject = f"{at.call}:signal=KILL:when={at.number}"
        case = Case(
            name=f"{beginning.name}, kill at {at.call} {at.number}",
            where=beginning.laid_out(folder / f"{beginning.name}-{place}"),
            already=beginning.already,
            killed=True,
        )
        yield case, partial(_killed, server, folder / "log", inject)


def _killed(server: ForkServer, log: Path, inject: str, where: Path) -> Ended:
    return server.traced("write", where, log, [inject])


CAMPAIGN = Campaign("kills", play)
