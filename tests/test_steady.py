"""Where a run's warm-up ends: noise is no warm-up, and a warm-up is not noise."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.agent import steady

MS = 1_000_000
Noise = Callable[[np.random.Generator, int], np.ndarray]


def normal(share: float) -> Noise:
    return lambda source, n: 1 + share * source.normal(size=n)


def outliers(source: np.random.Generator, n: int) -> np.ndarray:
    return 1 + 0.01 * source.normal(size=n) + (source.random(n) < 0.05) * source.exponential(0.5, n)


def quantised(source: np.random.Generator, n: int) -> np.ndarray:
    """Play a clock whose step is 1 % of a call."""
    return np.round(100 * (1 + 0.005 * source.normal(size=n))) / 100


def steady_from(durations: list[int]) -> int | None:
    """Return where a search over calls as slow as `durations` finds the steady part."""
    search, loop_ns = steady.Search(), 0
    for count, duration in enumerate(durations, 1):
        loop_ns += duration
        if count == search.next_call:
            search.visit(durations[:count], loop_ns)
        if search.begin is not None:
            return int(search.begin)
    return None


@pytest.mark.parametrize(
    "noise",
    [
        normal(0.001),
        normal(0.03),
        normal(0.1),
        lambda source, n: np.exp(0.2 * source.normal(size=n)),
        outliers,
        quantised,
    ],
    ids=["tiny", "usual", "wide", "log-normal", "outliers", "quantised"],
)
def test_steady_noise_is_called_steady_within_sixty_calls(noise: Noise) -> None:
    source = np.random.default_rng(11)
    found = [steady_from([int(v) for v in 20 * MS * noise(source, 60)]) for _ in range(200)]
    assert sum(begin is not None for begin in found) >= 190
    assert sum(begin == 0 for begin in found) >= 160, "most of them at the first chance"


@pytest.mark.parametrize(
    ("excess", "calls", "left"), [(0.5, 10, 0.01), (0.5, 30, 0.02), (0.5, 100, 0.05)]
)
def test_the_steady_part_begins_after_the_warm_up(excess: float, calls: int, left: float) -> None:
    """`left` is what may remain of the warm-up's excess where the steady part begins."""
    source = np.random.default_rng(12)
    remaining = []
    for _ in range(100):
        at = np.arange(600)
        level = 1 + excess * np.exp(-at / calls)
        values = 20 * MS * level * (1 + 0.01 * source.normal(size=600))
        begin = steady_from([int(value) for value in values])
        assert begin
        remaining.append(excess * math.exp(-begin / calls))
    assert np.quantile(remaining, 0.95) <= left


def alternating(level: int, spread: int, count: int = 20) -> list[int]:
    return [level + (spread if at % 2 else -spread) for at in range(count)]


@pytest.mark.parametrize(
    ("durations", "words"),
    [
        (alternating(1_030_000, 5000) + alternating(MS, 5000), "medians .* 3.0 % apart"),
        (alternating(MS, 5000) + alternating(MS, 40_000), "scatter by 5 and 40 µs"),
        ([1_100_000, *alternating(MS, 5000, 39)], "begin with an outlier"),
        ([MS + 800 * at for at in range(40)], "last 40 calls get slower"),
        ([MS - 400 * at for at in range(60)], "last 60 calls get faster"),
    ],
)
def test_the_reason_says_what_differs(durations: list[int], words: str) -> None:
    reason = steady.unsteady(durations)
    assert reason
    assert re.search(words, reason)


@pytest.mark.parametrize(
    "durations",
    [
        pytest.param(alternating(MS, 100) + alternating(MS, 4000), id="spreads below 0.5 %"),
        pytest.param([2600] * 20 + [2600, 2652] * 10, id="one step of a coarse clock"),
        pytest.param([1_015_000, *alternating(MS, 100, 39)], id="a first call within 2 %"),
        pytest.param(alternating(1_009_000, 100) + alternating(MS, 100), id="medians within 2 %"),
        pytest.param([MS + 200 * at for at in range(40)], id="a trend below 1 %"),
        pytest.param(
            alternating(1_060_000, 100_000) + alternating(MS, 100_000), id="medians in the noise"
        ),
    ],
)
def test_what_is_too_small_to_mean_anything_is_steady(durations: list[int]) -> None:
    assert steady.unsteady(durations) is None


@settings(deadline=None)
@given(st.lists(st.integers(min_value=1, max_value=50), min_size=40, max_size=60))
def test_the_trend_is_mann_and_kendalls(values: list[int]) -> None:
    """Against the definition: the signs of all pairs."""
    count = len(values)
    score = sum(
        (later > earlier) - (later < earlier)
        for at, earlier in enumerate(values)
        for later in values[at + 1 :]
    )
    z = score / math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    level = np.median(values[:20]), np.median(values[-20:])
    small = abs(level[0] - level[1]) <= 0.01 * level[1]
    reason = steady._trend(values)
    assert (reason is None) == (small or abs(z) < 2.58)
    if reason:
        assert f"z = {z:.1f}" in reason


@settings(deadline=None)
@given(
    st.lists(st.integers(min_value=900, max_value=1100), min_size=40, max_size=80),
    st.integers(min_value=2, max_value=1000),
)
def test_the_unit_of_time_does_not_matter(values: list[int], scale: int) -> None:
    scaled = [value * scale for value in values]
    assert (steady.unsteady(values) is None) == (steady.unsteady(scaled) is None)


def test_a_search_tells_when_the_steady_part_began() -> None:
    search = steady.Search()
    durations = [10 * MS - at * MS // 6 for at in range(50)] + alternating(MS, 5000, 80)
    loop_ns = 0
    for count in range(1, len(durations) + 1):
        loop_ns += durations[count - 1] + 7
        if count == search.next_call:
            search.visit(durations[:count], loop_ns)
    assert search.begin == 70, "the trend test sees one window more than is kept"
    assert search.begin_ns == sum(durations[:70]) + 70 * 7
    assert search.next_call == math.inf
    assert search.told(130) == {"reached": True, "calls": 70, "reason": None}


def test_too_few_calls_are_not_judged_and_enough_of_them_are() -> None:
    search = steady.Search()
    told = search.told(12)
    assert told["reached"] is None
    assert told["reason"] == "12 calls are too few to judge: it takes 40"
    search.visit([MS + 10 * MS * at for at in range(40)], 40 * MS)
    told = search.told(45)
    assert (told["reached"], told["calls"]) == (False, 0)
    assert re.match("no steady state in 45 calls: the medians", told["reason"])


def test_checks_of_a_fast_model_leave_a_whole_window_between_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = _checks(monkeypatch, call_ns=10_000, calls=1000)
    assert asked[0] == 40
    assert np.diff(asked).min() >= 200, "2 ms apart"
    asked = _checks(monkeypatch, call_ns=200_000, calls=1000)
    assert np.diff(asked).min() >= 50, "no window begins with the call after a check"
    assert _checks(monkeypatch, call_ns=20 * MS, calls=80) == [40, 50, 60, 70, 80]


def test_a_search_gives_up_after_300_calls_and_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    assert max(_checks(monkeypatch, call_ns=1000 * MS, calls=500)) == 300
    assert max(_checks(monkeypatch, call_ns=100 * MS, calls=900)) == 600


def _checks(monkeypatch: pytest.MonkeyPatch, call_ns: int, calls: int) -> list[int]:
    """Return at how many calls each the last windows of a never steady run are compared."""
    asked: list[int] = []

    def never(durations: list[int]) -> str:
        asked.append(len(durations))
        return "never"

    monkeypatch.setattr(steady, "unsteady", never)
    search = steady.Search()
    for count in range(1, calls + 1):
        if count == search.next_call:
            search.visit([call_ns] * count, count * call_ns)
    return asked
