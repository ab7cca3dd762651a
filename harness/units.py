"""Base units inside, scaled units for show: one table, two directions."""

from __future__ import annotations

import re

from harness.errors import UsageError

_DURATIONS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_BYTES = {
    "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30,
}  # fmt: skip
_JOULES = {"J": 1.0, "mJ": 1e-3, "uJ": 1e-6, "µJ": 1e-6}
_SCALES = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    "bytes": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")),
    "j": ((1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ")),
    "w": ((1.0, "W"), (1e-3, "mW")),
    "per_s": ((1e3, "k/s"), (1.0, "/s")),
    "hz": ((1e9, "GHz"), (1e6, "MHz"), (1e3, "kHz"), (1.0, "Hz")),
    "c": ((1.0, "°C"),),
}


def parse_duration_s(text: str) -> float:
    """Return the seconds that `20s`, `3m`, `500ms` or a bare number of seconds stand for."""
    match = re.fullmatch(r"\s*(\d{1,15}(?:\.\d+)?(?:e-?\d\d?)?)\s*(ns|us|µs|ms|s|m|h)?\s*", text)
    if not match or float(match.group(1)) == 0:
        raise UsageError(f"not a duration: {text!r}", "write it like 20s, 3m or 500ms")
    return float(match.group(1)) * _DURATIONS_S[match.group(2) or "s"]


def parse_fraction(text: str) -> float:
    """Return the fraction that `1%` or `0.01` stands for; it must lie between 0 and 1."""
    match = re.fullmatch(r"\s*(\d{1,15}(?:\.\d+)?(?:e-?\d\d?)?)\s*(%)?\s*", text)
    value = float(match.group(1)) / (100 if match.group(2) else 1) if match else -1.0
    if not 0 < value < 1:
        raise UsageError(f"not a precision: {text!r}", "write it like 1% or 0.01")
    return value


def parse_bytes(text: str) -> float:
    """Return the bytes that `500 MB` or `64 KiB` stands for; a number without a unit is refused."""
    return _with_unit(text, _BYTES, "an amount of memory", "500 MB or 64 KiB")


def parse_energy_j(text: str) -> float:
    """Return the joules that `12 mJ` stands for; a number without a unit is refused."""
    return _with_unit(text, _JOULES, "an energy", "12 mJ or 0.5 J")


def _with_unit(text: str, units: dict[str, float], kind: str, example: str) -> float:
    """Return a number above zero in front of one of `units`, in base units."""
    match = re.fullmatch(r"\s*(\d{1,15}(?:\.\d+)?)\s*([^\W\d_]{1,3})\s*", text)
    if not match or match.group(2) not in units or float(match.group(1)) == 0:
        raise UsageError(f"not {kind}: {text!r}", f"write it like {example}")
    return float(match.group(1)) * units[match.group(2)]


def show(value: float | None, unit: str) -> str:
    """Return `value` in the largest scale of `unit` that keeps it at or above one, 3 digits.

    `unit` is a suffix of the records' names: s, bytes, j, w or per_s. None gives a dash.
    """
    if value is None:
        return "—"
    factor, name = scale_of(value, unit)
    scaled = value / factor
    return f"{scaled:.3g} {name}" if abs(scaled) < 999.5 else f"{scaled:.0f} {name}"


def scale_of(value: float, unit: str) -> tuple[float, str]:
    """Return factor and name of the largest scale of `unit` that keeps `value` above one."""
    scales = _SCALES[unit]
    return next(((factor, name) for factor, name in scales if abs(value) >= factor), scales[-1])
