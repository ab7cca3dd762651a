"""Where a fault meets a writer: nothing is there yet, or a session was interrupted."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from .processes import Ended, ForkServer, Moment, moments

# The sync that makes the third run safe; the plan's is the first.
_INTERRUPTED = "fdatasync:signal=KILL:when=5"
_TORN = b'{"v":1,"sha256":"'


class Beginning(msgspec.Struct, frozen=True):
    """A store to start from, None for none, the runs acknowledged in it, its writer's moments."""

    name: str
    store: Path | None
    already: tuple[str, ...]
    moments: tuple[Moment, ...]

    def laid_out(self, where: Path) -> Path:
        """Make `where` the store to start from."""
        if self.store is not None:
            shutil.copytree(self.store, where)
        return where


def beginnings(server: ForkServer, folder: Path) -> tuple[Beginning, ...]:
    """Return both: nothing, and a session interrupted after three runs with a torn line."""
    new = Beginning("a new session", None, (), _moments(server, folder / "new"))
    left = folder / "left"
    ended = server.traced("write", left, folder / "log", [_INTERRUPTED])
    (journal,) = left.glob("sessions/*/journal.ndjson")
    with journal.open("ab") as stream:
        stream.write(_TORN)
    again = shutil.copytree(left, folder / "again")
    return new, Beginning("one resumed", left, ended.acks, _moments(server, again))


def _moments(server: ForkServer, where: Path) -> tuple[Moment, ...]:
    log = where.with_suffix(".log")
    ended: Ended = server.traced("write", where, log)
    if ended.code:
        raise RuntimeError(f"the writer fails without any fault: {ended.errors}")
    return tuple(moments(log, where))


def summary(found: tuple[Moment, ...]) -> str:
    """Return how many calls of which kind there are, most first."""
    counts: dict[str, int] = {}
    for one in found:
        name = "open to read" if one.reading else one.call
        counts[name] = counts.get(name, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{count} {call}" for call, count in ordered)
