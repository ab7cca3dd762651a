"""The power goes at any operation of a writer; the disk keeps any part of what was not synced."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from results.store import Store
from results.upkeep.compact import compact
from results.upkeep.merge import merge
from results.upkeep.prune import Keep, prune
from results.upkeep.remove import remove

from . import exhibits, onlooker, reader, subject
from .disk_model import Cut, Op, cuts, laid_out
from .judge import EXPECTED
from .recording import Recording, recorded
from .records import Campaign, Finding, Row, Scope, added

SEED = 20261120
# Combinations drawn per operation where they are too many to try them all.
SAMPLES: dict[Scope, int] = {"full": 40, "reduced": 2}
# In the reduced scope every so many trees are tried.
REDUCED_STEP = 20
# After the sessions, whatever the clock says: none is from the future.
_LATER_S = 2e9
# Every so many trees the power goes a second time, while what the first time left is put right.
AGAIN_STEP = 60

_SESSIONS = (exhibits.FIRST, exhibits.SECOND, exhibits.THIRD)
_Samples = dict[str, tuple[int, ...]]


class Log(msgspec.Struct, frozen=True):
    """The operations of one writer; those before `base` made what it found."""

    ops: list[Op]
    base: int


class Writer(msgspec.Struct, frozen=True, kw_only=True):
    """What the power cuts are put into.

    `prepare` makes the store it finds, `act` is done at first and again after each cut, told to the
    recording. `always` are the runs that were safe before, `finally_` all that there are in the
    end; `whole` says that no reader may see half a session.
    """

    name: str
    prepare: Callable[[Path], object]
    act: Callable[[Path, subject.Say], object]
    always: _Samples
    finally_: _Samples
    whole: bool = True


def play(scope: Scope) -> list[Row]:
    """Cut the power everywhere in a session, a merge, a compaction, a prune and a removal."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        folder = Path(name)
        return [_played(writer, folder / writer.name, scope) for writer in writers(folder)]


def writers(folder: Path) -> tuple[Writer, ...]:
    """Return the writers; the store that is merged from lies below `folder`."""
    source = folder / "source"
    _sealed(source, _SESSIONS[1:])
    both, last = _samples(_SESSIONS[:2]), _samples(_SESSIONS[2:])
    return (
        Writer(
            name="session",
            prepare=lambda where: where.mkdir(parents=True),
            act=lambda where, say: subject.write(str(where), say),
            always={},
            finally_=EXPECTED,
            whole=False,
        ),
        Writer(
            name="merge",
            prepare=lambda where: _sealed(where, _SESSIONS[:2]),
            act=lambda where, say: _merge(where, source, say),
            always=both,
            finally_=both | last,
        ),
        Writer(
            name="compaction",
            prepare=lambda where: _sealed(where, _SESSIONS),
            act=lambda where, _: compact(Store.open(where)),
            always=both | last,
            finally_=both | last,
        ),
        Writer(
            name="prune",
            prepare=lambda where: _compacted(where, _SESSIONS),
            act=lambda where, _: prune(Store.open(where), Keep(sessions=1), now_unix_s=_LATER_S),
            always=last,
            finally_=last,
        ),
        Writer(
            name="removal",
            prepare=lambda where: _compacted(where, _SESSIONS),
            act=lambda where, _: remove(Store.open(where), _SESSIONS[2:]),
            always=both,
            finally_=both,
        ),
    )


def written(writer: Writer, root: Path) -> Log:
    """Return what a writer does below `root` from its beginning to its end."""
    writer.prepare(root)
    with recorded(root) as recording:
        writer.act(root, recording.told)
    return _log(recording)


def judged(writer: Writer, cut: Cut, where: Path) -> Finding:
    """Return what a cut cost: looked at as it is, then after the writer's next start."""
    laid_out(cut.tree, where)
    acked = writer.always | {
        run_id: writer.finally_[run_id] for run_id in cut.told if run_id in writer.finally_
    }
    before = reader.look(where)
    first = onlooker.look(where)
    again = onlooker.tried(lambda here: writer.act(here, _silent), where)
    after = reader.look(where)
    last = onlooker.look(where)
    faults = [*before.broken, *after.broken, *first.wrong(acked), *last.wrong(writer.finally_)]
    faults += [*again, *_halves(writer, first), *onlooker.verified(where)]
    if set(after.sealed) != set(writer.finally_):
        faults.append(f"sealed {sorted(after.sealed)} in the end")
    name = f"{writer.name}, cut after {cut.after}" + (f", {cut.lost}" if cut.lost else "")
    return Finding(
        lost=len({*before.missing(acked), *after.missing(writer.finally_)}),
        duplicated=len(after.doubled()),
        tracebacks=sum("Traceback" in fault for fault in faults),
        broken=tuple(f"{name}: {fault}" for fault in faults),
    )


def _played(writer: Writer, folder: Path, scope: Scope) -> Row:
    folder.mkdir()
    log = written(writer, folder / "untroubled")
    step = REDUCED_STEP if scope == "reduced" else 1
    findings = []
    for number, cut in enumerate(cuts(log.ops, log.base, SAMPLES[scope], SEED)):
        if number % step == 0:
            findings.append(_once(writer, cut, folder / "cut"))
        if scope == "full" and number % AGAIN_STEP == 0:
            findings += _twice(writer, cut, folder)
    note = f"{len(log.ops) - log.base} operations"
    return added(f"power cut in a {writer.name}", findings, note)


def _once(writer: Writer, cut: Cut, where: Path) -> Finding:
    try:
        return judged(writer, cut, where)
    finally:
        shutil.rmtree(where)


def _twice(writer: Writer, cut: Cut, folder: Path) -> Iterator[Finding]:
    """Cut the power a second time, while the writer puts right what the first cut left."""
    where = folder / "again"
    laid_out(cut.tree, where)
    with recorded(where) as recording:
        for what in cut.told:
            recording.told(what)
        writer.act(where, recording.told)
    shutil.rmtree(where)
    log = _log(recording)
    for number, second in enumerate(cuts(log.ops, log.base, SAMPLES["reduced"], SEED)):
        if number % REDUCED_STEP == 0:
            yield _once(writer, second, folder / "cut")


def _log(recording: Recording) -> Log:
    return Log(recording.ops, recording.base)


def _halves(writer: Writer, view: onlooker.View) -> Iterator[str]:
    """Say which sessions are given with some of their runs only."""
    for session_id, session in view.sessions.items():
        expected = exhibits.content(session_id)[1] if writer.whole else session.runs
        if session.runs != expected:
            yield f"our reader gives half of {session_id}"


def _sealed(where: Path, session_ids: tuple[str, ...]) -> None:
    store = Store.create(where)
    for session_id in session_ids:
        exhibits.seal(store, session_id)


def _compacted(where: Path, session_ids: tuple[str, ...]) -> None:
    _sealed(where, session_ids)
    compact(Store.open(where))


def _merge(where: Path, source: Path, say: subject.Say) -> None:
    merge(Store.create(where), Store.open(source))
    for run_id in _samples(_SESSIONS):
        say(run_id)


def _samples(session_ids: tuple[str, ...]) -> _Samples:
    runs = (run for name in session_ids for run in exhibits.content(name)[1])
    return {run.run_id: run.samples_ns for run in runs}


def _silent(_: str) -> None:
    return


CAMPAIGN = Campaign("power-cuts", play)
