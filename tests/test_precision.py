"""The interval of one run's median, and when it may stop a run."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from scipy.stats import binom

from harness.agent import precision

TRUE_NS = 1e6


@settings(deadline=None)
@given(st.lists(st.integers(min_value=1, max_value=10**9), min_size=20, max_size=200))
def test_the_half_width_is_zero_only_for_samples_that_agree_around_the_median(
    samples: list[int],
) -> None:
    ordered = sorted(samples)
    width = precision.half_width(ordered)
    assert width >= 0
    assert precision.half_width(ordered, 4.0) >= width
    assert precision.half_width([7] * len(samples)) == 0
    assert precision.half_width([value * 2 for value in ordered]) == pytest.approx(width)


def test_its_ranks_are_the_exact_ones_or_one_further_out() -> None:
    """l = max{k: P(B <= k - 1) <= 2.5 %}, B binomial; values 1..n tell which ranks were taken."""
    further = 0
    for count in range(10, 1500):
        # Squares: the upper side is the wider one, so that the width tells the upper rank.
        squares = [rank * rank for rank in range(1, count + 1)]
        high = (1 + precision.half_width(squares)) * squares[count // 2]
        rank = count + 1 - round(math.sqrt(high))
        exact = int(binom.ppf(0.025, count, 0.5))
        assert exact - rank in (0, 1), count
        further += exact - rank
    assert further < 30


def test_the_half_width_covers_the_true_median_at_its_level() -> None:
    """Nominal 95 %: of 2,000 seeded samples of 60, 0.5 to 5 % miss the true median.

    The wider side counts for both, so that they are fewer than 5 %.
    """
    source = np.random.default_rng(7)
    misses = 0
    for _ in range(2000):
        ordered = np.sort(source.lognormal(0, 0.3, 60) * TRUE_NS)
        middle = ordered[30]
        misses += abs(middle - TRUE_NS) > precision.half_width(list(ordered)) * middle
    assert 0.005 < misses / 2000 < 0.05


def autocorrelated(rho: float, share: float, seed: int, count: int) -> np.ndarray:
    """Return an AR(1) series around TRUE_NS whose deviation is `share` of it."""
    noise = np.random.default_rng(seed).normal(size=count) * math.sqrt(1 - rho * rho)
    noise[0] /= math.sqrt(1 - rho * rho)
    return np.asarray(TRUE_NS * (1 + share * lfilter([1], [1, -rho], noise)))


@settings(deadline=None)
@given(st.lists(st.integers(min_value=1, max_value=30), min_size=30, max_size=120))
def test_the_correlation_time_is_bartletts_sum_over_the_indicators(samples: list[int]) -> None:
    """Against numpy on the indicators themselves, ties at the median and all."""
    middle = sorted(samples)[len(samples) // 2]
    indicators = np.array(samples) <= middle
    apart = indicators - indicators.mean()
    count, lags = len(samples), math.floor(2 * len(samples) ** (1 / 3))
    tau = 1.0
    if apart.any():
        for lag in range(1, lags + 1):
            rho = (apart[lag:] @ apart[:-lag]) / (apart @ apart)
            tau += 2 * (1 - lag / (lags + 1)) * rho
    expected = max(1.0, tau / max(0.5, 1 - (lags + 1) / count)) if apart.any() else 1.0
    assert precision.correlation_time(samples, middle) == pytest.approx(expected)


@pytest.mark.parametrize("samples", [[5], [5, 5], [5, 6]])
def test_hardly_any_samples_have_no_correlation_time(samples: list[int]) -> None:
    assert precision.correlation_time(samples, 5) == 1.0


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.8])
def test_it_finds_the_correlation_time_of_a_known_process(rho: float) -> None:
    """The median indicator of a Gaussian AR(1) has rho_k = 2/pi * asin(rho^k)."""
    theory = 1 + 2 * sum(2 / math.pi * math.asin(rho**lag) for lag in range(1, 200))
    found = [
        precision.correlation_time(autocorrelated(rho, 0.05, seed, 8192).tolist(), TRUE_NS)
        for seed in range(20)
    ]
    assert np.mean(found) == pytest.approx(theory, rel=0.1)


def looks(wanted: float, samples: list[float]) -> Iterator[tuple[int, bool]]:
    """Yield (samples, whether they are enough) of the looks that a run of `samples` takes."""
    looking = precision.Looks(wanted)
    while looking.next_look <= len(samples):
        count = looking.next_look
        yield count, looking.enough(samples[:count], 0)


def test_looks_are_a_quarter_apart_from_fifty_on() -> None:
    samples = autocorrelated(0.0, 0.5, 1, 1000).tolist()
    assert [count for count, _ in looks(1e-9, samples)] == [
        50, 63, 79, 99, 124, 155, 194, 243, 304, 380, 475, 594, 743, 929,
    ]  # fmt: skip


def test_it_takes_two_precise_looks_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    widths = {50: 0.001, 63: 0.1, 79: 0.001, 99: 0.001}
    monkeypatch.setattr(precision, "half_width", lambda ordered, tau=1.0: widths[len(ordered)])
    assert [enough for _, enough in looks(0.01, [TRUE_NS] * 99)] == [False, False, False, True]


def test_samples_that_hang_together_have_to_be_more() -> None:
    """Six equal ones at a time: a tiny width, but hardly any independent samples."""
    steps = np.repeat(np.random.default_rng(5).normal(TRUE_NS, 10, 200), 6).tolist()
    first = next(count for count, enough in looks(0.01, steps) if enough)
    assert first > 6 * 50


def test_looks_begin_where_the_steady_part_does() -> None:
    looking = precision.Looks(0.01)
    samples = [9 * TRUE_NS] * 60 + [TRUE_NS] * 63
    assert not looking.enough(samples[:110], 60)
    assert looking.enough(samples, 60)


def covers(samples: np.ndarray) -> bool:
    """Tell whether the interval covers the true median where a run of `samples` stops."""
    looking = precision.Looks(0.01)
    values = samples.tolist()
    while not looking.enough(values[: looking.next_look], 0):
        assert looking.next_look <= len(values)
        count = looking.next_look
    ordered = sorted(values[:count])
    rank = max(1, math.floor((count + 1) / 2 - 0.98 * math.sqrt(count * looking.tau)))
    return bool(ordered[rank - 1] <= TRUE_NS <= ordered[count - rank])


@pytest.mark.parametrize(("rho", "share"), [(0.0, 0.02), (0.3, 0.03), (0.6, 0.02), (0.6, 0.05)])
def test_where_a_run_stops_its_interval_covers_the_truth(
    rho: float, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nominal 95 % though samples hang together and it was looked at more than once."""
    series = [autocorrelated(rho, share, seed, 20_000) for seed in range(400)]
    assert 0.92 <= np.mean([covers(samples) for samples in series]) <= 0.985
    if rho == 0.6:
        monkeypatch.setattr(precision, "correlation_time", lambda durations, middle: 1.0)
        naive = np.mean([covers(samples) for samples in series])
        assert naive < 0.8, "what taking samples for independent ones gives"
