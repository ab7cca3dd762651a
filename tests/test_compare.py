from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.stats.compare import paired_ratio

_series = st.dictionaries(st.integers(0, 40), st.floats(1e-6, 1e3), min_size=2, max_size=20)


@given(base=_series, seed=st.integers(0, 10**6))
def test_agrees_with_scipys_paired_t_interval(base, seed):
    rng = random.Random(seed)
    other = {block: value * rng.uniform(0.5, 2) for block, value in base.items()}
    found = paired_ratio(base, other)
    logs = [math.log(other[block] / base[block]) for block in base]
    interval = stats.ttest_1samp(logs, 0).confidence_interval()
    assert math.log(found.ratio) == pytest.approx(sum(logs) / len(logs), abs=1e-9)
    assert math.log(found.lo) == pytest.approx(interval.low, rel=1e-6, abs=1e-9)


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
