from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.stats.calibration import alarm_limit, by_rank


@pytest.mark.parametrize(("alpha", "need"), [(0.01, 99), (0.05, 19), (0.1, 9), (0.03, 33)])
def test_says_how_many_sessions_are_missing(alpha, need):
    short = by_rank([0.5] * (need - 1), alpha)
    assert (short.p, short.have, short.need, short.missing) == (None, need - 1, need, 1)
    enough = by_rank([0.5] * need, alpha)
    assert (enough.p, enough.missing) == (alpha, 0)
    assert by_rank([], alpha).missing == need


@given(st.lists(st.floats(0, 1), min_size=19, max_size=80), st.sampled_from([0.05, 0.1, 0.2]))
def test_takes_the_kth_smallest_and_never_more_than_alpha(minima, alpha):
    found = by_rank(minima, alpha)
    kth = sorted(minima)[math.floor(round((len(minima) + 1) * alpha, 9)) - 1]
    assert found.p <= alpha
    assert found.p < kth
    assert found.p == alpha or found.p == pytest.approx(kth)
    assert by_rank(minima[::-1], alpha) == found


@given(st.lists(st.sampled_from([0.0, 1e-3, 0.02, 0.05, 1.0]), min_size=20, max_size=60))
def test_exchangeable_sessions_alarm_at_most_at_the_rate_also_with_ties(sessions):
    """Let each session in turn be the new one: over all of them the rate is exact."""
    alarms = 0
    for index, p in enumerate(sessions):
        others = sessions[:index] + sessions[index + 1 :]
        alarms += p <= by_rank(others, 0.05).p
    assert alarms <= 0.05 * len(sessions)


def test_without_ties_and_the_cap_the_rate_is_used_up():
    sessions = [index / 1e4 for index in range(100)]
    alarms = sum(
        p <= by_rank(sessions[:index] + sessions[index + 1 :], 0.01).p
        for index, p in enumerate(sessions)
    )
    assert alarms == 1


def test_a_session_of_p_zero_leaves_no_alarm_to_anyone():
    assert by_rank([0.0] + [0.5] * 98, 0.01).p < 0


@pytest.mark.parametrize(
    ("minima", "alpha"), [([-0.1], 0.05), ([1.1], 0.05), ([math.nan], 0.05), ([0.5], 0), ([0.5], 1)]
)
def test_refuses_nonsense(minima, alpha):
    with pytest.raises(ValueError, match="lies between"):
        by_rank(minima, alpha)


def test_four_false_alarms_of_a_hundred_are_still_plausible():
    assert alarm_limit(100, 0.01) == 4
    assert alarm_limit(0, 0.01) == 0
    for n, alpha in itertools.product((1, 7, 20, 99, 400), (0.01, 0.05, 0.3)):
        assert alarm_limit(n, alpha) == stats.binom.ppf(0.99, n, alpha)
    for n, alpha in ((-1, 0.01), (5, 0), (5, 1)):
        with pytest.raises(ValueError, match="no limit"):
            alarm_limit(n, alpha)
