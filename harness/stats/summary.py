"""Many numbers to one with its interval; the unit of replication is the process run."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

import msgspec

from harness.stats.quantiles import interval_ranks, least_samples, nearest_rank
from harness.stats.student import t_quantile

LEAST_RUNS = 5


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
    """Summarise one positive number per run: geometric mean, Student's t interval on logarithms.

    Logarithms make the interval of a time and of its inverse (throughput) the same statement, and
    slow-downs multiply. Needs two runs for an interval; fewer than five are warned about.
    """
    numbers = [float(value) for value in values]
    if not numbers:
        return _empty(confidence, "no run gave a value")
    if not all(value > 0 and math.isfinite(value) for value in numbers):
        return _empty(
            confidence, "a run gave a value that is not above zero: it is below the clock's step"
        )
    logs = [math.log(value) for value in numbers]
    center = math.fsum(logs) / len(logs)
    if len(logs) == 1:
        warning = f"no interval from 1 run: measure at least {LEAST_RUNS} blocks"
        return _summary(numbers[0], None, confidence, 1, (warning,))
    half = t_quantile((1 + confidence) / 2, len(logs) - 1) * _standard_error(logs)
    warnings = few_runs(len(logs))
    interval = (_exp(center - half), _exp(center + half))
    return _summary(math.exp(center), interval, confidence, len(logs), warnings)


def within_run(samples: Iterable[float], q: float = 0.5, confidence: float = 0.95) -> Summary:
    """Summarise the q-quantile of one run by order statistics: the fallback without others.

    It says how well this process knows its own quantile; another process may differ by more, and
    the interval assumes independent samples. Both are stated in the warning.
    """
    ordered = sorted(samples)
    if not ordered:
        return _empty(confidence, "no sample was taken")
    ranks = interval_ranks(len(ordered), q, confidence)
    if ranks is None:
        least = least_samples(q, confidence)
        warning = f"no interval from {len(ordered)} samples: {percentile(q)} needs {least}"
        return _summary(nearest_rank(ordered, q), None, confidence, len(ordered), (warning,))
    interval = (float(ordered[ranks[0] - 1]), float(ordered[ranks[1] - 1]))
    warning = (
        "the interval comes from the samples of 1 run and leaves out the spread between processes: "
        f"measure at least {LEAST_RUNS} blocks"
    )
    return _summary(nearest_rank(ordered, q), interval, confidence, len(ordered), (warning,))


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


def _standard_error(values: Sequence[float]) -> float:
    """Return the standard error of the mean of at least two values."""
    return statistics.stdev(values) / math.sqrt(len(values))


def _exp(exponent: float) -> float:
    """Return e to the exponent, infinite where floats end: two runs may know no upper bound."""
    return math.exp(exponent) if exponent < 709 else math.inf


def _summary(
    center: float,
    interval: tuple[float, float] | None,
    confidence: float,
    n: int,
    warnings: tuple[str, ...],
) -> Summary:
    """Build a summary whose interval encloses its center in spite of rounding."""
    lo, hi = (min(interval[0], center), max(interval[1], center)) if interval else (None, None)
    return Summary(
        center=float(center), lo=lo, hi=hi, confidence=confidence, n=n, warnings=warnings
    )


def _empty(confidence: float, warning: str, n: int = 0) -> Summary:
    """Build the summary of nothing, with the reason."""
    return Summary(center=None, lo=None, hi=None, confidence=confidence, n=n, warnings=(warning,))
