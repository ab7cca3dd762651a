"""The timed loop and the rule that ends it."""

from __future__ import annotations

import gc
import itertools
import statistics
import time
from collections.abc import Callable, Iterable

import pytest

from harness.agent import precision, sampling, steady

MS = 1_000_000


class Clock:
    """A clock that only the measured calls, and what a test says, move on."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now

    def calls(self, durations: Iterable[int]) -> Callable[[object], None]:
        """Return a model that takes these durations one after the other."""
        left = iter(durations)

        def infer(_: object) -> None:
            self.now += next(left)

        return infer


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(sampling, "clock_ns", made)
    return made


def quiet(level: int = MS) -> Iterable[int]:
    return itertools.cycle([level - 1000, level + 1000])


def falling(calls: int, level: int = MS) -> list[int]:
    """Return a warm-up: each call a little faster than the one before."""
    return [level * (10 + calls - at) // 10 for at in range(calls)]


def test_samples_are_taken_until_the_maximum_and_feeds_rotate() -> None:
    seen: list[int] = []
    rule = sampling.Rule(max_samples=7, budget_s=10)
    timing = sampling.sample(seen.append, [1, 2, 3], rule)
    assert seen == [1, 2, 3, 1, 2, 3, 1]
    assert (len(timing.samples_ns), timing.reason) == (7, "count")
    assert sum(timing.samples_ns) / 1e9 <= timing.wall_s


def test_a_slow_model_gets_its_five_samples_though_the_budget_is_spent() -> None:
    rule = sampling.Rule(min_samples=5, budget_s=0.001)
    timing = sampling.sample(lambda _: time.sleep(0.002), [0], rule)
    assert (len(timing.samples_ns), timing.reason) == (5, "budget")
    assert timing.steady == {
        "reached": None, "calls": 0, "reason": "5 calls are too few to judge: it takes 40",
    }  # fmt: skip


def test_a_steady_run_stops_early_as_precise_after_two_looks(clock: Clock) -> None:
    rule = sampling.Rule(max_samples=10_000, budget_s=60, precision=0.01)
    timing = sampling.sample(clock.calls(quiet()), [0], rule)
    assert timing.reason == "precise"
    assert len(timing.samples_ns) == 63, "the looks are at 50 and 50 * 1.25 rounded up"
    assert timing.steady == {"reached": True, "calls": 0, "reason": None}


def test_a_precise_run_goes_on_until_its_shortest_time(clock: Clock) -> None:
    rule = sampling.Rule(max_samples=10_000, min_s=0.3, budget_s=60, precision=0.01)
    timing = sampling.sample(clock.calls(quiet()), [0], rule)
    assert (timing.reason, len(timing.samples_ns)) == ("precise", 304)


def test_a_run_that_is_never_precise_ends_by_its_budget(clock: Clock) -> None:
    rule = sampling.Rule(budget_s=0.3, precision=0.01)
    timing = sampling.sample(clock.calls(itertools.cycle([MS // 10, MS])), [0], rule)
    assert (timing.reason, timing.wall_s) == ("budget", pytest.approx(0.3, abs=0.001))
    assert len(timing.samples_ns) == 546


def test_the_warm_up_found_is_no_sample_and_its_time_is_not_counted(clock: Clock) -> None:
    warming = falling(45)
    rule = sampling.Rule(max_samples=100, budget_s=60)
    timing = sampling.sample(clock.calls(itertools.chain(warming, quiet())), [0], rule)
    begin = timing.steady["calls"]
    assert timing.steady["reached"] is True
    assert 45 <= begin < 100
    assert list(timing.warmup_ns[:45]) == warming
    assert (len(timing.warmup_ns), len(timing.samples_ns)) == (begin, 100)
    assert timing.reason == "count"
    assert timing.wall_s == pytest.approx(sum(timing.samples_ns) / 1e9, rel=1e-9)


def test_our_own_looks_are_in_no_wall_time(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes a second here; the budget is wall time, so it pays for them."""
    honest = steady.unsteady, precision.half_width

    def checks(durations: list[int]) -> str | None:
        clock.now += 1000 * MS
        return honest[0](durations)

    def looks(ordered: list[int], tau: float = 1.0) -> float:
        clock.now += 1000 * MS
        return 1.0

    monkeypatch.setattr(steady, "unsteady", checks)
    monkeypatch.setattr(precision, "half_width", looks)
    rule = sampling.Rule(max_samples=100, budget_s=60, precision=0.01)
    timing = sampling.sample(clock.calls(itertools.chain(falling(45), quiet())), [0], rule)
    assert timing.reason == "count"
    assert rule.looking_ns >= 5 * 1000 * MS
    assert timing.wall_s == pytest.approx(sum(timing.samples_ns) / 1e9, rel=1e-9)


@pytest.mark.parametrize(
    ("limits", "calls"),
    [({"budget_s": 0.5}, 90), ({"budget_s": 600, "max_samples": 50}, 300)],
)
def test_a_run_without_a_steady_state_keeps_all_its_calls(
    clock: Clock, limits: dict[str, float], calls: int
) -> None:
    rule = sampling.Rule(precision=0.01, **limits)
    timing = sampling.sample(clock.calls(falling(400, MS // 6)), [0], rule)
    assert timing.reason == "no steady state"
    assert (len(timing.warmup_ns), timing.steady["calls"]) == (0, 0)
    assert len(timing.samples_ns) == pytest.approx(calls, rel=0.2)
    assert timing.steady["reached"] is False
    assert timing.steady["reason"].startswith(f"no steady state in {len(timing.samples_ns)} calls")
    assert timing.wall_s == pytest.approx(sum(timing.samples_ns) / 1e9, rel=1e-9)


def test_calls_of_seconds_are_judged_once_there_are_forty(clock: Clock) -> None:
    few = sampling.sample(clock.calls(quiet(2000 * MS)), [0], sampling.Rule(budget_s=77))
    assert (len(few.samples_ns), few.reason, few.steady["reached"]) == (39, "budget", None)
    enough = sampling.sample(clock.calls(quiet(2000 * MS)), [0], sampling.Rule(budget_s=79))
    assert (len(enough.samples_ns), enough.reason) == (40, "budget")
    assert enough.steady["reached"] is True


def test_a_soak_of_minutes_keeps_every_sample_in_order(clock: Clock) -> None:
    """Burst and sustained are read off the order: throttled after a minute, it shows."""
    durations = [MS] * 60_000 + [2 * MS] * 100_000
    rule = sampling.Rule(max_samples=200_000, budget_s=180)
    timing = sampling.sample(clock.calls(durations), [0], rule)
    assert (timing.reason, timing.wall_s) == ("budget", 180)
    assert timing.samples_ns.tolist() == durations[:120_000]
    assert statistics.median(timing.samples_ns[-40_000:]) == 2 * MS


def test_the_collector_rests_while_timing_and_works_again_after_a_failure() -> None:
    states: list[bool] = []

    def fails(_: object) -> None:
        states.append(gc.isenabled())
        raise ValueError("runtime")

    with pytest.raises(ValueError, match="runtime"):
        sampling.sample(fails, [0], sampling.Rule())
    assert states == [False]
    assert gc.isenabled()


def test_warming_up_needs_both_its_count_and_its_time(clock: Clock) -> None:
    assert len(sampling.warm_up(lambda _: None, [0], 4, 0.0)) == 4
    assert len(sampling.warm_up(clock.calls(quiet(10 * MS)), [0], 1, 0.05)) == 6


def test_repeating_for_energy_counts_its_calls(clock: Clock) -> None:
    calls, wall_s = sampling.repeat_for(clock.calls(itertools.repeat(5 * MS)), [0], 0.05)
    assert (calls, wall_s) == (10, pytest.approx(0.05))


def test_a_slowed_call_takes_its_share_longer_and_answers_the_same() -> None:
    inner: list[float] = []

    def infer(feed: int) -> int:
        began = time.perf_counter()
        time.sleep(0.004)
        inner.append(time.perf_counter() - began)
        return feed + 1

    slowed = sampling.slowed(infer, 0.5)
    assert slowed(1) == 2
    inner.clear()
    outer = sampling.warm_up(slowed, [1], 30, 0)
    ratios = [ns / 1e9 / s for ns, s in zip(outer, inner, strict=True)]
    # A busy machine interrupts busy work: the least disturbed call shows the share.
    assert min(ratios) == pytest.approx(1.5, abs=0.02)


def test_slowing_down_follows_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """The busy work is a share of that very call, so that a slow call is slowed by more."""
    reads = iter([0, 100, 100, 119, 120, 1000, 1600, 1700, 1719, 1720])
    monkeypatch.setattr(sampling, "clock_ns", lambda: next(reads))
    slowed = sampling.slowed(lambda feed: feed, 0.2)
    assert [slowed("a"), slowed("b")] == ["a", "b"]
    assert next(reads, None) is None
