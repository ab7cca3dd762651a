"""A disk that fails, is full or writes too little: once, and from some call on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec

from .judge import Break, Case, tried
from .kills import summary, untroubled
from .processes import STRACE, Ended, ForkServer, Moment
from .records import Campaign, Row, Scope, added, not_here

REDUCED_STEP = 61
# What a full disk or quota answers; a removal frees space and succeeds.
_GROWING = ("write", "pwrite64", "fsync", "fdatasync", "link", "linkat", "rename", "renameat",
            "renameat2", "mkdir", "mkdirat", "openat")  # fmt: skip


class Fault(msgspec.Struct, frozen=True):
    """An error by its name, what people call it, which calls give it, and for how long."""

    error: str
    cause: str
    calls: tuple[str, ...]
    lasting: bool

    @property
    def title(self) -> str:
        """Name the fault for the table."""
        return f"{self.error} {'from each call on' if self.lasting else 'once, at each call'}"


_ANY: tuple[str, ...] = ()
FAULTS = (
    Fault("EIO", "input/output error", _ANY, False),
    Fault("EIO", "input/output error", _ANY, True),
    Fault("ENOSPC", "no space left on device", _GROWING, False),
    Fault("ENOSPC", "no space left on device", _GROWING, True),
    Fault("EDQUOT", "disk quota exceeded", _GROWING, False),
    Fault("EDQUOT", "disk quota exceeded", _GROWING, True),
)


def play(scope: Scope) -> list[Row]:
    """Let every call of a writer that changes the disk fail, in each of the ways."""
    if STRACE is None:
        return [not_here(fault.title, "strace is not installed") for fault in FAULTS]
    rows = []
    with tempfile.TemporaryDirectory() as name, ForkServer() as server:
        folder = Path(name)
        whole = untroubled(server, folder)
        for number, fault in enumerate(FAULTS):
            step, first = (REDUCED_STEP, number) if scope == "reduced" else (1, 0)
            cases = _cases(server, folder / fault.title, whole, fault)
            chosen = [case for place, case in enumerate(cases) if place % step == first]
            findings = tried(server, chosen)
            rows.append(
                added(fault.title, findings, summary([at for at in whole if _hit(fault, at)]))
            )
    return rows


def _hit(fault: Fault, at: Moment) -> bool:
    return not fault.calls or at.call in fault.calls


def _cases(
    server: ForkServer, folder: Path, whole: Sequence[Moment], fault: Fault
) -> Iterator[tuple[Case, Break]]:
    for place, at in enumerate(whole):
        if not _hit(fault, at):
            continue
        inject = [f"{at.call}:error={fault.error}:when={at.number}"]
        if fault.lasting:
            inject = _from(whole[place:], fault)
        name = f"{fault.title}, {at.call} {at.number}"
        case = Case(name=name, where=folder / f"store-{place}", cause=fault.cause)
        yield case, partial(_broken, server, folder, inject)


def _from(rest: Sequence[Moment], fault: Fault) -> list[str]:
    """Return the expressions by which every call of the fault fails from the first of `rest` on."""
    first: dict[str, int] = {}
    for at in rest:
        if _hit(fault, at):
            first.setdefault(at.call, at.number)
    return [f"{call}:error={fault.error}:when={number}+" for call, number in first.items()]


def _broken(server: ForkServer, folder: Path, inject: list[str], where: Path) -> Ended:
    folder.mkdir(exist_ok=True)
    return server.traced("write", where, folder / "log", inject)


CAMPAIGN = Campaign("disk-errors", play)
