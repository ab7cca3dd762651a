"""One case from the fault to the verdict: break a writer, look, let it go on, look again."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from . import reader, subject
from .processes import Ended, ForkServer
from .records import Finding

EXPECTED = {run.run_id: run.samples_ns for run in subject.RUNS}
Break = Callable[[Path], Ended]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A fault to be judged: `name` for people, `where` its store, `cause` of the message.

    `already` names the runs that were acknowledged before. `killed` says that the process is to
    end by a signal and has no chance to say anything.
    """

    name: str
    where: Path
    already: tuple[str, ...] = ()
    killed: bool = False
    cause: str = ""


def judged(server: ForkServer, case: Case, broken: Break) -> Finding:
    """Return what the fault `broken` did to the store, and what going on made of it."""
    ended = broken(case.where)
    before = reader.look(case.where)
    names = [name for name in (*case.already, *ended.acks) if name != subject.SEALED]
    acked = {name: EXPECTED[name] for name in names}
    faults = [*_ending(case, ended), *before.broken]
    again = server.run("write", case.where)
    after = reader.look(case.where)
    faults += [*_recovery(again, before, after), *after.broken, *_told(server, case.where)]
    return Finding(
        lost=len(set(before.missing(acked)) | set(after.missing(EXPECTED))),
        duplicated=len(set(before.doubled()) | set(after.doubled())),
        tracebacks=sum("Traceback" in one.errors for one in (ended, again)),
        broken=tuple(f"{case.name}: {sentence}" for sentence in faults),
    )


def _ending(case: Case, ended: Ended) -> Iterator[str]:
    """Say what is wrong with how the broken process ended."""
    if case.killed:
        if ended.code >= 0:
            yield f"was not killed but ended with {ended.code}"
    elif ended.code == 0:
        if subject.SEALED not in ended.acks:
            yield "ended with 0 but did not finish"
    elif ended.code != 2:
        yield f"ended with {ended.code}: {ended.errors.strip()[-300:]}"
    else:
        yield from wrong_message(ended.errors, case.where, case.cause)


def wrong_message(errors: str, where: Path, cause: str) -> Iterator[str]:
    """Say what a message lacks: one sentence that names the path and the cause."""
    lines = errors.splitlines()
    if len(lines) != 1 or not lines[0].startswith("boardmark: "):
        yield f"no single sentence: {shlex.quote(errors[:300])}"
        return
    if str(where) not in errors:
        yield f"the message names no path: {errors.strip()}"
    if cause and cause not in errors.lower():
        yield f"the message does not say {cause!r}: {errors.strip()}"


def _recovery(again: Ended, before: reader.Seen, after: reader.Seen) -> Iterator[str]:
    """Say what is wrong with how it went on after the fault."""
    if again.code:
        yield f"going on ended with {again.code}: {again.errors.strip()[-300:]}"
    there = before.journaled.keys() | before.sealed.keys()
    done = [name for name in again.acks if name != subject.SEALED]
    if done != [name for name in EXPECTED if name not in there]:
        yield f"went on with {done} where {sorted(there)} were there"
    if set(after.sealed) != set(EXPECTED) or after.journaled:
        yield f"sealed {sorted(after.sealed)}, journaled {sorted(after.journaled)} in the end"


def _told(server: ForkServer, where: Path) -> Iterator[str]:
    """Say what our own reader and `boardmark store verify` find wrong."""
    told = server.run("read", where)
    if told.code or list(told.acks) != list(EXPECTED):
        yield f"our reader tells of {list(told.acks)} {told.errors.strip()[-300:]}"
    checked = server.run("verify", where)
    if list(checked.acks) != ["exit 0"]:
        yield f"verify: {list(checked.acks)} {checked.errors.strip()[-300:]}"


def tried(server: ForkServer, cases: Iterable[tuple[Case, Break]]) -> Iterator[Finding]:
    """Judge the cases one after the other."""
    for case, broken in cases:
        yield judged(server, case, broken)
