"""The rows of `probes`: what the device did beside each run, out of the agent's report.

`probe` is who read it and `phase` when; `metric` is the reading's name in the report, after a dot
the sensor's: temperature_c.cpu-thermal. A reading has one value, one before and one after, or with
`offsets_s` (from its first) one per moment. One without values says why in `reason`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from math import isfinite
from typing import Any

import msgspec

from harness.types import Json, Run
from results import measured

# probe and section of the report -> the phase that it covers
_SECTIONS = {"host": "run", "timed_host": "timed", "own": "timed", "power": "energy"}
_UNTOLD = "not reported"
_NO_READINGS = ("unknown", "sentinel_ns", "reason", "name", "method", "scope", "source", "note")
_COUNTS = ("ticks", "pages", "events", "switches", "faults", "periods", "n", "missed", "inferences")
_UNITS = {name: name for name in ("s", "ns", "bytes", "hz", "c", "j", "w")}
_UNITS |= dict.fromkeys(_COUNTS, "count") | {"share": "1", "cooling": "state"}
# What a difference is called by when its source could not be read, where that is not its own name.
_SOURCES = {
    "busy_share": "cpu",
    "iowait_share": "cpu",
    "steal_share": "cpu",
    "ticks": "cpu",
    "pressure_share": "pressure",
    "swap_in_pages": "swap",
    "swap_out_pages": "swap",
    "mean_frequency_hz": "time_in_state",
    "throttle_events": "throttle",
    "quota_throttled_periods": "quota",
    "clock_step_s": "wall_clock_s",
}


class Reading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one probe read of one metric during one phase of a run, in `unit`."""

    probe: str
    metric: str
    phase: str
    values: list[float]
    unit: str | None = None
    offsets_s: list[float] | None = None
    reason: str | None = None


def columns(runs: Iterable[Run]) -> dict[str, list[Any]]:
    """Return the columns of every reading of every run, in order."""
    found = [(run, reading) for run in runs for reading in readings(run.result)]
    of_run = {name: [getattr(run, name) for run, _ in found] for name in ("session_id", "run_id")}
    of_reading = {
        name: [getattr(reading, name) for _, reading in found] for name in Reading.__struct_fields__
    }
    return of_run | of_reading


def readings(result: Json) -> Iterator[Reading]:
    """Return what an agent's report holds of probes; an entry of an odd shape is passed over."""
    for probe, phase in _SECTIONS.items():
        yield from _section(probe, phase, measured.section(result, probe))
    for phase in measured.section(result, "memory"):
        yield from _section("memory", phase, measured.section(result, "memory", phase))
    yield from _section("memory", "last", measured.section(result, "last_memory"))
    sentinel = measured.section(result, "host").get("sentinel_ns")
    if sentinel is not None:
        yield _reading("sentinel", "run", "sentinel_ns", sentinel, _UNTOLD)


def _section(probe: str, phase: str, found: Json) -> Iterator[Reading]:
    """Return the readings of one section of the report."""
    reasons = measured.section(found, "unknown")
    if set(found) == {"reason"}:
        yield _reading(probe, phase, f"{probe}_w", None, str(found["reason"]))
    for name, value in found.items():
        if name in _NO_READINGS:
            continue
        reason = reasons.get(_SOURCES.get(name, name)) or found.get("reason") or _UNTOLD
        if name == "series":
            yield from _series(probe, phase, measured.section(found, name))
        elif isinstance(value, dict):
            for sensor, of_sensor in value.items():
                yield _reading(probe, phase, f"{name}.{sensor}", of_sensor, str(reason))
        elif not isinstance(value, bool | str):
            yield _reading(probe, phase, name, value, str(reason))


def _reading(probe: str, phase: str, metric: str, value: Any, reason: str) -> Reading:
    """Return one value, or one before and one after; none unless all of them are numbers."""
    values: list[float] = []
    if value is not None:
        known = [_number(one) for one in (value if isinstance(value, list) else (value,))]
        values = [] if None in known else measured.present(known)
    return Reading(
        probe=probe,
        metric=metric,
        phase=phase,
        unit=_unit(metric),
        values=values,
        reason=None if values else reason,
    )


def _number(value: Any) -> float | None:
    """Return a finite number, by a short cut where it is a float: there are many."""
    return value if type(value) is float and isfinite(value) else measured.number(value)


def _series(probe: str, phase: str, found: Json) -> Iterator[Reading]:
    """Return the readings of a series that was sampled: {"t_ns": moments, unit: values}."""
    moments = found.get("t_ns")
    for name, values in found.items():
        if name == "t_ns" or not isinstance(values, list) or not isinstance(moments, list):
            continue
        known = measured.present([measured.number(value) for value in values])
        at_ns = measured.present([measured.number(moment) for moment in moments])
        if len(known) == len(values) == len(at_ns):
            offsets_s = [(moment - at_ns[0]) * 1e-9 for moment in at_ns]
            yield Reading(
                probe=probe,
                metric=f"series.{name}",
                phase=phase,
                unit=_unit(name),
                values=known,
                offsets_s=offsets_s,
            )


@lru_cache(maxsize=1024)
def _unit(metric: str) -> str | None:
    """Return the unit in a metric's name, None where it has none."""
    return _UNITS.get(metric.partition(".")[0].rpartition("_")[2])
