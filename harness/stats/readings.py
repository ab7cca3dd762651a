"""What stands at a place of an agent's report: an odd entry is None, never a guess."""

from __future__ import annotations

import math
from typing import Any

from harness.types import Json

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


def numbers(source: Any, *path: str) -> dict[str, float]:
    """Return those entries of the dict at `path` that are finite numbers."""
    found = {str(name): number(value) for name, value in section(source, *path).items()}
    return {name: value for name, value in found.items() if value is not None}


def pair(source: Any, *path: str) -> tuple[float, float] | None:
    """Return the [before, after] at `path`, or None unless both are finite numbers."""
    value = _at(source, path)
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    before, after = number(value[0]), number(value[1])
    return None if before is None or after is None else (before, after)


def _at(source: Any, path: tuple[str, ...]) -> Any:
    """Return what lies at `path` in nested dicts, or None."""
    for key in path:
        if not isinstance(source, dict):
            return None
        source = source.get(key)
    return source
