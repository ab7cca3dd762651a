from __future__ import annotations

import math
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.stats.student import t_quantile, t_upper_tail


@given(p=st.floats(1e-6, 0.499), df=st.floats(0.5, 1e4))
@settings(max_examples=300, deadline=None)
def test_agrees_with_scipy(p, df):
    assert t_quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-9)
    assert t_quantile(1 - p, df) == pytest.approx(-stats.t.ppf(1 - (1 - p), df), rel=1e-9)


@pytest.mark.parametrize(
    ("df", "value"), [(1, 12.706204736), (4, 2.776445105), (9, 2.262157163), (19, 2.093024054)]
)
def test_table_values(df, value):
    assert t_quantile(0.975, df) == pytest.approx(value, abs=1e-9)


def test_becomes_the_normal_distribution():
    assert t_quantile(0.975, 1e7) == pytest.approx(NormalDist().inv_cdf(0.975), rel=1e-6)


def test_is_zero_in_the_middle():
    assert t_quantile(0.5, 3) == 0.0


@pytest.mark.parametrize(("p", "df"), [(0, 1), (1, 1), (0.5, 0), (math.nan, 1), (0.9, -1)])
def test_refuses_nonsense(p, df):
    with pytest.raises(ValueError, match="t quantile"):
        t_quantile(p, df)


@given(t=st.floats(-50, 50), df=st.floats(0.5, 1e4))
@settings(max_examples=300, deadline=None)
def test_the_tail_agrees_with_scipy(t, df):
    assert t_upper_tail(t, df) == pytest.approx(stats.t.sf(t, df), rel=1e-9, abs=1e-300)


def test_the_tail_ends_at_infinity_and_refuses_nonsense():
    assert (t_upper_tail(math.inf, 3), t_upper_tail(-math.inf, 3)) == (0.0, 1.0)
    assert t_upper_tail(1e200, 3) == 0.0
    assert t_upper_tail(0.0, 3) == pytest.approx(0.5)
    for t, df in ((math.nan, 3), (1.0, 0)):
        with pytest.raises(ValueError, match="t probability"):
            t_upper_tail(t, df)
