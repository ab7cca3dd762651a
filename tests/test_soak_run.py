"""A soak from its plan to its runs: as long as asked, watched, never cut short, resumed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.agent import launch
from harness.errors import UsageError
from harness.plan import order, pace, points, sampling
from harness.plan.choice import Choice
from harness.session import cooling
from harness.session.boards import Board
from harness.session.driver import Driver
from harness.session.schedule import RunSchedule, State
from harness.session.scoring import Scorer
from harness.transport.local import LocalTransport
from harness.types import Artifact, Case, Run, SessionPlan, TensorSpec
from results.cases import summarise
from suites import Group, Sampling, Suite

SUITE = Suite(
    name="s",
    title="s",
    question="?",
    models=("m",),
    groups=(
        Group(variants=("fp32", "int4"), backends=("onnxruntime",), blocks=7),
        Group(variants=("fp32",), backends=("onnxruntime",), scenario="offline", batch=8),
    ),
)
SOAK_S = 1.2


def test_a_soak_is_one_run_of_every_case_with_its_batch() -> None:
    found = points.expand(SUITE, Choice(suite="s", soak_s=600))
    assert {(one.variant, one.scenario, one.batch, one.blocks) for one in found} == {
        ("fp32", "soak", 1, 1),
        ("int4", "soak", 1, 1),
        ("fp32", "soak", 8, 1),
    }
    twice = points.expand(SUITE, Choice(suite="s", soak_s=600, blocks=2, batches=(4,)))
    assert {(one.scenario, one.batch, one.blocks) for one in twice} == {("soak", 4, 2)}
    assert points.expand(SUITE, Choice(suite="s", soak_s=600)) == found, "resume finds the same"


@pytest.mark.parametrize("name", ["sample", "budget", "precision"])
def test_what_would_cut_a_soak_short_is_refused(name: str) -> None:
    field = name if name == "precision" else f"{name}_s"
    choice = msgspec.structs.replace(Choice(suite="s", soak_s=600), **{field: 0.5})
    with pytest.raises(UsageError) as refused:
        points.expand(SUITE, choice)
    assert str(refused.value) == (
        f"--soak and --{name} cannot be had together: a soak lasts as long as it says;"
        f" leave --{name} out"
    )


def test_a_soak_of_more_than_a_day_is_refused() -> None:
    with pytest.raises(UsageError, match="a soak of 90000 s is longer than a day"):
        points.expand(SUITE, Choice(suite="s", soak_s=90_000))


def test_the_sampling_of_a_soak_is_its_time_and_nothing_else() -> None:
    found = sampling.of(Sampling(), Choice(suite="s", soak_s=600), 600, 700)
    assert found["run"] | {"warmup_calls": 5, "warmup_s": 0.3} == {
        "warmup_calls": 5,
        "warmup_s": 0.3,
        "soak": True,
        "min_samples": 1,
        "max_samples": 1_000_000,
        "min_s": 600,
        "budget_s": 600,
        "precision": None,
    }
    assert (found["timeout_s"], found["goal"], found["soak_s"]) == (721.5, None, 600)
    assert 2 <= found["watch_hz"] <= 5
    assert found["cool_timeout_s"] == 600
    day = sampling.of(Sampling(), Choice(suite="s", soak_s=86_400), 86_400, 30)
    assert 10_000 < 86_400 * day["watch_hz"] <= 50_000, "a day's readings fit one message"
    assert sampling.of(Sampling(), Choice(suite="s", soak_s=20), 20, 30)["cool_timeout_s"] == 180
    usual = sampling.of(Sampling(), Choice(suite="s"), 1.0, 30)
    assert not {"soak_s", "watch_hz", "cool_timeout_s"} & set(usual)
    assert "soak" not in usual["run"]


def test_the_samples_of_the_longest_soak_fit_into_one_message() -> None:
    day_ns, most = 86_400 * 10**9, sampling._MOST_SOAK_SAMPLES
    assert len(json.dumps([day_ns // most] * most)) < 0.75 * launch._MESSAGE_LIMIT


def test_a_soak_is_never_shortened_to_keep_to_the_announced_time() -> None:
    run = sampling.of(Sampling(), Choice(suite="s", soak_s=600), 600, 700)["run"]
    assert pace.shortened(run, 0.4) == run
    assert pace.shortened({**run, "soak": False}, 0.5)["budget_s"] == 300


def test_the_gate_before_a_soak_waits_as_long_as_the_session_says() -> None:
    warm = handled({"host": {"temperature_c": {"cpu": [40.0, 70.0]}}})
    assert cooling.wanted([warm], 600.0) == {"below_c": 43.0, "timeout_s": 600.0}
    assert cooling.wanted([warm]) == {"below_c": 43.0, "timeout_s": 180.0}


def handled(result: dict[str, Any]) -> Run:
    return Run(
        run_id="r", session_id="s", seq=0, block=0, case_key="k", status="ok", reason=None,
        started_unix_s=0.0, duration_s=1.0, result=result,
    )  # fmt: skip


class Pages:
    """A journal in memory; `room` is how many runs it takes before the power fails."""

    def __init__(self, runs: tuple[Run, ...] = (), room: int = 1000) -> None:
        self.runs = runs
        self._room = room

    def append(self, run: Run) -> None:
        if len(self.runs) >= self._room:
            raise KeyboardInterrupt
        self.runs = (*self.runs, run)


class Quiet:
    """An observer that does not care."""

    def starts(self, case: Case, done: int, total: int, remaining_s: float | None) -> None:
        pass

    def finished(self, case: Case, run: Run) -> None:
        pass


def case(folder: Path, variant: str, **script: Any) -> Case:
    path = folder / f"{variant}.null"
    path.write_text(json.dumps({"latency_us": 2000, **script}))
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    return Case(
        device="local",
        model="m",
        model_digest="d",
        variant=variant,
        backend="null",
        runtime_version="1",
        interpreter="python",
        scenario="soak",
        batch=1,
        threads=1,
        affinity=None,
        inputs=(TensorSpec(name="x", dtype="float32", shape=(1, 4)),),
        artifact=Artifact(path=str(path), format="null", sha256=content, size_bytes=1),
        options={"threads": 1},
    )


def plan(cases: tuple[Case, ...]) -> SessionPlan:
    of = sampling.of(Sampling(warmup_s=0.05), Choice(suite="s", soak_s=SOAK_S), SOAK_S, 5.0)
    return SessionPlan(
        session_id="20261120T141500Z-3f2a",
        created_unix_s=0.0,
        command=("run", "--soak", str(SOAK_S)),
        suite="quick",
        device="local",
        seed=1,
        blocks=1,
        cases=cases,
        skipped=(),
        order=order.blocks({one.key: 1 for one in cases}, 1),
        sampling={**of, "energy_s": 0},
        models=(),
        environment={},
        harness_version="0",
    )


@pytest.fixture
def board(agent_cache: Path) -> Iterator[Board]:
    with Board(lambda _: LocalTransport(agent_cache), lambda _: "python") as found:
        yield found


def drive(chosen: SessionPlan, board: Board, pages: Pages) -> tuple[Run, ...]:
    with Scorer(chosen.cases, {}, {}) as scorer:
        Driver(chosen, board, pages, scorer).run(Quiet(), RunSchedule(chosen))
    return pages.runs


def test_a_session_of_soaks_runs_is_interrupted_and_goes_on(board: Board, tmp_path: Path) -> None:
    chosen = plan((case(tmp_path, "slow"), case(tmp_path, "fast", latency_us=0)))
    interrupted = Pages(room=1)
    with pytest.raises(KeyboardInterrupt):
        drive(chosen, board, interrupted)
    runs = drive(chosen, board, Pages(interrupted.runs))
    assert runs[0] is interrupted.runs[0], "what was done is not done again"
    assert sorted(run.case_key for run in runs) == sorted(one.key for one in chosen.cases)
    rows = {row.variant: row for row in summarise(chosen, runs)}
    for variant in ("slow", "fast"):
        soak = rows[variant].soak
        assert soak["duration_s"] == pytest.approx(SOAK_S, abs=0.2)
        assert rows[variant].stop_reasons == {"budget": 1}
        assert (soak["runs"], soak["throttle_s"]) == (1, None)
        assert "a soak shorter than 180 s" in soak["reasons"]["latency_sustained_s"]
    found = {run.case_key: run for run in runs}
    slow, fast = (found[one.key] for one in chosen.cases)
    assert len(slow.samples_ns) == slow.result["timed_calls"] < SOAK_S * 500
    assert fast.result["timed_calls"] > 20_000
    assert rows["fast"].throughput_per_s == pytest.approx(
        fast.result["timed_calls"] / fast.result["timed_wall_s"]
    )
    for run in runs:
        assert run.status == "ok"
        assert run.result["steady"]["reached"] is None
        moments = run.result["watch"]["t_s"]
        assert 3 <= len(moments) <= SOAK_S * sampling._WATCH_HZ + 2
        assert -0.1 < moments[0] < 0.5
        assert moments[-1] < SOAK_S + 0.3


def test_a_soak_that_was_disturbed_is_not_made_again(tmp_path: Path) -> None:
    chosen = plan((case(tmp_path, "a"), case(tmp_path, "b")))
    held = {"host": {"steal_share": 0.5, "ticks": 4000, "window_s": 20.0}}
    runs = tuple(
        msgspec.structs.replace(handled(held), case_key=one.key, run_id=one.key, samples_ns=(1, 2))
        for one in chosen.cases
    )
    state = State(runs=runs, spent_s=0.0, given_up=frozenset(), cost_s=lambda keys: 0.0)
    assert RunSchedule(chosen).next(state) is None
    usual = msgspec.structs.replace(
        chosen, sampling={k: v for k, v in chosen.sampling.items() if k != "soak_s"}
    )
    assert RunSchedule(usual).next(state) is not None, "another run is made good"
