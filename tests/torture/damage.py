"""Every byte of a small store flipped, every file of it cut at every length."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from harness.types import Run
from results.query import History
from results.sessions import Session
from results.store import Store

from . import apart, exhibits, onlooker
from .exhibits import Exhibit, Target
from .onlooker import View
from .records import Campaign, Finding, Row, Scope, added

SEED = 20261120
# In the reduced scope so many places of each file are tried, in full all of them.
REDUCED_PLACES = 2
# What list and load never look into is held against `verify`, at every so many places.
VERIFY_STEP = 40
UNREAD = ("environments", "probes")
# What history is asked at every so many places, for it takes a fifth of a second.
HISTORY_STEP = 240

_QUESTIONS = (
    "SELECT session_id, run_id, latency_p50_s, s.values FROM runs"
    " JOIN samples s USING (session_id, run_id) WHERE metric = 'latency'",
    "SELECT session_id, environment_json, count(p.values) FROM environments"
    " JOIN probes p USING (session_id) GROUP BY ALL",
)


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """One file with one bit flipped at `offset`, or of `length` bytes; `warm` keeps the index."""

    target: Target
    warm: bool
    offset: int = 0
    bit: int = 0
    length: int | None = None

    @property
    def name(self) -> str:
        """Name it for people."""
        index = "with" if self.warm else "without"
        how = f"bit {self.bit} of byte {self.offset} flipped"
        if self.length is not None:
            how = f"cut to {self.length} bytes"
        return f"{self.target.kind}, {how}, {index} an index"

    def made(self, data: bytes) -> bytes:
        """Return what a file with the content `data` holds then."""
        if self.length is not None:
            return data[: self.length]
        flipped = bytearray(data)
        flipped[self.offset] ^= 1 << self.bit
        return bytes(flipped)


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One damage, for a process with its own copy of the exhibit."""

    exhibit: Exhibit
    damage: Damage

    @property
    def name(self) -> str:
        """Name it for people."""
        return self.damage.name


# Of this process: the exhibit that was made at a place, at its own place.
_COPIES: dict[Path, Exhibit] = {}


def play(scope: Scope) -> list[Row]:
    """Damage each kind of file of two stores, one with single and one with compact parts."""
    found: dict[str, list[Finding]] = {}
    with tempfile.TemporaryDirectory(dir=_memory()) as name:
        for make in (exhibits.singles, exhibits.compacted):
            exhibit = make(Path(name) / make.__name__)
            cases = [case for target in exhibit.targets for case in _cases(exhibit, target, scope)]
            for case, finding in zip(cases, _tried(exhibit, cases, scope), strict=True):
                how = "a bit flipped" if case.length is None else "cut short"
                found.setdefault(f"{_family(case.target.kind)}: {how}", []).append(finding)
    return [added(fault, findings) for fault, findings in found.items()]


def judged(exhibit: Exhibit, damage: Damage) -> Finding:
    """Damage a file, read everything, say what is wrong with what is read, put it right."""
    data, _ = exhibit.pristine[damage.target.path]
    exhibit.restore(damage.warm)
    exhibit.damage(damage.target, damage.made(data))
    return looked_at(exhibit, damage.target, damage.name)


def looked_at(exhibit: Exhibit, target: Target, name: str) -> Finding:
    """Say what is wrong with what our readers make of an exhibit whose `target` is damaged."""
    wanted = target.sessions[:1] + tuple(
        one for one in exhibit.truth.sessions if one not in target.sessions
    )
    view = onlooker.look(exhibit.where, wanted)
    faults = [*view.crashed, *_others(exhibit.truth, view, target), *_unsaid(exhibit, view, target)]
    for session_id in target.sessions:
        faults += _false(exhibit.truth, view, session_id)
    return Finding(
        tracebacks=len(view.crashed),
        broken=tuple(f"{name}: {fault}" for fault in faults),
    )


def asked(exhibit: Exhibit, damage: Damage) -> Finding:
    """Say what history answers wrongly, or leaves out without a word, over a damaged file."""
    exhibit.restore(keep_index=False)
    truth = _answers(exhibit.where)[0]
    exhibit.restore(keep_index=False)
    exhibit.damage(damage.target, damage.made(exhibit.pristine[damage.target.path][0]))
    faults = onlooker.tried(lambda where: _compared(truth, _answers(where)), exhibit.where)
    wrong = [fault for fault in faults if "was refused" not in fault]
    return Finding(
        tracebacks=sum("Traceback" in fault for fault in wrong),
        broken=tuple(f"{damage.name}: history: {fault}" for fault in wrong),
    )


def noticed(exhibit: Exhibit, damage: Damage) -> Finding:
    """Say whether `verify` passes over a damaged file."""
    exhibit.restore(damage.warm)
    exhibit.damage(damage.target, damage.made(exhibit.pristine[damage.target.path][0]))
    said = onlooker.verified(exhibit.where)
    if not said:
        return Finding(broken=(f"{damage.name}: verify finds nothing wrong",))
    crashed = [sentence for sentence in said if "Traceback" in sentence]
    return Finding(tracebacks=len(crashed), broken=tuple(crashed))


def _answers(where: Path) -> tuple[list[str], tuple[str, ...]]:
    """Return the rows that two questions about a store give, and what history says is wrong."""
    history = History(Store.open(where))
    rows = [str(row) for question in _QUESTIONS for row in history.sql(question).to_pylist()]
    return rows, history.problems


def _compared(truth: list[str], answers: tuple[list[str], tuple[str, ...]]) -> None:
    rows, problems = answers
    if set(rows) - set(truth):
        raise ValueError(f"these never were: {sorted(set(rows) - set(truth))}")
    if sorted(rows) != sorted(truth) and not problems:
        raise ValueError(f"these are missing: {sorted(set(truth) - set(rows))}")


def _others(truth: View, view: View, target: Target) -> Iterator[str]:
    """Say which sessions are not as they were although nothing of theirs was damaged."""
    if target.kind == "store.json" and view.refused and not view.entries:
        return
    for session_id, entry in truth.entries.items():
        if session_id in target.sessions:
            continue
        if view.entries.get(session_id) != entry:
            yield f"the list shows {view.entries.get(session_id)} of {session_id}"
        session = view.sessions.get(session_id)
        if session is None or not _same(session, truth.sessions[session_id]):
            yield f"session {session_id} does not load as it was: {'; '.join(view.refused)}"


def _false(truth: View, view: View, session_id: str) -> Iterator[str]:
    """Say what is given of a damaged session that was never so."""
    entry = view.entries.get(session_id)
    known = truth.entries[session_id]
    if entry is not None and msgspec.structs.replace(entry, runs=known.runs) != known:
        yield f"the list says {entry}"
    session = view.sessions.get(session_id)
    if session is None:
        return
    true = truth.sessions[session_id]
    if session.plan != true.plan or not set(session.notes) <= set(true.notes):
        yield f"{session_id} loads with another plan or other notes"
    runs = {run.run_id: run for run in true.runs}
    for run in session.runs:
        if not _true_as_far_as_it_goes(run, runs.get(run.run_id), session):
            yield f"{session_id} loads with a run that never was: {run}"


def _true_as_far_as_it_goes(run: Run, known: Run | None, session: Session) -> bool:
    """Tell whether a run is the one that was measured, without its series if that is told."""
    if run == known:
        return True
    told = any("samples" in problem for problem in session.problems)
    if known is None or run.samples_ns or not told:
        return False
    result = {name: value for name, value in known.result.items() if name != "warmup_ns"}
    return run == msgspec.structs.replace(known, samples_ns=(), result=result)


def _unsaid(exhibit: Exhibit, view: View, target: Target) -> Iterator[str]:
    """Say what is missing without a word, or left where it is although it was found out."""
    said = view.problems or view.refused
    gone = [
        session_id
        for session_id in target.sessions[:1]
        if not _complete(exhibit, target, view.sessions.get(session_id))
    ]
    if gone and not said:
        yield f"{gone[0]} is not whole and nobody says so"
    if target.kind.startswith("index") and said:
        yield f"a damaged index is a problem: {'; '.join(said)}"
    if gone and target.path.startswith("parts/"):
        name = Path(target.path).stem
        aside = exhibit.where / "quarantine"
        if not (aside / f"{name}.parquet").is_file():
            yield "it is not in quarantine"
        elif not (aside / f"{name}.reason.txt").read_text().strip():
            yield "it lies in quarantine without a reason"
        elif not any(name in sentence for sentence in onlooker.listed(exhibit.where)):
            yield "the list does not count it"


def _complete(exhibit: Exhibit, target: Target, found: Session | None) -> bool:
    """Tell whether no record is missing that the damaged file still holds."""
    true = exhibit.truth.sessions[target.sessions[0]]
    if target.kind != "journal":
        return found is not None and _same(found, true)
    was = exhibit.pristine[target.path][0].splitlines(keepends=True)
    is_now = (exhibit.where / target.path).read_bytes().splitlines(keepends=True)
    plan, *runs = [line in is_now for line in was]
    # a bad last line is taken for torn: it may never have been acknowledged
    expected = [run for run, there in zip(true.runs, runs, strict=True) if there]
    if found is None:
        return not plan and not expected
    return {run.run_id for run in expected} <= {run.run_id for run in found.runs}


def _same(session: Session, true: Session) -> bool:
    return (session.plan, session.runs, session.notes, session.sealed) == (
        (true.plan, true.runs, true.notes, true.sealed)
    )


def _cases(exhibit: Exhibit, target: Target, scope: Scope) -> Iterator[Damage]:
    size = len(exhibit.pristine[target.path][0])
    step = 1 if scope == "full" else max(1, size // REDUCED_PLACES)
    rng = random.Random(SEED)
    # the last byte is that of the magic number, the newline, the brace
    for offset in sorted({*range(step // 2, size, step), size - 1}):
        bit = rng.randrange(8)
        # in full every other byte with an index: both halves are of the same kinds
        for warm in (True, False) if scope == "reduced" else (bool(offset % 2),):
            yield Damage(target=target, offset=offset, bit=bit, warm=warm)
    for length in sorted({*range(0, size, step), size - 1}):
        yield Damage(target=target, length=length, warm=bool(length % 2))


def _tried(exhibit: Exhibit, cases: list[Damage], scope: Scope) -> Iterator[Finding]:
    """Yield the finding of each case, in order; in full every processor works on its own copy."""
    if scope == "reduced":
        yield from (_way(case)(exhibit, case) for case in cases)
        return
    yield from apart.findings(_apart, [Job(exhibit=exhibit, damage=case) for case in cases])


def _apart(job: Job) -> Finding:
    where = job.exhibit.where
    if where not in _COPIES:
        _COPIES[where] = exhibits.copied(
            job.exhibit, where.with_name(f"{where.name}-{os.getpid()}")
        )
    return _way(job.damage)(_COPIES[where], job.damage)


def _way(damage: Damage) -> Callable[[Exhibit, Damage], Finding]:
    """Return how a damage is held against what reads the file."""
    unread = damage.target.kind.endswith(UNREAD)
    place = damage.offset if damage.length is None else damage.length
    if damage.target.path.startswith("parts/") and not damage.warm and not place % HISTORY_STEP:
        return asked
    return noticed if unread and place % VERIFY_STEP == 0 else judged


def _family(kind: str) -> str:
    """Return the kinds that stand in one line of the table."""
    return kind.split(maxsplit=1)[0] if kind.startswith(("part", "compact", "index")) else kind


def _memory() -> str | None:
    """Return a place in memory where there is one: nothing here asks for a real disk."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


CAMPAIGN = Campaign("damage", play)
