from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.stats.quantiles import interval_ranks, least_samples, median_unbiased, nearest_rank

_values = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=200)
_levels = st.sampled_from([0.8, 0.95, 0.99])


@pytest.mark.parametrize(
    ("n", "ranks"),
    [(10, (2, 9)), (20, (6, 15)), (30, (10, 21)), (100, (40, 61)), (1000, (469, 532))],
)
def test_median_ranks_are_the_textbook_ones(n, ranks):
    assert interval_ranks(n, 0.5) == ranks


@pytest.mark.parametrize(
    ("q", "confidence", "least"),
    [(0.5, 0.95, 6), (0.9, 0.95, 36), (0.99, 0.95, 368), (0.99, 0.99, 528), (0.999, 0.95, 3688)],
)
def test_floor_of_samples(q, confidence, least):
    assert least_samples(q, confidence) == least
    assert interval_ranks(least, q, confidence) is not None
    assert interval_ranks(least - 1, q, confidence) is None


@given(n=st.integers(1, 4000), q=st.floats(0.005, 0.995), confidence=_levels)
@settings(max_examples=200, deadline=None)
def test_ranks_are_the_tightest_that_scipy_allows(n, q, confidence):
    ranks = interval_ranks(n, q, confidence)
    tail = (1 - confidence) / 2
    slack = tail * (1 + 1e-9)
    if ranks is None:
        assert stats.binom.cdf(0, n, q) > tail * (1 - 1e-9) or stats.binom.sf(
            n - 1, n, q
        ) > tail * (1 - 1e-9)
        return
    low, high = ranks
    assert stats.binom.cdf(low - 1, n, q) <= slack < stats.binom.cdf(low, n, q) * (1 + 1e-8)
    assert stats.binom.sf(high - 1, n, q) <= slack < stats.binom.sf(high - 2, n, q) * (1 + 1e-8)


@given(values=_values, q=st.floats(0, 1))
def test_nearest_rank_is_the_least_value_that_enough_do_not_exceed(values, q):
    ordered = sorted(values)
    found = nearest_rank(ordered, q)
    assert found in ordered
    assert sum(value <= found for value in ordered) >= q * len(ordered) - 1e-6
    assert sum(value < found for value in ordered) <= max(0, q * len(ordered)) + 1e-6


@given(values=_values, scale=st.sampled_from([0.5, 2.0, 4.0]), q=st.floats(0, 1))
def test_nearest_rank_follows_a_change_of_unit(values, scale, q):
    ordered = sorted(values)
    assert nearest_rank([scale * value for value in ordered], q) == scale * nearest_rank(ordered, q)


def test_nearest_rank_is_not_fooled_by_rounding():
    hundred = list(range(1, 101))
    assert [nearest_rank(hundred, percent / 100) for percent in range(1, 101)] == hundred


@pytest.mark.parametrize(("values", "q"), [([], 0.5), ([1], -0.1), ([1], 1.1), ([1], math.nan)])
def test_nearest_rank_refuses_nonsense(values, q):
    with pytest.raises(ValueError, match="quantile"):
        nearest_rank(values, q)


@pytest.mark.parametrize(("n", "q", "confidence"), [(0, 0.5, 0.95), (9, 0, 0.95), (9, 0.5, 1)])
def test_interval_refuses_nonsense(n, q, confidence):
    with pytest.raises(ValueError, match="interval"):
        interval_ranks(n, q, confidence)


def test_interval_covers_the_quantile_of_a_skewed_distribution():
    rng = random.Random(11)
    n, q, tries = 60, 0.5, 2000
    truth = math.log(2)
    low, high = interval_ranks(n, q)
    hits = 0
    for _ in range(tries):
        ordered = sorted(rng.expovariate(1) for _ in range(n))
        hits += ordered[low - 1] <= truth <= ordered[high - 1]
    assert 0.95 <= hits / tries <= 0.975


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), q=st.floats(0, 1))
def test_the_median_unbiased_quantile_is_numpys(values, q):
    ours = median_unbiased(sorted(values), q)
    assert ours == pytest.approx(np.quantile(values, q, method="median_unbiased"), abs=1e-6)


def test_the_median_unbiased_quantile_needs_values():
    with pytest.raises(ValueError, match="quantile"):
        median_unbiased([], 0.5)
