"""How warm a board was when a run began."""

from __future__ import annotations

from harness.stats.readings import pair, section
from harness.types import Json


def start_c(result: Json) -> float | None:
    """Return the hottest zone in °C before the run's process started, None without a reading."""
    zones = section(result, "host", "temperature_c")
    ends = [pair(zones, name) for name in zones]
    return max((both[0] for both in ends if both), default=None)
