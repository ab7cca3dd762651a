"""What one run says, read out of the agent's report: an odd entry is None, never a guess."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from harness.stats.quantiles import nearest_rank
from harness.types import Json, Run

_LARGEST = 2**63 - 1


def number(source: Any, *path: str) -> float | None:
    """Return the finite number at `path` in nested dicts, or None."""
    value = _at(source, path)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int):
        return float(value) if abs(value) <= _LARGEST else None
    return value if math.isfinite(value) else None


def whole(source: Any, *path: str) -> int | None:
    """Return the number at `path` as an integer that fits 64 bits, or None."""
    value = number(source, *path)
    exact = _at(source, path)
    if isinstance(exact, int) and value is not None:
        return exact
    return round(value) if value is not None and abs(value) < _LARGEST else None


def text(source: Any, *path: str) -> str | None:
    """Return the text at `path`, or None; anything else that stands there is spelled out."""
    value = _at(source, path)
    return None if value is None else str(value)


def section(source: Any, *path: str) -> Json:
    """Return the dict at `path`, empty where there is none."""
    value = _at(source, path)
    return value if isinstance(value, dict) else {}


def latency_p50_s(run: Run) -> float | None:
    """Return the median duration of one call in seconds, by nearest rank; None without samples."""
    return nearest_rank(sorted(run.samples_ns), 0.5) / 1e9 if run.samples_ns else None


def throughput_per_s(run: Run, batch: int) -> float | None:
    """Return samples per second of wall time over the timed window, None if unknown."""
    wall_s = number(run.result, "timed_wall_s")
    return len(run.samples_ns) * batch / wall_s if wall_s and run.samples_ns else None


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


def _at(source: Any, path: tuple[str, ...]) -> Any:
    """Return what lies at `path` in nested dicts, or None."""
    for key in path:
        if not isinstance(source, dict):
            return None
        source = source.get(key)
    return source
