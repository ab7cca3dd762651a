"""A disk that fails or is full: at one call, and from some call on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec

from .beginnings import Beginning, beginnings
from .judge import Break, Case, tried
from .processes import CHANGES, STRACE, Ended, ForkServer, Moment
from .records import Campaign, Row, Scope, added, not_here

_REDUCED_STEP = 97
_OPENING = ("openat",)
# What a full disk or quota refuses; a removal frees space and succeeds.
_GROWING = ("write", "pwrite64", "fsync", "fdatasync", "link", "linkat", "rename", "renameat",
            "renameat2", "mkdir", "mkdirat", "openat")  # fmt: skip


class Fault(msgspec.Struct, frozen=True):
    """An error by its name, what people call it, the calls that give it, and for how long.

    `reading` says that opening to read fails too.
    """

    error: str
    cause: str
    calls: tuple[str, ...] = CHANGES
    lasting: bool = False
    reading: bool = False

    @property
    def title(self) -> str:
        """Name the fault for the table."""
        what = "opening" if self.calls == _OPENING else "call"
        return f"{self.error} {f'from each {what} on' if self.lasting else f'at each {what}, once'}"

    def hits(self, at: Moment) -> bool:
        """Tell whether a call can fail this way."""
        return at.call in self.calls and (self.reading or not at.reading)


FAULTS = (
    Fault("EIO", "input/output error", reading=True),
    Fault("EIO", "input/output error", lasting=True, reading=True),
    Fault("EIO", "input/output error", _OPENING, lasting=True, reading=True),
    Fault("ENOSPC", "no space left on device", _GROWING),
    Fault("ENOSPC", "no space left on device", _GROWING, lasting=True),
    Fault("EDQUOT", "disk quota exceeded", _GROWING),
    Fault("EDQUOT", "disk quota exceeded", _GROWING, lasting=True),
)


def play(scope: Scope) -> list[Row]:
    """Let every call of a writer fail that changes the disk or opens a file of the store."""
    if STRACE is None:
        return [not_here(fault.title, "strace is not installed") for fault in FAULTS]
    rows = []
    with tempfile.TemporaryDirectory() as name, ForkServer() as server:
        folder = Path(name)
        found = beginnings(server, folder)
        for number, fault in enumerate(FAULTS):
            places = [(one, place) for one in found for place, at in enumerate(one.moments)
                      if fault.hits(at)]  # fmt: skip
            chosen = places[number * 7 :: _REDUCED_STEP] if scope == "reduced" else places
            cases = _cases(server, folder, fault, chosen)
            rows.append(added(fault.title, tried(server, cases), "new and resumed sessions"))
    return rows


def _cases(
    server: ForkServer, folder: Path, fault: Fault, places: Sequence[tuple[Beginning, int]]
) -> Iterator[tuple[Case, Break]]:
    for beginning, place in places:
        at = beginning.moments[place]
        inject = [f"{at.call}:error={fault.error}:when={at.number}"]
        if fault.lasting:
            inject = _from(beginning.moments[place:], fault)
        case = Case(
            name=f"{beginning.name}, {fault.title}, {at.call} {at.number}",
            where=beginning.laid_out(folder / f"{beginning.name}-{fault.title}-{place}"),
            already=beginning.already,
            cause=fault.cause,
        )
        yield case, partial(_broken, server, folder / "log", inject)


def _from(rest: Sequence[Moment], fault: Fault) -> list[str]:
    """Return the expressions by which every call of the fault fails from the first of `rest` on."""
    first: dict[str, int] = {}
    for at in rest:
        if fault.hits(at):
            first.setdefault(at.call, at.number)
    return [f"{call}:error={fault.error}:when={number}+" for call, number in first.items()]


def _broken(server: ForkServer, log: Path, inject: list[str], where: Path) -> Ended:
    ended = server.traced("write", where, log, inject)
    if "(INJECTED)" not in log.read_text(errors="replace"):
        raise RuntimeError(f"the fault never happened: {inject}")
    return ended


CAMPAIGN = Campaign("disk-errors", play)
