"""A soak's figures out of its calls and its watch: found where they are, None where not."""

from __future__ import annotations

import random
import re
import time
from array import array
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.agent import soak as loop
from harness.stats import soak

SEEDS = st.integers(0, 10_000)
MS = 1_000_000


def noisy(seconds: float, seed: int, spread: float = 0.01, usual_ms: float = 20.0) -> list[int]:
    """Calls of 20 ms with some noise, `seconds` of them."""
    rng = random.Random(seed)
    count = round(seconds * 1e3 / usual_ms)
    return [round(usual_ms * MS * rng.lognormvariate(0, spread)) for _ in range(count)]


def slower_from(calls: list[int], share: float, by: float) -> list[int]:
    at = round(share * len(calls))
    return calls[:at] + [round(call * (1 + by)) for call in calls[at:]]


def wall(calls: list[int]) -> float:
    return sum(calls) / 1e9


def watch(seconds: int = 600, **series: Any) -> dict[str, Any]:
    return {"t_s": [0.5 * step for step in range(2 * seconds)], **series}


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.floats(0.001, 0.03))
def test_a_steady_soak_is_not_held_down(seed: int, spread: float) -> None:
    calls = noisy(200, seed, spread)
    assert soak.slowdown(calls, wall(calls)) is None
    found = soak.throttle(calls, wall(calls), {})
    assert found.at_s is None
    assert found.reason is not None
    assert "by the latency alone" in found.reason


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.floats(0.15, 0.8), st.floats(0.1, 1.0))
def test_calls_that_become_slower_and_stay_so_are_found_where_they_do(
    seed: int, share: float, by: float
) -> None:
    calls = slower_from(noisy(200, seed), share, by)
    at = sum(calls[: round(share * 10_000)]) / 1e9
    found = soak.slowdown(calls, wall(calls))
    assert found is not None
    assert found[0] == pytest.approx(at, abs=3.0)
    assert found[1] == pytest.approx(by, abs=0.02)


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.floats(0.15, 0.8), st.integers(2, 50))
def test_the_moment_does_not_hang_on_the_unit_or_on_every_kth_call(
    seed: int, share: float, times: int
) -> None:
    calls = slower_from(noisy(200, seed), share, 0.3)
    found = soak.slowdown(calls, wall(calls))
    thinned = soak.slowdown(calls[::4], wall(calls))
    scaled = soak.slowdown([call * times for call in calls], wall(calls))
    assert found is not None and thinned is not None and scaled is not None
    assert scaled == pytest.approx(found)
    assert thinned[0] == pytest.approx(found[0], abs=3.0)


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.floats(0.15, 0.5), st.floats(0.2, 2.0), st.floats(0.005, 0.25))
def test_a_disturbance_that_passes_is_no_throttling(
    seed: int, share: float, by: float, long: float
) -> None:
    calls = noisy(200, seed)
    end = min(1.0, share + long)
    disturbed = slower_from(slower_from(calls, share, by), end, 1 / (1 + by) - 1)
    assert soak.slowdown(disturbed, wall(disturbed)) is None


def test_a_slow_down_of_less_than_five_percent_is_none() -> None:
    calls = slower_from(noisy(200, 1), 0.5, 0.04)
    assert soak.slowdown(calls, wall(calls)) is None


def test_a_change_at_the_very_end_cannot_be_told_from_a_passing_one() -> None:
    for seconds, share in ((200, 0.98), (60, 0.93)):
        calls = slower_from(noisy(seconds, 1), share, 1.0)
        assert soak.slowdown(calls, wall(calls)) is None


def test_a_soak_that_is_too_short_says_so_and_gives_no_sustained_latency() -> None:
    calls = noisy(20, 1)
    found = soak.throttle(calls, wall(calls), {})
    assert found.at_s is None
    assert found.reason is not None
    assert "is too short to tell: 30 s at least" in found.reason
    assert soak.sustained_s(calls, wall(calls)) is None
    assert soak.burst_s(calls, wall(calls)) == pytest.approx(0.02, rel=0.01)


def test_burst_and_sustained_are_the_first_seconds_and_the_last_third() -> None:
    calls = [10 * MS] * 1000 + [12 * MS] * 14_000 + [16 * MS] * 6000
    assert soak.burst_s(calls, wall(calls)) == 0.010
    assert soak.sustained_s(calls, wall(calls)) == 0.016
    assert soak.burst_s([40_000 * MS], 40.0) == 40.0, "the first call at least"
    assert soak.burst_s([], 0.0) is None


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(1, 10**9), min_size=1, max_size=300),
    st.floats(1.0, 3.0),
    st.floats(0.01, 10.0),
)
def test_every_call_is_in_one_bin_and_each_bin_in_order(
    calls: list[int], stretch: float, width_s: float
) -> None:
    end_s = wall(calls) * stretch
    assume(end_s / width_s < 10_000)
    bins = soak.timeline(calls, end_s, width_s)
    moments = [one.at_s for one in bins]
    assert moments == sorted(set(moments))
    assert moments[-1] - width_s / 2 <= end_s * 1.001
    for one in bins:
        assert min(calls) / 1e9 <= one.low_s <= one.median_s <= one.high_s <= max(calls) / 1e9


def test_a_cooling_device_tells_first_if_it_stays_in_its_state() -> None:
    states = [0.0] * 200 + [1.0] + [0.0] * 99 + [2.0] * 900
    calls = slower_from(noisy(600, 3), 0.5, 0.3)
    seen = watch(cooling={"cpufreq-cpu0": states})
    found = soak.throttle(calls, wall(calls), seen)
    assert found.at_s == 150.0
    assert found.evidence is not None
    first, _, later = found.evidence.partition("; ")
    assert first == "cooling device cpufreq-cpu0 slows the processor (state 2)"
    assert re.fullmatch(r"calls became 30\.\d% slower and stayed so \(after [\d.]+ s\)", later)


def test_a_counter_tells_at_once_and_a_cap_where_it_stays_down() -> None:
    calls = noisy(600, 3)
    counts = [0.0] * 400 + [3.0] * 800
    found = soak.throttle(calls, wall(calls), watch(throttle={"core_throttle_count": counts}))
    assert (found.at_s, found.evidence) == (200.0, "the board says core_throttle_count")
    caps = [2.0e9] * 100 + [1.99e9] * 100 + [1.5e9] * 1000
    found = soak.throttle(calls, wall(calls), watch(limit_frequency_hz={"policy4": caps}))
    assert found.at_s == 100.0
    assert found.evidence == "the clock's cap of policy4 fell from 2e+09 to 1.5e+09 Hz"


def test_failed_reads_are_gaps_and_no_evidence() -> None:
    calls = noisy(600, 3)
    seen = watch(
        cooling={"a": [None] * 1200},
        throttle={"b": [None, 0.0] * 600},
        limit_frequency_hz={"c": [2e9, None] * 600},
        temperature_c={"soc": [None, 50.0] * 600},
        power_w=["x"] * 1200,
    )
    found = soak.throttle(calls, wall(calls), seen)
    assert found.at_s is None
    assert found.reason == f"not held down within {wall(calls):.4g} s"
    assert len(soak.curves(seen, "temperature_c")["soc"]) == 600
    assert soak.curves(seen, "power_w") == {}
    assert soak.curves({"t_s": 7}, "temperature_c") == {}


def test_means_of_a_watched_series_stand_at_its_begin_and_over_its_last_third() -> None:
    known = [(0.5 * step, 5.0 if step < 21 else 8.0 if step < 800 else 7.0) for step in range(1200)]
    assert soak.first_and_last(known) == (5.0, 7.0)
    assert soak.first_and_last(known[:100]) == (5.0, None)
    assert soak.first_and_last([]) == (None, None)


def counted_loop(seconds: float, most: int, pause_s: float = 0.0) -> tuple[Any, list[int]]:
    """Run the agent's loop over a call that counts; return the Soak and the order of the feeds."""
    seen: list[int] = []

    def infer(feed: int) -> None:
        seen.append(feed)
        if pause_s:
            time.sleep(pause_s)

    return loop.sample(infer, [0, 1, 2], seconds, most), seen


def test_the_loop_lasts_as_long_as_asked_and_keeps_every_call_where_it_can() -> None:
    found, seen = counted_loop(0.3, 1000, 0.002)
    assert found.calls == len(seen) == len(found.timing.samples_ns)
    assert found.every == 1
    assert found.timing.wall_s == pytest.approx(0.3, abs=0.05)
    assert found.timing.reason == "budget"
    assert sum(found.timing.samples_ns) / 1e9 <= found.timing.wall_s
    assert seen[:6] == [0, 1, 2, 0, 1, 2]


def test_of_more_calls_than_can_be_kept_every_kth_stays() -> None:
    found, seen = counted_loop(0.3, 1000)
    assert len(seen) == found.calls > 70_000, "more than a batch"
    assert found.every & (found.every - 1) == 0
    assert 500 <= len(found.timing.samples_ns) <= 1000
    assert len(found.timing.samples_ns) == -(-found.calls // found.every)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 6), st.integers(1, loop._BATCH), st.integers(10, 5000))
def test_what_is_kept_is_evenly_spaced_from_the_first_call_on(
    batches: int, rest: int, most: int
) -> None:
    kept = loop._Kept(most)
    total = 0
    for size in [loop._BATCH] * batches + [rest]:
        kept.take(array("q", range(total, total + size)))
        total += size
    assert list(kept.values) == list(range(0, total, kept.every))
    assert min(total, most // 2) <= len(kept.values) <= most


def test_one_call_that_outlasts_the_soak_is_still_taken() -> None:
    found, seen = counted_loop(0.01, 10, 0.05)
    assert len(seen) == found.calls == 1
