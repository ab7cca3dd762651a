"""The driver over a real agent: what fails costs its own case only, and a lost agent one run."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from harness.errors import BoardLost, DeviceError
from harness.plan import order, pace
from harness.session.boards import Board, Transport
from harness.session.driver import Driver
from harness.session.schedule import Block, RunSchedule, State
from harness.session.scoring import Scorer
from harness.session.strikes import Strikes
from harness.transport.local import LocalTransport
from harness.types import Artifact, Case, Json, Kind, Run, SessionPlan, TensorSpec

SAMPLING = {
    "precision": 0.05,
    "budget_s": None,
    "timeout_s": 2,
    "energy_s": 0,
    "run": {"warmup_calls": 1, "warmup_s": 0, "min_samples": 5, "max_samples": 5, "budget_s": 1},
}


class Pages:
    """A journal in memory that keeps every run in the order it came."""

    def __init__(self) -> None:
        self.runs: tuple[Run, ...] = ()

    def append(self, run: Run) -> None:
        self.runs = (*self.runs, run)


class Quiet:
    """An observer that only counts."""

    def __init__(self) -> None:
        self.started = 0

    def starts(self, case: Case, done: int, total: int, remaining_s: float | None) -> None:
        self.started += 1

    def finished(self, case: Case, run: Run) -> None:
        pass


def case(folder: Path, variant: str, **script: Any) -> Case:
    path = folder / f"{variant}.null"
    path.write_text(json.dumps({"latency_us": 100, **script}))
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    return Case(
        device="local",
        model="m",
        model_digest="d",
        variant=variant,
        backend="null",
        runtime_version="1",
        interpreter="python",
        scenario="single-stream",
        batch=1,
        threads=1,
        affinity=None,
        inputs=(TensorSpec(name="x", dtype="float32", shape=(1, 4)),),
        artifact=Artifact(path=str(path), format="null", sha256=content, size_bytes=1),
        options={"threads": 1},
    )


def plan(cases: tuple[Case, ...], blocks: int = 5, **sampling: Any) -> SessionPlan:
    return SessionPlan(
        session_id="20261120T141500Z-3f2a",
        created_unix_s=0.0,
        command=("run",),
        suite="quick",
        device="local",
        seed=1,
        blocks=blocks,
        cases=cases,
        skipped=(),
        order=order.blocks({case.key: blocks for case in cases}, 1),
        sampling={**SAMPLING, **sampling},
        models=(),
        environment={},
        harness_version="0",
    )


@pytest.fixture
def board(agent_cache: Path) -> Iterator[Board]:
    with Board(lambda _: LocalTransport(agent_cache), lambda _: "python") as found:
        yield found


def drive(chosen: SessionPlan, board: Board, pages: Pages | None = None) -> tuple[Run, ...]:
    kept = pages or Pages()
    with Scorer(chosen.cases, {}, {}) as scorer:
        Driver(chosen, board, kept, scorer).run(Quiet(), RunSchedule(chosen))
    return kept.runs


def test_a_case_that_crashes_or_hangs_costs_only_itself(board: Board, tmp_path: Path) -> None:
    cases = (
        case(tmp_path, "fine"),
        case(tmp_path, "crashes", fail="crash"),
        case(tmp_path, "hangs", fail="hang"),
    )
    runs = drive(plan(cases), board)
    found = {each.variant: [run for run in runs if run.case_key == each.key] for each in cases}
    assert [run.status for run in found["fine"]] == ["ok"] * 5
    assert [run.status for run in found["crashes"]] == ["crashed"] * 2, "twice in a row is enough"
    assert [run.status for run in found["hangs"]] == ["timeout"] * 2
    assert "SIGILL" in str(found["crashes"][0].reason)


def test_every_run_is_kept_before_the_next_one_starts(board: Board, tmp_path: Path) -> None:
    class Full(Pages):
        def append(self, run: Run) -> None:
            if len(self.runs) == 3:
                raise OSError("no space left")
            super().append(run)

    pages, quiet = Full(), Quiet()
    chosen = plan((case(tmp_path, "a"), case(tmp_path, "b")))
    with Scorer(chosen.cases, {}, {}) as scorer, pytest.raises(OSError, match="no space"):
        Driver(chosen, board, pages, scorer).run(quiet, RunSchedule(chosen))
    assert (len(pages.runs), quiet.started) == (3, 4)


def test_what_was_done_before_is_not_done_again(board: Board, tmp_path: Path) -> None:
    chosen = plan((case(tmp_path, "a"), case(tmp_path, "b")))
    everything = drive(chosen, board)
    pages = Pages()
    pages.runs = everything[:4]
    runs = drive(chosen, board, pages)
    assert [run.run_id for run in runs] == [run.run_id for run in everything]
    assert len({run.run_id for run in runs}) == 10


def test_a_budget_ends_the_session_after_whole_blocks_but_not_before_two(
    board: Board, tmp_path: Path
) -> None:
    chosen = plan((case(tmp_path, "a"), case(tmp_path, "b")), budget_s=0.001)
    runs = drive(chosen, board)
    assert [run.block for run in runs] == [0, 0, 1, 1]


class Once:
    """A schedule that gives the blocks it was made with and keeps the state it was asked in."""

    def __init__(self, *blocks: Block) -> None:
        self._blocks = list(blocks)
        self.spent_s: list[float] = []

    def next(self, state: State) -> Block | None:
        self.spent_s.append(state.spent_s)
        return self._blocks.pop(0) if self._blocks else None


def test_time_that_was_spent_before_an_interruption_counts(board: Board, tmp_path: Path) -> None:
    one = case(tmp_path, "a")
    chosen = plan((one,), budget_s=60.0)
    pages, schedule = Pages(), Once()
    kept = drive(chosen, board)[:2]
    pages.runs = tuple(msgspec.structs.replace(run, duration_s=20.0) for run in kept)
    with Scorer(chosen.cases, {}, {}) as scorer:
        Driver(chosen, board, pages, scorer).run(Quiet(), schedule)
    assert schedule.spent_s == [pytest.approx(40.0, abs=5.0)]


@pytest.mark.parametrize(("kind", "shortened"), [("run", True), ("gate", False)])
def test_a_late_session_shortens_its_runs_but_never_those_of_a_gate(
    board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind, shortened: bool
) -> None:
    """Of two sides neither may be sampled for longer than the other."""
    asked: list[float] = []
    shorten = pace.shortened

    def noted(run: dict[str, Any], share: float) -> dict[str, Any]:
        asked.append(share)
        return shorten(run, share)

    monkeypatch.setattr(pace, "shortened", noted)
    one = case(tmp_path, "a")
    late = msgspec.structs.replace(plan((one,), planned_s=0.001), kind=kind)
    with Scorer(late.cases, {}, {}) as scorer:
        blocks = (Block(number=number, keys=(one.key,)) for number in range(4))
        Driver(late, board, Pages(), scorer).run(Quiet(), Once(*blocks))
    assert asked[:2] == [1.0, 1.0], "a first run reads the disk and is scored"
    assert all((share < 1) is shortened for share in asked[2:])


def test_a_lost_agent_costs_one_run(agent_cache: Path, tmp_path: Path) -> None:
    class Fragile(LocalTransport):
        """Loses its agent in the middle of the third run, as a cut cable would."""

        count = 0

        def run(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
            Fragile.count += 1
            if Fragile.count == 3:
                self.process.kill()
            return super().run(request)

    def connect(_: str) -> Transport:
        return Fragile(agent_cache)

    with Board(connect, lambda _: "python") as board:
        runs = drive(plan((case(tmp_path, "a"), case(tmp_path, "b"))), board)
    assert [run.status for run in runs].count("ok") == 9
    lost = runs[2]
    assert lost.status == "failed"
    assert "agent" in str(lost.reason)


def test_outputs_that_are_text_are_a_reason_and_no_end(tmp_path: Path) -> None:
    import numpy as np

    one = case(tmp_path, "text")
    with Scorer((one,), {}, {one.model: tmp_path / "evaluation.npz"}) as scorer:
        wanted = scorer.wanted(one)
        assert wanted is not None
        np.savez(wanted["outputs"], **{"out:0": np.array(["a"], dtype=object)})
        quality = scorer.quality(one)
    assert quality is not None
    assert (quality.value, quality.reason) == (None, "the outputs are not numbers")


def test_an_agent_that_cannot_start_says_which_interpreter(agent_cache: Path) -> None:
    with pytest.raises(DeviceError, match="/no/python"):
        LocalTransport(agent_cache, "/no/python")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 3", "ended unexpectedly"),
        ("kill -SEGV $$", "fake"),
        ("echo garbage", "does not answer like an agent: 'garbage'"),
        ("echo 12", "does not answer like an agent: '12'"),
    ],
)
def test_an_interpreter_that_is_none_costs_its_runtime_only(
    agent_cache: Path, tmp_path: Path, script: str, said: str
) -> None:
    fake = tmp_path / "fake"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    named = {"tflite-runtime": str(fake), "torch": "/no/python"}
    with Board(
        lambda python: LocalTransport(agent_cache, python),
        lambda backend: named.get(backend, sys.executable),
    ) as board:
        found = board.runtimes(["tflite-runtime", "torch", "null"])
    assert found["null"].version is not None
    assert said in str(found["tflite-runtime"].reason)
    assert "/no/python" in str(found["torch"].reason)


class Flickering:
    """A way to a board that is lost at given calls of `run`, else the real agent here."""

    def __init__(self, inner: LocalTransport, lost: set[int]) -> None:
        self._inner = inner
        self._lost = lost
        self.calls = 0

    def run(self, request: Json) -> Iterator[Json]:
        self.calls += 1
        self.last = request
        if self.calls in self._lost:
            raise BoardLost("board 'x' does not answer")
        return self._inner.run(request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def flickering(agent_cache: Path, lost: set[int]) -> tuple[Flickering, Board]:
    way = Flickering(LocalTransport(agent_cache), lost)
    found = Board(lambda _: cast(Transport, way), lambda _: "python")
    found.restart = lambda interpreter: None  # type: ignore[method-assign]  # keep what counts
    return way, found


def test_a_board_lost_once_costs_one_run_and_lost_three_times_is_set_aside(
    agent_cache: Path, tmp_path: Path
) -> None:
    chosen = plan((case(tmp_path, "a"), case(tmp_path, "b")), blocks=3)
    _, board = flickering(agent_cache, {2})
    with board:
        assert _statuses(drive_with_strikes(chosen, board)) == ["ok", "failed", *["ok"] * 4]
    _, board = flickering(agent_cache, {2, 4, 5, 6})
    kept = Pages()
    with board, pytest.raises(BoardLost, match="3 times in a row and is set aside: board 'x'"):
        drive_with_strikes(chosen, board, kept)
    assert _statuses(kept.runs) == ["ok", "failed", "ok", "failed", "failed", "failed"]


def _statuses(runs: tuple[Run, ...]) -> list[str]:
    return [run.status for run in runs]


def drive_with_strikes(
    chosen: SessionPlan, board: Board, pages: Pages | None = None
) -> tuple[Run, ...]:
    kept = pages or Pages()
    with Scorer(chosen.cases, {}, {}) as scorer:
        driver = Driver(chosen, board, kept, scorer)
        driver.strikes = Strikes(pauses_s=(0.0, 0.0))
        driver.run(Quiet(), RunSchedule(chosen))
    return kept.runs
