"""What the soaks of one case tell, as the column `soak` of its row.

    duration_s, calls, kept_every     how long, how many calls, and that every k-th was kept
    latency_burst_s                   median call of the first 10 s
    latency_sustained_s, slower_by    median call of the last third, and by what share it is slower
    throttle_s, throttle_evidence     the first moment the board was held down, and what shows it
    throttle_known                    false where nothing could have shown it
    temperature_start_c, _max_c       of the hottest zone
    clock_burst_hz, _sustained_hz     mean of the fastest policy over the same stretches
    power_burst_w, _sustained_w       the same of the power, where it could be read on the side
    power_source                      who read the power: "board", or the kind of external meter
    power_method, power_scope         how, and what of the supply it covers, as in a row
    runs, throttled_runs              figures are medians over runs; the evidence is the first's
    reasons                           {figure: why it is None}

Moments are seconds from the first call.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from harness.stats import soak
from harness.types import Json, Run
from results import measured

SCENARIO = "soak"
Curve = list[tuple[float, float]]
_SHORT = f"a soak shorter than {soak.SUSTAINED_S:.0f} s: no board is as warm as it gets before"
_UNREAD = "not watched in this run"


def columns(runs: Iterable[Run]) -> Json:
    """Return the figures of a case's soaks, {} where none of them has samples."""
    found = [of_run(run) for run in runs if run.samples_ns]
    if not found:
        return {}
    if len(found) == 1:
        return {**found[0], "runs": 1, "throttled_runs": int(found[0]["throttle_s"] is not None)}
    names = [name for name, value in found[0].items() if name not in _WORDS]
    figures = {name: _median([one[name] for one in found]) for name in names}
    throttled = [one for one in found if one["throttle_s"] is not None]
    told = throttled[0] if throttled else found[0]
    reasons = {
        name: reason
        for one in found
        for name, reason in one["reasons"].items()
        if figures.get(name) is None
    }
    words = {name: told[name] for name in _WORDS if name != "reasons"}
    counts = {"runs": len(found), "throttled_runs": len(throttled)}
    return {**figures, **words, **counts, "reasons": reasons}


_POWER = ("power_source", "power_method", "power_scope")
_WORDS = ("throttle_evidence", "throttle_known", *_POWER, "reasons")


def of_run(run: Run) -> Json:
    """Return the figures of one soak that has samples."""
    wall_s = wall(run)
    watch = measured.section(run.result, "watch")
    burst_s = soak.burst_s(run.samples_ns, wall_s)
    sustained_s = soak.sustained_s(run.samples_ns, wall_s)
    held = soak.throttle(run.samples_ns, wall_s, watch)
    by, power = power_curve(run.result)
    found: Json = {
        "duration_s": wall_s,
        "calls": measured.whole(run.result, "timed_calls") or len(run.samples_ns),
        "kept_every": measured.whole(run.result, "kept_every") or 1,
        "latency_burst_s": burst_s,
        "latency_sustained_s": sustained_s,
        "slower_by": sustained_s / burst_s - 1 if sustained_s and burst_s else None,
        "throttle_s": held.at_s,
        "throttle_evidence": held.evidence,
        "throttle_known": held.known,
        **by,
        **_hottest(list(soak.curves(watch, "temperature_c").values())),
        **_ends("clock", "hz", _fastest(list(soak.curves(watch, "frequency_hz").values()))),
        **_ends("power", "w", power),
    }
    return {**found, "reasons": _reasons(found, held, watch)}


def wall(run: Run) -> float:
    """Return the seconds that the calls of a run took together."""
    return measured.number(run.result, "timed_wall_s") or sum(run.samples_ns) / 1e9


def power_curve(result: Json) -> tuple[Json, Curve]:
    """Return who read the power during the calls, how, and what: an external meter comes first.

    The first is the columns power_source, power_method and power_scope, None where nothing was.
    """
    outside = measured.section(result, "watch_external")
    inside = measured.section(result, "watch")
    by = measured.section(inside, "power_by")
    for source, method, scope, watch in (
        (measured.text(outside, "source"), "external", measured.text(outside, "scope"), outside),
        ("board", measured.text(by, "method"), measured.text(by, "scope"), inside),
    ):
        known = soak.curves(watch, "power_w").get("", [])
        if known:
            return dict(zip(_POWER, (source, method, scope), strict=True)), known
    return dict.fromkeys(_POWER), []


def _hottest(curves: Sequence[Curve]) -> Json:
    """Return the first and the highest temperature of the zone that gets hottest."""
    curve = max(curves, key=lambda known: max(value for _, value in known), default=[])
    return {
        "temperature_start_c": curve[0][1] if curve else None,
        "temperature_max_c": max((value for _, value in curve), default=None),
    }


def _fastest(curves: Sequence[Curve]) -> Curve:
    """Return the policy that ran fastest in the median: the one that works."""
    return max(curves, key=lambda known: statistics.median(v for _, v in known), default=[])


def _ends(name: str, unit: str, curve: Curve) -> Json:
    early, late = soak.first_and_last(curve)
    return {f"{name}_burst_{unit}": early, f"{name}_sustained_{unit}": late}


def _reasons(found: Json, held: soak.Throttle, watch: Json) -> dict[str, str]:
    """Return why each figure that is not there is not."""
    told = measured.section(watch, "reasons")
    because = {
        "throttle_s": held.reason,
        "temperature_start_c": told.get("temperature_c"),
        "temperature_max_c": told.get("temperature_c"),
        "clock_burst_hz": told.get("frequency_hz"),
        "power_burst_w": told.get("power_w"),
    }
    short = found["duration_s"] < soak.SUSTAINED_S
    return {
        name: str(because.get(name) or (_SHORT if short and _late(name) else _UNREAD))
        for name, value in found.items()
        if value is None and name not in _WORDS
    }


def _late(name: str) -> bool:
    return "sustained" in name or name == "slower_by"


def _median(values: Sequence[float | None]) -> float | None:
    known = measured.present(values)
    return statistics.median(known) if known else None
