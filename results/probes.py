"""The rows of `probes`: what the device did beside each run, out of the agent's report.

`probe` is who read it and `phase` when; `metric` is the reading's name in the report, after a dot
the sensor's: temperature_c.cpu-thermal. A reading has one value, one before and one after, or with
`offsets_s` one per moment: seconds since its first, for what was watched since the first timed
call. One without values says why in `reason`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import msgspec

from harness.types import Json, Run
from results import measured

# probe and section of the report -> the phase that it covers
_SECTIONS = {
    "cool_down": "before",
    "host": "run",
    "timed_host": "timed",
    "own": "timed",
    "power": "energy",
    "power_board": "energy",
}
_METERS = ("power", "power_board")
_UNTOLD = "not reported"
_USUAL = 2**63
# Words, what is told of a source and not read from it, and what has a place of its own.
_NO_READINGS = frozenset(
    {
        *("name", "method", "scope", "source", "note", "reason", "advice", "timed_out", "governor"),
        *("others", "others_reasons", "idle_reason", "period_s", "window_s_needed"),
        *("unknown", "sentinel_ns", "series", "idle_series"),
    }
)
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
    found: list[Reading] = []
    of_run: dict[str, list[str]] = {"session_id": [], "run_id": []}
    for run in runs:
        before = len(found)
        found += readings(run.result)
        of_run["session_id"] += [run.session_id] * (len(found) - before)
        of_run["run_id"] += [run.run_id] * (len(found) - before)
    names = Reading.__struct_fields__
    return of_run | {name: [getattr(reading, name) for reading in found] for name in names}


def readings(result: Json) -> Iterator[Reading]:
    """Return what an agent's report holds of probes; an entry of an odd shape is passed over."""
    for probe, phase in _SECTIONS.items():
        yield from _section(probe, phase, measured.section(result, probe))
    for phase in measured.section(result, "memory"):
        yield from _section("memory", phase, measured.section(result, "memory", phase))
    yield from _section("memory", "last", measured.section(result, "last_memory"))
    yield from _watched(measured.section(result, "watch"))
    sentinel = measured.section(result, "host").get("sentinel_ns")
    if sentinel is not None:
        yield _reading("sentinel", "run", "sentinel_ns", sentinel, {})


def _section(probe: str, phase: str, found: Json) -> Iterator[Reading]:
    """Return the readings of one section of the report."""
    if "reason" in found and "power_w" not in found and probe in _METERS:
        yield _reading(probe, phase, "power_w", None, found)
    yield from _series(probe, phase, measured.section(found, "series"))
    yield from _series(probe, "idle", measured.section(found, "idle_series"))
    for name, value in found.items():
        if name in _NO_READINGS:
            continue
        if isinstance(value, dict):
            for sensor, of_sensor in value.items():
                yield _reading(probe, phase, f"{name}.{sensor}", of_sensor, found)
        elif not isinstance(value, bool | str):
            yield _reading(probe, phase, name, value, found)


def _reading(probe: str, phase: str, metric: str, value: Any, section: Json) -> Reading:
    """Return one value, or one before and one after; none, with the section's reason, if odd."""
    values = _values(value)
    return Reading(
        probe=probe,
        metric=metric,
        phase=phase,
        unit=_unit(metric),
        values=values,
        reason=None if values else _reason(section, metric.partition(".")[0]),
    )


def _values(value: Any) -> list[float]:
    """Return a number or some, none unless all of them are finite; the usual ones first."""
    if value is None:
        return []
    if type(value) in {int, float} and -_USUAL < value < _USUAL:
        return [float(value)]
    if not isinstance(value, list):
        value = [value]
    known = [measured.number(one) for one in value]
    return [] if None in known else measured.present(known)


def _reason(section: Json, name: str) -> str:
    """Return why a reading of a section is empty."""
    reasons = measured.section(section, "unknown")
    return str(reasons.get(_SOURCES.get(name, name)) or section.get("reason") or _UNTOLD)


def _series(probe: str, phase: str, found: Json) -> Iterator[Reading]:
    """Return the readings of a series that was sampled: {"t_ns": moments, unit: values}."""
    at_ns = _moments(found.get("t_ns"))
    offsets_s = [(moment - at_ns[0]) * 1e-9 for moment in at_ns]
    for name, values in found.items():
        if name != "t_ns":
            yield from _over_time(probe, phase, f"series.{name}", values, offsets_s)


def _watched(found: Json) -> Iterator[Reading]:
    """Return what was watched while samples were taken, from the first timed call on."""
    offsets_s = _moments(found.get("t_s"))
    told = set()
    for name, of_name in found.items():
        one = not isinstance(of_name, dict)
        for sensor, values in {"": of_name}.items() if one else of_name.items():
            metric = name if one else f"{name}.{sensor}"
            if name not in {"t_s", "reasons"}:
                for reading in _over_time("watch", "timed", metric, values, offsets_s):
                    told.add(metric)
                    yield reading
    if found:
        yield _reading("watch", "timed", "missed", found.get("missed"), found)
    for metric, reason in measured.section(found, "reasons").items():
        if metric not in told:
            yield Reading(
                probe="watch",
                metric=metric,
                phase="timed",
                unit=_unit(metric),
                values=[],
                reason=str(reason),
            )


def _moments(found: Any) -> list[float]:
    """Return the moments of a series, none unless all of them are numbers."""
    known = [measured.number(moment) for moment in found] if isinstance(found, list) else []
    return [] if None in known else measured.present(known)


def _over_time(
    probe: str, phase: str, metric: str, values: Any, offsets_s: list[float]
) -> Iterator[Reading]:
    """Yield the reading of a series with as many values as moments; a gap is left out."""
    if not isinstance(values, list) or len(values) != len(offsets_s):
        return
    pairs = [
        (number, offset_s)
        for number, offset_s in zip(map(measured.number, values), offsets_s, strict=True)
        if number is not None
    ]
    if pairs:
        yield Reading(
            probe=probe,
            metric=metric,
            phase=phase,
            unit=_unit(metric.removeprefix("series.")),
            values=[number for number, _ in pairs],
            offsets_s=[offset_s for _, offset_s in pairs],
        )


@lru_cache(maxsize=1024)
def _unit(metric: str) -> str | None:
    """Return the unit in a metric's name, None where it has none."""
    return _UNITS.get(metric.partition(".")[0].rpartition("_")[2])
