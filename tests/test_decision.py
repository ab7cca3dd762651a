from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from harness.stats.decision import LEAST_BLOCKS, decide

_ratios = st.lists(
    st.floats(-1, 1).map(lambda value: round(value, 6)), min_size=LEAST_BLOCKS, max_size=25
)


def theirs(ratios):
    return stats.ttest_ind(
        ratios, np.zeros(len(ratios)), equal_var=False, trim=0.15, alternative="greater"
    )


def spread(ratios):
    ordered = sorted(ratios)
    cut = len(ordered) * 3 // 20
    return ordered[len(ordered) - cut - 1] - ordered[cut]


@given(ratios=_ratios)
def test_is_yuens_trimmed_t_as_scipy_has_it(ratios):
    assume(spread(ratios) > 1e-5)
    found = decide(ratios, 0.03, 0.01)
    assert found.p_worse == pytest.approx(theirs(ratios).pvalue, rel=1e-6, abs=1e-12)
    assert found.estimate == pytest.approx(stats.trim_mean(ratios, 0.15), abs=1e-12)
    both = stats.ttest_ind(ratios, np.zeros(len(ratios)), equal_var=False, trim=0.15)
    assert found.lo == pytest.approx(both.confidence_interval().low, rel=1e-6, abs=1e-9)
    assert found.hi == pytest.approx(both.confidence_interval().high, rel=1e-6, abs=1e-9)
    upper = -theirs([-value for value in ratios]).confidence_interval(0.99).low
    assert found.upper == pytest.approx(upper, rel=1e-6, abs=1e-9)


@given(ratios=_ratios)
def test_swapping_the_sides_turns_the_answer_around(ratios):
    there, back = decide(ratios, 0.03, 0.01), decide([-value for value in ratios], 0.03, 0.01)
    assert there.p_worse + back.p_worse == pytest.approx(1)
    assert there.estimate == pytest.approx(-back.estimate, abs=1e-12)
    assert there.lo == pytest.approx(-back.hi, abs=1e-12)


@given(ratios=_ratios, scale=st.floats(0.1, 10))
def test_p_does_not_depend_on_the_scale(ratios, scale):
    assume(spread(ratios) > 1e-5)
    scaled = decide([scale * value for value in ratios], 0.03, 0.01)
    assert scaled.p_worse == pytest.approx(decide(ratios, 0.03, 0.01).p_worse, abs=1e-9)


@given(ratios=_ratios, shift=st.floats(0, 1))
def test_a_slower_candidate_never_looks_better(ratios, shift):
    order = ("pass", "inconclusive", "regressed")
    plain = decide(ratios, 0.03, 0.01)
    slower = decide([value + shift for value in ratios], 0.03, 0.01)
    assert slower.p_worse <= plain.p_worse + 1e-9
    if abs(plain.upper - math.log1p(0.03)) > 1e-9 and abs(plain.p_worse - 0.01) > 1e-9:
        assert order.index(slower.outcome) >= order.index(plain.outcome)


@given(ratios=_ratios, seed=st.integers(0, 99))
def test_the_order_of_blocks_does_not_matter(ratios, seed):
    mixed = list(ratios)
    random.Random(seed).shuffle(mixed)
    assert decide(mixed, 0.03, 0.01) == decide(ratios, 0.03, 0.01)


def test_the_three_outcomes():
    noise = [-0.004, 0.002, 0.001, -0.003, 0.004, 0.0, 0.003, -0.002, -0.001, 0.001]
    assert decide(noise, 0.03, 0.005).outcome == "pass"
    assert decide([value + 0.05 for value in noise], 0.03, 0.005).outcome == "regressed"
    wild = [30 * value for value in noise]
    assert decide(wild, 0.03, 0.005).outcome == "inconclusive"
    # Significant, and yet shown to lie within the margin.
    within = decide([value + 0.01 for value in noise], 0.03, 0.005)
    assert within.p_worse < 0.001
    assert (within.outcome, within.p_alarm) == ("pass", 1.0)
    assert decide([value + 0.01 for value in noise], 0.0, 0.005).outcome == "regressed"


def test_a_calibrated_limit_replaces_alpha_for_regressed_alone():
    ratios = [0.05, 0.02, 0.07, 0.01, 0.06, 0.04, 0.03, 0.09, 0.0, 0.05]
    free = decide(ratios, 0.03, 0.005)
    assert free.outcome == "regressed"
    assert free.p_alarm == free.p_worse
    strict = decide(ratios, 0.03, 0.005, p_limit=free.p_worse / 2)
    assert (strict.outcome, strict.upper) == ("inconclusive", free.upper)
    assert decide(ratios, 0.03, 0.005, p_limit=0.0).outcome == "inconclusive"
    assert decide(ratios, 0.03, 0.005, p_limit=free.p_worse).outcome == "regressed"


@pytest.mark.parametrize(
    ("change", "p", "outcome"),
    [
        (0.0, 0.5, "pass"),
        (0.01, 0.0, "pass"),
        (0.1, 0.0, "regressed"),
        (-0.1, 1.0, "pass"),
        # A tenth of ten times this is another float.
        (0.9087753329714491, 0.0, "regressed"),
    ],
)
def test_blocks_that_all_agree_leave_no_doubt(change, p, outcome):
    found = decide([change] * 10, 0.03, 0.005)
    assert (found.estimate, found.lo, found.hi, found.upper) == (change,) * 4
    assert (found.p_worse, found.outcome) == (p, outcome)


def test_equal_sides_pass_even_without_a_margin():
    assert decide([0.0] * 10, 0.0, 0.005).outcome == "pass"


def test_one_block_in_ten_that_differs_does_not_spoil_exact_agreement():
    found = decide([0.0] * 9 + [0.2], 0.03, 0.005)
    assert (found.outcome, found.estimate, found.p_worse) == ("pass", 0.0, 0.5)


def test_one_disturbed_block_in_ten_does_not_hide_a_regression():
    ratios = [0.05, 0.04, 0.06, 0.05, 0.03, 0.07, 0.05, 0.04, 0.06]
    assert stats.ttest_1samp([*ratios, -0.4], 0, alternative="greater").pvalue > 0.1
    assert decide([*ratios, -0.4], 0.03, 0.005).outcome == "regressed"


@pytest.mark.parametrize("n", range(LEAST_BLOCKS))
def test_fewer_than_five_blocks_decide_nothing(n):
    for change in (0.0, 0.5):
        found = decide([change] * n, 0.03, 0.005)
        assert (found.outcome, found.n, found.p_alarm) == ("inconclusive", n, 1.0)
        assert "it takes at least 5" in found.warnings[0]
        assert (found.p_worse is None) == (n < 2)
        assert (found.estimate is None) == (n < 1)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300])
def test_refuses_what_is_no_log_ratio(value):
    with pytest.raises(ValueError, match="no logarithm"):
        decide([0.0] * 9 + [value], 0.03, 0.005)


@pytest.mark.parametrize(
    ("margin", "alpha"), [(-0.1, 0.01), (math.nan, 0.01), (math.inf, 0.01), (0.1, 0), (0.1, 0.5)]
)
def test_refuses_what_is_no_rule(margin, alpha):
    with pytest.raises(ValueError, match=r"margin|error rate"):
        decide([0.0] * 9, margin, alpha)
