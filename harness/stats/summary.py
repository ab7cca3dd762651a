"""Many numbers to one with its interval; the unit of replication is the process run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec

from harness.agent.precision import correlation_time
from harness.stats.quantiles import interval_ranks, least_samples, nearest_rank
from harness.stats.trimmed import interval

LEAST_RUNS = 5
# Fewer samples cannot tell how much they resemble each other.
_LEAST_TO_TELL = 20


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A value with the interval that holds the true one with probability `confidence`.

    `n` counts what was averaged: runs, or the samples of one run. What the data cannot give is None
    and a sentence in `warnings` names the number that is missing and the next step.
    """

    center: float | None
    lo: float | None
    hi: float | None
    confidence: float
    n: int
    warnings: tuple[str, ...] = ()

    @property
    def relative_half_width(self) -> float | None:
        """Return the larger distance from center to an end, as a fraction of the center."""
        if not self.center or self.lo is None or self.hi is None:
            return None
        return max(self.hi - self.center, self.center - self.lo) / abs(self.center)


def across_runs(values: Iterable[float], confidence: float = 0.95) -> Summary:
    """Summarise one positive number per run: their typical value, with its t interval.

    It is the geometric mean, from seven runs on without the largest and smallest 15 %: the trimmed
    mean of the logarithms (see `trimmed`), so that one disturbed run neither moves nor widens it
    much. Logarithms make the interval of a time and of its inverse (throughput) the same statement,
    and slow-downs multiply. Needs two runs for an interval; fewer than five are warned about.
    """
    numbers = [float(value) for value in values]
    if not numbers:
        return _empty(confidence, "no run gave a value")
    if not all(value > 0 and math.isfinite(value) for value in numbers):
        return _empty(
            confidence, "a run gave a value that is not above zero: it is below the clock's step"
        )
    if len(numbers) == 1:
        warning = f"no interval from 1 run: measure at least {LEAST_RUNS} blocks"
        return _summary(numbers[0], None, confidence, 1, (warning,))
    lo, center, hi = interval([math.log(value) for value in numbers], confidence)
    ends = (_exp(lo), _exp(hi))
    return _summary(math.exp(center), ends, confidence, len(numbers), few_runs(len(numbers)))


def within_run(samples: Iterable[float], q: float = 0.5, confidence: float = 0.95) -> Summary:
    """Summarise the q-quantile of one run by order statistics: the fallback without others.

    `samples` are in the order they were taken: successive ones resemble each other, and n of them,
    from twenty on, count as n / tau independent ones (`harness.agent.precision.correlation_time`).
    It says how well this process knows its own quantile; another process may differ by more, which
    the warning states.
    """
    taken = list(samples)
    ordered = sorted(taken)
    n = len(ordered)
    if not n:
        return _empty(confidence, "no sample was taken")
    center = nearest_rank(ordered, q)
    worth = n
    if n >= _LEAST_TO_TELL:
        # without annotations: it also runs on the board, in Python 3.6
        tau = correlation_time(taken, center)  # type: ignore[no-untyped-call]
        worth = max(1, math.floor(n / tau))
    ranks = interval_ranks(worth, q, confidence)
    if ranks is None:
        least = least_samples(q, confidence)
        like = f", worth {worth} independent ones" if worth < n else ""
        warning = f"no interval from {n} samples{like}: {percentile(q)} needs {least}"
        return _summary(center, None, confidence, n, (warning,))
    # A rank among `worth` independent samples is the same share of all n of them.
    below, above = (rank * n // worth for rank in (ranks[0], worth + 1 - ranks[1]))
    ends = (float(ordered[below - 1]), float(ordered[n - above]))
    warning = (
        "the interval comes from the samples of 1 run and leaves out the spread between processes: "
        f"measure at least {LEAST_RUNS} blocks"
    )
    return _summary(center, ends, confidence, n, (warning,))


def pooled(
    samples_by_run: Iterable[Sequence[float]], q: float, confidence: float = 0.95
) -> Summary:
    """Return the q-quantile of all runs' samples by nearest rank, None where too few.

    There is no interval: samples of one process are not independent, and one from them would be too
    narrow.
    """
    ordered = sorted(value for samples in samples_by_run for value in samples)
    least = least_samples(q, confidence)
    if len(ordered) < least:
        warning = (
            f"{percentile(q)} needs {least} samples and there are {len(ordered)}: raise the budget"
        )
        return _empty(confidence, warning, len(ordered))
    return _summary(nearest_rank(ordered, q), None, confidence, len(ordered), ())


def percentile(q: float) -> str:
    """Return the field's name of the q-quantile: p50, p99, p99.9."""
    return f"p{100 * q:.6g}"


def few_runs(n: int) -> tuple[str, ...]:
    """Return the warning that `n` runs or blocks deserve, if any."""
    if n >= LEAST_RUNS:
        return ()
    return (f"only {n} runs: an interval worth trusting takes at least {LEAST_RUNS} blocks",)


def _exp(exponent: float) -> float:
    """Return e to the exponent, infinite where floats end: two runs may know no upper bound."""
    return math.exp(exponent) if exponent < 709 else math.inf


def _summary(
    center: float,
    ends: tuple[float, float] | None,
    confidence: float,
    n: int,
    warnings: tuple[str, ...],
) -> Summary:
    """Build a summary whose interval encloses its center in spite of rounding."""
    lo, hi = (min(ends[0], center), max(ends[1], center)) if ends else (None, None)
    return Summary(
        center=float(center), lo=lo, hi=hi, confidence=confidence, n=n, warnings=warnings
    )


def _empty(confidence: float, warning: str, n: int = 0) -> Summary:
    """Build the summary of nothing, with the reason."""
    return Summary(center=None, lo=None, hi=None, confidence=confidence, n=n, warnings=(warning,))
