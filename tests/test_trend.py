"""The trend of a series: exact on a line, scipy's on noise, silent where nothing can be said."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.trend import end_to_start


@given(st.floats(-0.2, 0.2), st.integers(3, 40), st.floats(1e-6, 10), st.integers(-5, 5))
def test_a_straight_line_is_found_exactly(slope, n, level, first):
    values = {first + block: level * math.exp(slope * block) for block in range(n)}
    found = end_to_start(values)
    assert found.n == n
    assert found.ratio == pytest.approx(math.exp(slope * (n - 1)), rel=1e-6)
    assert found.lo <= found.ratio <= found.hi
    assert found.hi / found.lo == pytest.approx(1, abs=1e-4)


def test_it_is_the_regression_of_scipy():
    from scipy import stats

    rng = random.Random(3)
    values = {block: math.exp(0.01 * block + rng.gauss(0, 0.02)) for block in range(9)}
    values.pop(4)
    line = stats.linregress(list(values), [math.log(v) for v in values.values()])
    half = stats.t.ppf(0.975, 6) * line.stderr
    found = end_to_start(values)
    assert found.ratio == pytest.approx(math.exp(line.slope * 8))
    assert found.lo == pytest.approx(math.exp((line.slope - half) * 8))
    assert found.hi == pytest.approx(math.exp((line.slope + half) * 8))


def test_its_interval_covers_what_it_promises():
    rng = random.Random(11)
    hits = 0
    for _ in range(800):
        values = {b: math.exp(0.03 * b / 9 + rng.gauss(0, 0.01)) for b in range(10)}
        found = end_to_start(values)
        hits += found.lo <= math.exp(0.03) <= found.hi
    assert 0.93 <= hits / 800 <= 0.97


def test_too_few_moments_give_no_interval_and_say_so():
    assert end_to_start({3: 2.0}).ratio is None
    two = end_to_start({0: 2.0, 4: 3.0})
    assert (two.ratio, two.lo) == (pytest.approx(1.5), None)
    assert "three blocks" in two.warnings[0]


@pytest.mark.parametrize("odd", [0.0, -1.0, math.inf, math.nan])
def test_what_has_no_logarithm_gives_nothing(odd):
    found = end_to_start({0: 1.0, 1: odd, 2: 1.0})
    assert found.ratio is None
    assert found.warnings == ("a value is not above zero",)


def test_wild_values_end_in_infinity_not_in_an_error():
    found = end_to_start({0: 1e-300, 1: 1e300, 2: 1e-300, 3: 1e300})
    assert found.hi == math.inf
