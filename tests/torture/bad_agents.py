"""Agents that answer with poison: a run that fails with a reason, never a session that is lost."""

from __future__ import annotations

import json
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import handmade
import msgspec

from harness.errors import BoardmarkError
from harness.plan import order
from harness.session.boards import Board
from harness.session.driver import Driver
from harness.session.schedule import RunSchedule
from harness.session.scoring import Scorer
from harness.transport.local import LocalTransport
from harness.types import Case, Run, SessionPlan
from results.sessions import load
from results.store import Store

from . import onlooker, poisons
from .records import Campaign, Finding, Row, Scope, added

# In the reduced scope every so many answers are tried.
REDUCED_STEP = 16

_GOOD = {
    "event": "finished", "status": "ok", "reason": None, "started_unix_s": 1.0, "duration_s": 1.0,
    "result": {"samples_ns": [1000, 2000]}, "identity": {},
}  # fmt: skip
_SCRIPT = """#!{python} -SE
import json, sys
while True:
    line = sys.stdin.buffer.readline()
    if not line:
        break
    number = str(json.loads(line)["id"]).encode()
    sys.stdout.buffer.write(open({answer!r}, "rb").read().replace(b'"@"', number))
    sys.stdout.buffer.flush()
"""


class _Silent:
    """An observer that says nothing."""

    def starts(self, case: Case, done: int, total: int, remaining_s: float | None) -> None:
        """Hear that a run starts."""

    def finished(self, case: Case, run: Run) -> None:
        """Hear that a run is on disk."""


def play(scope: Scope) -> list[Row]:
    """Measure one case with each bad agent, seal the session, read it back."""
    step = REDUCED_STEP if scope == "reduced" else 1
    with tempfile.TemporaryDirectory() as name:
        chosen = list(answers())[::step]
        findings = [
            judged(answer, Path(name) / str(number)) for number, answer in enumerate(chosen)
        ]
    return [added("poisoned answers of an agent", findings)]


def answers() -> Iterator[tuple[str, bytes]]:
    """Yield the names of bad answers and their bytes; "@" stands for the number of the request."""
    for name, text in poisons.texts().items():
        yield f"{name} for an event", text + b"\n"
        yield f"{name} for a result", _line("result", text)
        yield f"{name} in a result", _line("result", b'{"samples_ns":[1],"x":' + text + b"}")
    odd: tuple[object, ...] = (None, True, -1, 1.5, "text", [], {}, 2**63, 2**70, "\ud800", [[]])
    for field in ("status", "reason", "started_unix_s", "duration_s", "result"):
        for value in odd:
            yield f"{value!r} as {field}", _line(field, json.dumps(value).encode())
        yield f"no {field}", json.dumps({k: v for k, v in _whole().items() if k != field}).encode()
    for value in odd:
        series = json.dumps({"samples_ns": [1, value], "warmup_ns": [value]}).encode()
        yield f"{value!r} among the samples", _line("result", series)
        result = dict.fromkeys(("peak_rss_bytes", "load_s", "power", "host", "evidence"), value)
        yield f"{value!r} all over the result", _line("result", json.dumps(result).encode())


def judged(answer: tuple[str, bytes], folder: Path) -> Finding:
    """Say what an answer does to the session that it is a run of."""
    name, data = answer
    faults: list[str] = []
    try:
        faults += _faults(data, folder)
    except BoardmarkError as error:
        faults.append(f"the session is refused: {error}")
    except Exception:
        faults.append(traceback.format_exc())
    return Finding(
        tracebacks=sum("Traceback" in fault for fault in faults),
        broken=tuple(f"{name}: {fault}" for fault in faults),
    )


def _faults(data: bytes, folder: Path) -> Iterator[str]:
    plan, store = _plan(folder), Store.create(folder / "store")
    agent = _agent(folder, data)
    with (
        store.start(plan) as journal,
        Board(lambda _: LocalTransport(folder, str(agent)), lambda _: "python") as board,
        Scorer(plan.cases, {}, {}) as scorer,
    ):
        Driver(plan, board, journal, scorer).run(_Silent(), RunSchedule(plan))
        measured = journal.runs
    live = load(store)
    store.seal(plan.session_id)
    sealed = load(store)
    if not measured or any(run.status == "failed" and not run.reason for run in measured):
        yield f"{len(measured)} runs, and nobody says why: {measured}"
    if msgspec.convert(msgspec.to_builtins(measured), tuple[Run, ...]) != live.runs:
        yield "the journal does not give the runs that it was given"
    if sealed.runs != live.runs or sealed.problems:
        yield f"the parts do not give the runs of the journal: {sealed.problems}"
    yield from onlooker.verified(folder / "store")


def _plan(folder: Path) -> SessionPlan:
    folder.mkdir()
    case = handmade.FP32
    sampling = {
        "precision": 0.05, "budget_s": None, "timeout_s": 1, "energy_s": 0,
        "run": {"warmup_calls": 1, "warmup_s": 0, "min_samples": 5, "max_samples": 5,
                "budget_s": 1},
    }  # fmt: skip
    blocks = order.blocks({case.key: 1}, 1)
    return handmade.plan(cases=(case,), skipped=(), order=blocks, blocks=1, sampling=sampling)


def _agent(folder: Path, data: bytes) -> Path:
    """Make an interpreter that takes any program for one that answers so."""
    answer, agent = folder / "answer", folder / "agent"
    answer.write_bytes(data if data.endswith(b"\n") else data + b"\n")
    agent.write_text(_SCRIPT.format(python=sys.executable, answer=str(answer)))
    agent.chmod(0o755)
    return agent


def _whole() -> dict[str, object]:
    return {**_GOOD, "id": "@"}


def _line(field: str, value: bytes) -> bytes:
    whole = json.dumps({**_whole(), field: "$"}).encode()
    return whole.replace(b'"$"', value) + b"\n"


CAMPAIGN = Campaign("bad-agents", play)
