"""Real processes in real groups: what is too little is found out, and why."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from limited import MIB, limits, null_case

from harness.fit import trial
from harness.fit.groups import PREFIX
from harness.fit.place import Place
from harness.fit.session import Fitting, Question, Subject
from harness.fit.trial import Crew, Setting, Wanted
from harness.fit.verdict import judge
from harness.transport.local import LocalTransport
from harness.types import Case, Json, Run


@pytest.fixture
def crew(agent_cache: Path) -> Iterator[Crew]:
    made = Crew(lambda python: LocalTransport(agent_cache, python))
    yield made
    made.close()


@pytest.fixture
def setting() -> Setting:
    cores = tuple(sorted(os.sched_getaffinity(0)))[:2]
    return Setting(place=limits(), cores=cores, seed=1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_ALONE_S", 0.1)
    monkeypatch.setattr(trial, "LOOP_S", 0.5)


@pytest.fixture
def ask(crew: Crew, setting: Setting) -> Callable[..., list[Json]]:
    def make(members: tuple[Case, ...], budget_bytes: int, together: int = 1) -> list[Json]:
        runs: list[Run] = []
        question = Question(
            session_id="s", budget_bytes=budget_bytes, most_bytes=1024 * MIB, together=together
        )
        fitting = Fitting(crew, setting, question, lambda case, run: runs.append(run))
        fitting.ask(Subject(case=members[0], members=members))
        assert [run.seq for run in runs] == list(range(len(runs)))
        assert not any(run.samples_ns or run.duration_s for run in runs)
        return [run.result["fit"] for run in runs]

    return make


def _left(where: Place) -> list[Path]:
    return list(where.memory.glob(f"{PREFIX}*-{os.getpid()}-*"))


def test_the_search_finds_the_size_that_a_process_needs(
    ask: Callable[..., list[Json]], tmp_path: Path, setting: Setting
) -> None:
    facts = ask((null_case(tmp_path, allocate_mb=100),), 400 * MIB)
    assert [fact["what"] for fact in facts[:2]] == ["reference", "budget"]
    assert len(facts) <= 9
    needed = facts[0]["anonymous_bytes"]
    assert needed > 100e6
    passing = min(fact["limit_bytes"] for fact in facts if fact["word"] == "pass")
    failing = max(fact["limit_bytes"] for fact in facts if fact["word"] == "oom")
    assert failing < passing
    # what is charged beside anonymous pages: page tables, stacks, pages of libraries in use
    assert 0.97 * needed < passing < needed + 24e6
    assert passing - failing <= 0.04 * passing
    assert not _left(setting.place)


def test_a_file_that_has_to_be_read_again_and_again_is_thrashing(
    crew: Crew, setting: Setting, tmp_path: Path
) -> None:
    weights = tmp_path / "weights"
    weights.write_bytes(os.urandom(MIB) * 96)
    case = null_case(tmp_path, map=str(weights))

    def seen(limit_bytes: int) -> trial.Seen:
        return crew.make(setting, Wanted(cases=(case,), limit_bytes=limit_bytes, loop_s=0.1))

    roomy, tight = seen(512 * MIB), seen(72 * MIB)
    assert roomy.observed.endings[0].status == tight.observed.endings[0].status == "ok"
    assert judge(roomy.observed).word == "pass"
    judged = judge(tight.observed, roomy.observed)
    assert judged.word == "thrashing"
    assert "pages per call came from the disk again" in judged.why
    assert tight.usage.refaults
    assert tight.usage.peak_bytes is not None
    assert tight.usage.peak_bytes <= 72 * MIB


def test_every_trial_pays_for_the_pages_of_its_files(
    crew: Crew, setting: Setting, tmp_path: Path
) -> None:
    """Whoever reads a file first is charged, so a second trial would get it for nothing."""
    weights = tmp_path / "weights"
    weights.write_bytes(os.urandom(MIB) * 64)
    case = null_case(tmp_path, map=str(weights))
    asked = Wanted(cases=(case,), limit_bytes=512 * MIB, loop_s=0.1)
    peaks = [crew.make(setting, asked).usage.peak_bytes for _ in range(3)]
    # from the second on it is known what the process maps
    assert all(peak is not None and peak > 64 * MIB for peak in peaks[1:])


def test_a_process_that_fails_for_another_reason_says_nothing_about_memory(
    ask: Callable[..., list[Json]], tmp_path: Path
) -> None:
    facts = ask((null_case(tmp_path, fail="load"),), 400 * MIB)
    assert [(fact["what"], fact["word"]) for fact in facts] == [("reference", "failed")]
    assert "loading fails" in facts[0]["why"]


def test_so_many_at_once_as_the_budget_holds(
    ask: Callable[..., list[Json]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.fit.search.MOST", 1)
    facts = ask((null_case(tmp_path, allocate_mb=80),), 220 * MIB, together=3)
    together = {fact["copies"]: fact["word"] for fact in facts if fact["what"] == "together"}
    assert together == {3: "oom", 2: "pass"}
    assert all(fact["at_once"] for fact in facts if fact["word"] == "pass")


def test_several_models_have_to_fit_together(
    ask: Callable[..., list[Json]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.fit.search.MOST", 1)
    large = null_case(tmp_path, "large", allocate_mb=80)
    small = null_case(tmp_path, "small", allocate_mb=30)
    # room for either of them, and not for both
    roomy, tight = ask((large, small), 125 * MIB)
    assert (roomy["word"], tight["word"]) == ("pass", "oom")
    assert roomy["at_once"]
    assert roomy["anonymous_bytes"] > 110e6


def test_a_process_that_is_late_names_no_seconds() -> None:
    said = {"status": "timeout", "reason": "no result within 43 s; the run was ended", "result": {}}
    assert trial._ending(said).reason == "it was not done in time"
    assert trial._ending({**said, "status": "failed"}).reason == said["reason"]
