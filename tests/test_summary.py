from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from harness.stats.summary import across_runs, pooled, within_run

_times = st.lists(st.floats(1e-6, 1e3), min_size=2, max_size=30)


@given(values=_times)
def test_across_runs_is_scipys_trimmed_t_interval_on_logarithms(values):
    assume(max(values) > 1.001 * min(values))
    summary = across_runs(values)
    found = stats.ttest_ind(np.log(values), np.zeros(len(values)), equal_var=False, trim=0.15)
    center, interval = stats.trim_mean(np.log(values), 0.15), found.confidence_interval()
    assert summary.center == pytest.approx(math.exp(center), rel=1e-9)
    if interval.low > -600 and interval.high < 600:
        assert summary.lo == pytest.approx(math.exp(interval.low), rel=1e-6)
        assert summary.hi == pytest.approx(math.exp(interval.high), rel=1e-6)


@given(values=_times, scale=st.floats(1e-3, 1e3))
def test_across_runs_follows_a_change_of_unit_and_encloses_its_center(values, scale):
    summary, scaled = across_runs(values), across_runs([scale * value for value in values])
    assert summary.lo <= summary.center <= summary.hi
    assert scaled.center == pytest.approx(scale * summary.center)


@given(values=_times)
def test_across_runs_says_the_same_of_a_rate_as_of_a_time(values):
    time, rate = across_runs(values), across_runs([1 / value for value in values])
    assert rate.center == pytest.approx(1 / time.center)
    if time.hi < 1e100:
        assert rate.lo == pytest.approx(1 / time.hi)


def test_one_disturbed_run_in_ten_hardly_moves_or_widens_the_interval():
    quiet = [0.02 * (1 + 0.01 * step) for step in (-2, -1, -1, 0, 0, 0, 1, 1, 2)]
    calm, disturbed = across_runs([*quiet, 0.0203]), across_runs([*quiet, 0.03])
    assert disturbed.center == pytest.approx(calm.center, rel=0.005)
    assert disturbed.relative_half_width < 1.2 * calm.relative_half_width


def test_equal_runs_have_an_interval_of_no_width():
    summary = across_runs([0.002] * 5)
    assert summary.relative_half_width == pytest.approx(0, abs=1e-12)
    assert summary.warnings == ()


def test_too_few_runs_are_warned_about_with_the_number_that_it_takes():
    assert across_runs([1, 2, 3, 4]).warnings == (
        "only 4 runs: an interval worth trusting takes at least 5 blocks",
    )
    alone = across_runs([2.0])
    assert (alone.center, alone.lo, alone.hi, alone.n) == (2.0, None, None, 1)
    assert "at least 5 blocks" in alone.warnings[0]
    assert alone.relative_half_width is None


@pytest.mark.parametrize("values", [[], [0.0, 1.0], [-1.0, 1.0], [math.inf, 1.0], [math.nan]])
def test_across_runs_gives_none_and_a_reason_where_there_is_no_answer(values):
    summary = across_runs(values)
    assert summary.center is None
    assert summary.lo is None
    assert summary.warnings


def test_two_runs_that_disagree_wildly_have_no_finite_upper_end():
    assert across_runs([1e-300, 1e300]).hi == math.inf


def test_within_run_is_the_order_statistic_interval():
    # One up, one down: nothing resembles its neighbour.
    alternating = [value for low in range(1, 51) for value in (low, 101 - low)]
    summary = within_run(alternating)
    assert (summary.center, summary.lo, summary.hi) == (50, 40, 61)
    assert "leaves out the spread between processes" in summary.warnings[0]


def test_within_run_counts_samples_that_resemble_each_other_as_fewer():
    rng, tries, hits, plain = random.Random(4), 400, 0, 0
    for _ in range(tries):
        level, samples = rng.gauss(0, 1), []
        for _ in range(400):
            level = 0.6 * level + 0.8 * rng.gauss(0, 1)
            samples.append(math.exp(0.05 * level))
        summary, alone = within_run(samples), within_run(rng.sample(samples, 400))
        hits += summary.lo <= 1 <= summary.hi
        plain += alone.lo <= 1 <= alone.hi
    assert plain / tries < 0.85
    assert 0.91 <= hits / tries <= 0.98


def test_within_run_has_no_interval_where_the_samples_only_climb():
    assert within_run(range(40)).lo is None
    assert "worth 5 independent ones" in within_run(range(40)).warnings[0]


def test_within_run_has_no_interval_for_a_few_samples():
    summary = within_run([3, 1, 2, 5, 4])
    assert (summary.center, summary.lo) == (3, None)
    assert summary.warnings == ("no interval from 5 samples: p50 needs 6",)
    assert within_run([]).center is None


def test_p99_appears_with_the_368th_sample():
    assert pooled([range(200), range(167)], 0.99).center is None
    warning = pooled([range(200), range(167)], 0.99).warnings[0]
    assert warning == "p99 needs 368 samples and there are 367: raise the budget"
    assert pooled([range(200), range(200, 368)], 0.99).center == 364


@given(
    st.lists(st.lists(st.integers(1, 10**9), max_size=60), max_size=9), st.sampled_from([0.5, 0.9])
)
def test_pooling_does_not_depend_on_the_order_of_runs(runs, q):
    assert pooled(runs, q) == pooled(runs[::-1], q)


def test_interval_across_runs_covers_the_truth_although_iterations_are_correlated():
    rng = random.Random(5)
    tries, runs, hits = 1500, 5, 0
    for _ in range(tries):
        medians = [2e-3 * math.exp(rng.gauss(0, 0.017)) for _ in range(runs)]
        summary = across_runs(medians)
        hits += summary.lo <= 2e-3 <= summary.hi
    assert 0.93 <= hits / tries <= 0.97
