"""kill -9 at every call of a writer that changes the disk, and at calls of a real session."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from .judge import Break, Case, tried
from .processes import STRACE, Ended, ForkServer, Moment, moments
from .records import Campaign, Row, Scope, added, not_here

FAULT = "kill -9 of a writer at each call that changes the disk"
# In the reduced scope every so many moments are tried.
REDUCED_STEP = 12


def play(scope: Scope) -> list[Row]:
    """Kill a writer of six runs at each write, sync, link, rename, ... until it ends by itself."""
    if STRACE is None:
        return [not_here(FAULT, "strace is not installed")]
    with tempfile.TemporaryDirectory() as name, ForkServer() as server:
        folder = Path(name)
        found = untroubled(server, folder)
        chosen = found[:: REDUCED_STEP if scope == "reduced" else 1]
        findings = tried(server, _cases(server, folder, chosen))
        return [added(FAULT, findings, f"{len(found)} calls: {summary(found)}")]


def untroubled(server: ForkServer, folder: Path) -> list[Moment]:
    """Return the moments of a writer that nothing happens to."""
    log = folder / "untroubled.log"
    ended = server.traced("write", folder / "untroubled", log)
    if ended.code:
        raise RuntimeError(f"the writer fails without any fault: {ended.errors}")
    return moments(log)


def summary(found: list[Moment]) -> str:
    """Return how many calls of which kind there are, most first."""
    counts: dict[str, int] = {}
    for one in found:
        counts[one.call] = counts.get(one.call, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{count} {call}" for call, count in ordered)


def _cases(server: ForkServer, folder: Path, chosen: list[Moment]) -> Iterator[tuple[Case, Break]]:
    for number, one in enumerate(chosen):
        inject = f"{one.call}:signal=KILL:when={one.number}"
        broken = partial(_killed, server, folder / "log", inject)
        name = f"kill at {one.call} {one.number}"
        yield Case(name=name, where=folder / f"store-{number}", killed=True), broken


def _killed(server: ForkServer, log: Path, inject: str, where: Path) -> Ended:
    return server.traced("write", where, log, [inject])


CAMPAIGN = Campaign("kills", play)
