"""What one run says, read out of the agent's report: an odd entry is None, never a guess."""

from __future__ import annotations

from collections.abc import Sequence

from harness.stats.quantiles import nearest_rank
from harness.stats.readings import number, section, text, whole
from harness.types import Run

__all__ = [
    "LEAST_P99_SAMPLES",
    "energy_j",
    "latency_p50_s",
    "latency_p99_s",
    "number",
    "present",
    "section",
    "text",
    "throughput_per_s",
    "whole",
]

LEAST_P99_SAMPLES = 100


def latency_p50_s(run: Run) -> float | None:
    """Return the median duration of one call in seconds, by nearest rank.

    An import without samples has the median that its tool reported; None where there is neither.
    """
    if run.samples_ns:
        return nearest_rank(sorted(run.samples_ns), 0.5) / 1e9
    return number(run.result, "reported", "latency_p50_s")


def latency_p99_s(run: Run) -> float | None:
    """Return a run's own p99 in seconds, by nearest rank.

    None where fewer than LEAST_P99_SAMPLES leave that rank to chance.
    """
    if len(run.samples_ns) < LEAST_P99_SAMPLES:
        return None
    return nearest_rank(sorted(run.samples_ns), 0.99) / 1e9


def throughput_per_s(run: Run, batch: int) -> float | None:
    """Return samples per second of wall time over the timed window, None if unknown.

    An import has what its tool reported, unless its file has the samples and the window. A soak
    counts its calls: not all of them need be among its samples.
    """
    wall_s = number(run.result, "timed_wall_s")
    if wall_s and run.samples_ns:
        calls = whole(run.result, "timed_calls") or len(run.samples_ns)
        return calls * batch / wall_s
    return number(run.result, "reported", "throughput_per_s")


def energy_j(run: Run) -> float | None:
    """Return joules per inference, or None where no sensor was read."""
    power = section(run.result, "power")
    direct = number(power, "energy_per_inference_j")
    total, inferences = number(power, "energy_j"), number(power, "inferences")
    if direct is None and total is not None and inferences:
        return total / inferences
    return direct


def present(values: Sequence[float | None]) -> list[float]:
    """Return the values that are known."""
    return [value for value in values if value is not None]
