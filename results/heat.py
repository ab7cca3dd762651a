"""What a case's runs tell of heat: how warm the board was, how fast its clock ran, what held it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from harness.stats import heat, throttling
from harness.types import Json, Run
from results import measured

# Any of these can show that a processor was held back; where none was read, nobody can tell.
_EVIDENCE = ("throttle_events", "cooling", "limit_frequency_hz")


def columns(runs: Sequence[Run]) -> Json:
    """Return medians over runs, in °C and Hz, and how many were held back, as columns.

    A run's temperature is that of its hottest zone, its clock that of its fastest cpufreq policy
    while samples were taken. `heat_reason` says why there is no temperature.
    """
    results = [run.result for run in runs]
    starts = measured.present([heat.start_c(result) for result in results])
    ends = measured.present([heat.end_c(result) for result in results])
    clocks = [max(found.values()) for found in map(throttling.clocks, results) if found]
    columns: Json = {
        "temperature_start_c": _median(starts),
        "temperature_end_c": _median(ends),
        "clock_hz": _median(clocks),
        "runs_throttled": _throttled(runs),
    }
    if not ends:
        columns["heat_reason"] = _reason(runs)
    return columns


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _throttled(runs: Sequence[Run]) -> int | None:
    """Return how many runs were held back, None where nothing could have shown it."""
    if not any(_could_tell(run) for run in runs):
        return None
    return sum(throttling.throttling(run.result, run.samples_ns) is not None for run in runs)


def _could_tell(run: Run) -> bool:
    surroundings = (measured.section(run.result, name) for name in ("timed_host", "host"))
    return any(found.get(key) is not None for found in surroundings for key in _EVIDENCE)


def _reason(runs: Sequence[Run]) -> str:
    unknown = (measured.section(run.result, "host").get("unknown") for run in runs)
    told = (measured.text(found, "temperature_c") for found in unknown if found)
    return next((reason for reason in told if reason), "no run reports a temperature")
