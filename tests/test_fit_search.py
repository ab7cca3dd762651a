"""The pure half of --fit: which limit comes next, what a trial's counts mean, what follows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.fit import search
from harness.fit.search import STEP_BYTES, TOLERANCE, Bounds
from harness.fit.verdict import Counted, Ending, Observed, judge
from harness.stats.capacity import Trial, bracket

MIB = 2**20


def _search(bounds: Bounds, needed: int) -> list[Trial]:
    trials: list[Trial] = []
    while (limit := search.next_limit(bounds, trials)) is not None:
        assert limit not in {trial.limit_bytes for trial in trials}
        word = "pass" if limit >= needed else "oom"
        trials.append(Trial(limit_bytes=limit, word=word))
        assert len(trials) <= search.MOST
    return trials


@given(
    st.integers(8 * MIB, 4000 * MIB), st.floats(0.0, 1.0), st.floats(1.0, 4.0), st.floats(1.0, 3.0)
)
def test_the_search_ends_at_the_needed_size(
    needed: int, below: float, above: float, room: float
) -> None:
    low = int(needed * (0.5 + 0.5 * below)) - 1
    guess = int(needed * above)
    high = int(guess * room) + STEP_BYTES
    found = bracket(_search(Bounds(low_bytes=low, high_bytes=high, guess_bytes=guess), needed))
    passing = found.passing.limit_bytes if found.passing else high
    failing = found.failing.limit_bytes if found.failing else low
    assert failing < needed <= passing
    # limits are whole steps; six trials after the guess halve the gap that is left by then
    close = max(2 * STEP_BYTES, TOLERANCE * passing)
    assert passing - failing <= close + (high - low) / 2**5


def test_a_close_pair_ends_it_and_what_stopped_it_is_seen() -> None:
    trials = _search(
        Bounds(low_bytes=60 * MIB, high_bytes=900 * MIB, guess_bytes=67 * MIB), 64 * MIB
    )
    limits = [trial.limit_bytes // MIB for trial in trials]
    assert limits == [67, 64, 62, 63]
    found = bracket(trials)
    assert found.passing is not None
    assert found.failing is not None
    assert (found.passing.limit_bytes, found.failing.limit_bytes) == (64 * MIB, 63 * MIB)


def test_the_assumed_bound_is_tried_once_where_nothing_failed() -> None:
    trials = _search(Bounds(low_bytes=100 * MIB, high_bytes=900 * MIB, guess_bytes=102 * MIB), 1)
    assert [trial.limit_bytes // MIB for trial in trials] == [102, 100]


def test_a_pass_below_a_failure_counts_for_nothing() -> None:
    trials = [
        Trial(limit_bytes=50, word="pass"),
        Trial(limit_bytes=60, word="thrashing"),
        Trial(limit_bytes=70, word="pass"),
        Trial(limit_bytes=90, word="pass"),
    ]
    found = bracket(trials)
    assert found.passing == trials[2]
    assert found.failing == trials[1]
    assert bracket([]).passing is None


@given(st.integers(2, 64), st.integers(1, 64))
def test_the_largest_number_at_once_is_found(most: int, true: int) -> None:
    passed = {1: True}
    while (count := search.next_count(most, passed)) is not None:
        assert count not in passed
        passed[count] = count <= true
        assert len(passed) <= 8
    assert search.at_once(passed) == min(most, true)


OK = Ending(status="ok", calls=100, major_faults=0, call_s=0.01)
CALM = Counted(oom_kills=0, swap_bytes=0)


def _seen(faults: int, call_s: float = 0.01) -> Ending:
    return Ending(status="ok", calls=100, major_faults=faults, call_s=call_s)


def _trial(*endings: Ending, counted: Counted = CALM) -> Observed:
    return Observed(endings=endings, counted=counted)


@pytest.mark.parametrize(
    ("ending", "counted", "word", "said"),
    [
        (OK, Counted(oom_kills=0, major_faults=4, swap_bytes=0), "pass", ""),
        (Ending(status="oom", reason="no"), Counted(oom_kills=1), "oom", "the kernel ended it"),
        (Ending(status="oom", reason="refused"), Counted(oom_kills=0), "oom", "refused"),
        # an old kernel tells no count: how the process ended does
        (Ending(status="oom", reason="SIGKILL"), Counted(), "oom", "SIGKILL"),
        (Ending(status="crashed", reason="SIGILL"), CALM, "failed", "SIGILL"),
        (Ending(status="crashed", reason="SIGKILL"), Counted(oom_kills=2), "oom", "the kernel"),
        (
            Ending(status="timeout", reason="late"),
            Counted(oom_kills=0, major_faults=90000),
            "thrashing",
            "90000 pages",
        ),
        (Ending(status="timeout", reason="late"), Counted(major_faults=20), "failed", "late"),
        (OK, Counted(oom_kills=0, swap_bytes=8_000_000), "thrashing", "8 MB were swapped"),
        (_seen(6400), CALM, "thrashing", "64 pages per call"),
        # a fast disk hides it from the clock, not from the counter
        (_seen(100), CALM, "thrashing", "1 pages per call"),
        # one fault reads many pages ahead: the group counts them all
        (_seen(3), Counted(oom_kills=0, loop_refaults=8000), "thrashing", "80 pages per call"),
        (_seen(33, 0.0151), CALM, "thrashing", "calls took longer"),
        (_seen(33, 0.0149), CALM, "pass", ""),
        (_seen(31, 0.0151), CALM, "pass", "hardly a page"),
        # slow, but nothing was read again: that is the machine, not the memory
        (_seen(0, 0.05), CALM, "pass", "hardly a page"),
    ],
)
def test_what_a_trial_means(ending: Ending, counted: Counted, word: str, said: str) -> None:
    judged = judge(_trial(ending, counted=counted), _trial(OK))
    assert judged.word == word
    assert said in judged.why
    assert bool(said) == bool(judged.why)


def test_few_calls_are_no_storm_of_a_few_pages() -> None:
    few = Ending(status="ok", calls=5, major_faults=20, call_s=0.01)
    assert judge(_trial(few), _trial(OK)).word == "pass"


def test_a_model_that_reads_its_file_anyway_is_held_against_itself() -> None:
    assert judge(_trial(_seen(6400)), _trial(_seen(6000))).word == "pass"
    assert judge(_trial(_seen(6400)), _trial(_seen(4000))).word == "thrashing"


def test_the_slowest_of_several_decides() -> None:
    judged = judge(_trial(OK, _seen(50, 0.02)), _trial(OK, OK))
    assert (judged.word, judged.slowdown) == ("thrashing", 2.0)
    ended = _trial(Ending(status="oom"), OK, counted=Counted(oom_kills=1))
    assert "ended 1 of them" in judge(ended).why
