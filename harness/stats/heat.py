"""How warm a board was when a run began and when it ended."""

from __future__ import annotations

from harness.stats.readings import pair, section
from harness.types import Json


def start_c(result: Json) -> float | None:
    """Return the hottest zone in °C before the run's process started, None without a reading."""
    return _hottest(result, 0)


def end_c(result: Json) -> float | None:
    """Return the hottest zone in °C after the run's process ended, None without a reading."""
    return _hottest(result, 1)


def _hottest(result: Json, end: int) -> float | None:
    zones = section(result, "host", "temperature_c")
    readings = [pair(zones, name) for name in zones]
    return max((both[end] for both in readings if both), default=None)
