from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from harness.stats.compare import paired_ratio, unpaired_ratio

_series = st.dictionaries(st.integers(0, 40), st.floats(1e-6, 1e3), min_size=2, max_size=20)


@given(base=_series, seed=st.integers(0, 10**6))
def test_agrees_with_scipys_trimmed_paired_t_interval(base, seed):
    rng = random.Random(seed)
    other = {block: value * rng.uniform(0.5, 2) for block, value in base.items()}
    found = paired_ratio(base, other)
    logs = [math.log(other[block] / base[block]) for block in base]
    zeros = [0.0] * len(logs)
    interval = stats.ttest_ind(logs, zeros, equal_var=False, trim=0.15).confidence_interval()
    assert math.log(found.ratio) == pytest.approx(stats.trim_mean(logs, 0.15), abs=1e-9)
    assert math.log(found.lo) == pytest.approx(interval.low, rel=1e-6, abs=1e-9)


_values = st.lists(st.floats(1e-6, 1e3), min_size=2, max_size=20)


@given(base=_values, other=_values)
def test_unpaired_agrees_with_scipys_welch_interval_with_trimming(base, other):
    assume(all(max(side) > 1.001 * min(side) for side in (base, other)))
    found = unpaired_ratio(base, other)
    theirs = stats.ttest_ind(np.log(other), np.log(base), equal_var=False, trim=0.15)
    assert found.n == min(len(base), len(other))
    assert any("not interleaved" in warning for warning in found.warnings)
    center = stats.trim_mean(np.log(other), 0.15) - stats.trim_mean(np.log(base), 0.15)
    assert math.log(found.ratio) == pytest.approx(center, abs=1e-9)
    interval = theirs.confidence_interval()
    if interval.low > -600 and interval.high < 600 and interval.high - interval.low > 1e-6:
        assert math.log(found.lo) == pytest.approx(interval.low, rel=1e-6, abs=1e-9)
        assert math.log(found.hi) == pytest.approx(interval.high, rel=1e-6, abs=1e-9)


@given(base=_values, other=_values, scale=st.floats(1e-3, 1e3))
def test_unpaired_swaps_and_scales(base, other, scale):
    there, back = unpaired_ratio(base, other), unpaired_ratio(other, base)
    assert there.ratio == pytest.approx(1 / back.ratio)
    scaled = unpaired_ratio([scale * value for value in base], [scale * v for v in other])
    assert scaled.ratio == pytest.approx(there.ratio)


def test_unpaired_series_of_equal_runs_differ_without_a_doubt():
    found = unpaired_ratio([2.0] * 5, [3.0] * 6)
    assert (found.ratio, found.lo, found.hi) == pytest.approx((1.5, 1.5, 1.5))


@pytest.mark.parametrize(
    ("base", "other", "told"),
    [
        ([], [1.0], "one side has no run"),
        ([0.0], [1.0], "not above zero"),
        ([math.inf], [1.0], "not above zero"),
        ([1.0], [1.0, 2.0], "1 run"),
        ([1.0] * 4, [1.0] * 9, "only 4 runs"),
    ],
)
def test_unpaired_says_what_is_missing(base, other, told):
    found = unpaired_ratio(base, other)
    assert any(told in warning for warning in found.warnings)
    assert (found.lo is None) == ("4 runs" not in told)


@given(base=_series, other=_series)
def test_swapping_the_sides_inverts_the_ratio(base, other):
    there, back = paired_ratio(base, other), paired_ratio(other, base)
    assert there.n == back.n
    if there.ratio is not None:
        assert there.ratio == pytest.approx(1 / back.ratio)


def test_blocks_of_one_side_are_left_out_and_counted():
    found = paired_ratio({0: 1.0, 1: 2.0, 2: 5.0}, {0: 2.0, 1: 4.0, 7: 1.0})
    assert found.ratio == pytest.approx(2)
    assert found.n == 2
    assert "blocks left out because one side is missing: 2" in found.warnings


@pytest.mark.parametrize(("base", "other"), [({}, {}), ({0: 1.0}, {1: 1.0}), ({0: 0.0}, {0: 1.0})])
def test_no_ratio_without_a_reason(base, other):
    found = paired_ratio(base, other)
    assert found.ratio is None
    assert found.warnings


def test_drift_between_blocks_cancels_where_it_would_drown_an_unpaired_ratio():
    rng = random.Random(3)
    tries, hits, widths = 400, 0, []
    for _ in range(tries):
        level = [math.exp(0.3 * block / 9 + rng.gauss(0, 0.05)) for block in range(10)]
        base = {block: value * math.exp(rng.gauss(0, 0.01)) for block, value in enumerate(level)}
        other = {b: 1.05 * value * math.exp(rng.gauss(0, 0.01)) for b, value in enumerate(level)}
        found = paired_ratio(base, other)
        hits += found.lo <= 1.05 <= found.hi
        widths.append(found.hi / found.lo - 1)
    assert 0.92 <= hits / tries <= 0.98
    assert sum(widths) / tries < 0.03
