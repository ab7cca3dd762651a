"""The energy of a window out of readings: exact where it can be, None where it would be a guess."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats import energy
from harness.stats.energy import Sample

WATTS = st.floats(0.0, 1000.0)
COUNTS = st.integers(10, 80)
OFFSETS = st.floats(-1e6, 1e6)


def constant(count: int, watts: float = 5.0, begin_s: float = 0.0) -> list[Sample]:
    """One reading a second, half a second after the window's begin."""
    return [Sample(begin_s + step + 0.5, watts) for step in range(count)]


def counting(count: int, watts: float, step_wh: float) -> list[Sample]:
    """The same with a counter that moves in steps; the power reading lags and is wrong."""
    found = []
    for sample in constant(count, watts):
        true_wh = 1e6 + watts * sample.at_s / 3600
        found.append(Sample(sample.at_s, watts / 2, round(true_wh / step_wh) * step_wh))
    return found


@given(WATTS, COUNTS, OFFSETS)
def test_constant_power_is_that_power_times_the_window(
    watts: float, count: int, begin_s: float
) -> None:
    found = energy.over(constant(count, watts, begin_s), begin_s, begin_s + count, 1.0)
    assert found.energy_j == pytest.approx(watts * count, rel=1e-6)
    assert (found.integration, found.n, found.reason) == ("trapezoid", count, None)
    assert found.gap_max_s == pytest.approx(1.0, abs=1e-6)


@given(st.lists(WATTS, min_size=10, max_size=60))
def test_the_energy_lies_between_that_of_the_least_and_of_the_most_power(
    watts: list[float],
) -> None:
    samples = [Sample(step + 0.5, value) for step, value in enumerate(watts)]
    found = energy.over(samples, 0.0, len(watts), 1.0).energy_j
    assert found is not None
    assert min(watts) * len(watts) - 1e-6 <= found <= max(watts) * len(watts) + 1e-6


@given(st.lists(WATTS, min_size=10, max_size=60), st.randoms())
def test_the_order_in_which_readings_come_does_not_matter(
    watts: list[float], source: object
) -> None:
    samples = [Sample(step + 0.5, value) for step, value in enumerate(watts)]
    mixed = list(samples)
    source.shuffle(mixed)  # type: ignore[attr-defined]
    both = [energy.over(some, 0.0, len(watts), 1.0) for some in (samples, mixed)]
    assert both[0] == both[1]


@given(COUNTS, WATTS)
def test_readings_of_another_load_outside_of_the_window_change_nothing(
    count: int, watts: float
) -> None:
    samples = constant(count, watts)
    around = [Sample(-0.5, 900.0), *samples, Sample(count + 0.5, 0.0)]
    assert energy.over(around, 0.0, count, 1.0) == energy.over(samples, 0.0, count, 1.0)


def test_a_slope_is_integrated_by_trapezoid() -> None:
    samples = [Sample(float(step), 10.0 * step) for step in range(11)]
    assert energy.over(samples, 0.0, 10.0, 1.0).energy_j == pytest.approx(500.0)


@pytest.mark.parametrize("count", [0, 1, 9])
def test_fewer_than_ten_readings_are_no_energy(count: int) -> None:
    found = energy.over(constant(count), 0.0, 10.0, 1.0)
    assert (found.energy_j, found.integration, found.n) == (None, None, count)
    assert found.reason == f"insufficient: {count} readings of the meter where 10 are needed"


def test_a_meter_that_vanished_for_a_while_is_not_bridged() -> None:
    samples = [sample for sample in constant(60) if not 20 < sample.at_s < 27]
    found = energy.over(samples, 0.0, 60.0, 1.0)
    assert found.energy_j is None
    assert found.reason == "insufficient: 8 of 60 s without a reading"
    assert found.gap_max_s == pytest.approx(8.0)
    gone = energy.over(constant(50), 0.0, 60.0, 1.0)
    assert gone.reason == "insufficient: 10.5 of 60 s without a reading"
    short = [sample for sample in constant(60) if not 20 < sample.at_s < 25]
    assert energy.over(short, 0.0, 60.0, 1.0).energy_j == pytest.approx(300.0)


def test_a_fine_counter_is_differenced_and_says_how_much_it_may_be_wrong() -> None:
    found = energy.over(counting(60, 5.0, 0.0001), 0.0, 60.0, 1.0)
    assert found.integration == "counter"
    assert found.energy_j == pytest.approx(300.0, rel=0.01), "not by the power, which is wrong"
    assert found.counter_step_j == pytest.approx(5.0, abs=0.5)


@given(st.floats(0.5, 500.0), st.floats(1e-5, 10.0), st.integers(10, 200))
def test_a_counter_is_used_only_where_it_is_right_within_two_steps_of_two_percent(
    watts: float, step_wh: float, count: int
) -> None:
    found = energy.over(counting(count, watts, step_wh), 0.0, count, 1.0)
    if found.integration == "counter":
        assert found.energy_j == pytest.approx(watts * count, rel=0.045)
    else:
        assert found.energy_j == pytest.approx(watts * count / 2)


def test_a_counter_that_was_reset_or_stands_still_or_comes_and_goes_is_not_differenced() -> None:
    fine = counting(60, 5.0, 0.0001)
    reset = [*fine[:30], *(Sample(s.at_s, s.power_w, s.at_s) for s in fine[30:])]
    still = [Sample(s.at_s, s.power_w, 7.0) for s in fine]
    partly = [*fine[:30], Sample(fine[30].at_s, 2.5), *fine[31:]]
    back = [*fine[:30], *(Sample(s.at_s, 2.5, (s.energy_wh or 0) - 0.005) for s in fine[30:])]
    for samples in (reset, still, partly, back):
        found = energy.over(samples, 0.0, 60.0, 1.0)
        assert found.integration == "trapezoid"
        assert found.energy_j == pytest.approx(150.0)


def test_a_counter_bridges_a_gap_in_the_middle_but_none_at_an_edge() -> None:
    fine = counting(200, 5.0, 0.0001)
    middle = [sample for sample in fine if not 50 < sample.at_s < 53]
    found = energy.over(middle, 0.0, 200.0, 0.1)
    assert found.integration == "counter"
    assert found.energy_j == pytest.approx(1000.0, rel=0.01)
    assert energy.over(fine, 0.0, 250.0, 1.0).energy_j is None


def test_the_level_at_rest_is_mean_and_deviation_of_enough_readings() -> None:
    watts = [4.0, 6.0] * 6
    found = energy.level([Sample(float(step), w) for step, w in enumerate(watts)], 0.0, 11.0)
    assert (found.mean_w, found.n, found.reason) == (5.0, 12, None)
    assert found.sd_w == pytest.approx(1.0445, abs=1e-3)
    few = energy.level(constant(30), 0.0, 5.0)
    assert (few.mean_w, few.sd_w, few.n) == (None, None, 5)
    assert few.reason == "insufficient: 5 readings of the meter where 10 are needed"
