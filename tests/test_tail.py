from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats.summary import across_runs, pooled
from harness.stats.tail import across_processes


def runs(count, length, seed=1):
    rng = random.Random(seed)
    return [
        [math.exp(level + rng.gauss(0, 0.05)) for _ in range(length)]
        for level in (rng.gauss(0, 0.02) for _ in range(count))
    ]


def test_below_368_samples_there_is_nothing_but_the_bound():
    found = across_processes(runs(5, 73), 0.99)
    assert (found.center, found.lo, found.hi) == (None, None, None)
    assert found.warnings == ("p99 needs 368 samples and there are 365: raise the budget",)
    assert across_processes([], 0.99).center is None
    assert across_processes([[], []], 0.5).center is None


@pytest.mark.parametrize(("count", "length"), [(4, 500), (5, 199), (1, 1000)])
def test_without_five_runs_of_two_hundred_it_has_no_interval(count, length):
    samples = runs(count, length)
    found = across_processes(samples, 0.99)
    assert (found.center, found.lo) == (pooled(samples, 0.99).center, None)
    assert f"from {count} runs of {length} samples" in found.warnings[0]
    assert "5 runs of 200 each" in found.warnings[0]


def test_one_short_run_is_named():
    assert "of 7 samples" in across_processes([*runs(9, 400), [1.0] * 7], 0.99).warnings[0]


def test_the_typical_runs_percentile_with_its_interval():
    found = across_processes(runs(10, 400), 0.99)
    assert (found.n, found.warnings) == (10, ())
    assert found.lo < math.exp(0.05 * 2.326) < found.hi
    assert found.lo <= found.center <= found.hi
    assert found.relative_half_width < 0.03


def test_a_disturbed_run_is_not_taken_for_the_tail():
    disturbed = [*runs(9, 400), [1.4 * value for value in runs(1, 400)[0]]]
    found = across_processes(disturbed, 0.99)
    assert found.hi < 1.2
    assert pooled(disturbed, 0.99).center > 1.3


def test_the_median_is_that_of_across_runs():
    samples = runs(6, 101)
    medians = [sorted(run)[50] for run in samples]
    assert across_processes(samples, 0.5) == across_runs(medians)


@given(scale=st.floats(1e-3, 1e3), q=st.sampled_from([0.5, 0.9, 0.99]), seed=st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_follows_a_change_of_unit_and_not_the_order(scale, q, seed):
    samples = runs(5, 200, seed)
    plain = across_processes(samples, q)
    scaled = across_processes([[scale * value for value in run] for run in samples], q)
    assert scaled.center == pytest.approx(scale * plain.center)
    assert scaled.hi == pytest.approx(scale * plain.hi)
    assert across_processes([run[::-1] for run in samples[::-1]], q) == plain
