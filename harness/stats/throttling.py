"""What a run tells of its clock and its heat: how far below its cap it ran, what held it down."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from itertools import accumulate

import msgspec

from harness.stats.readings import number, numbers, pair, section
from harness.types import Json

# What falls by less than this is rounding of the kernel's clock steps.
_CAP_FELL = 0.01
_SLOWER = 0.05
# A clock that follows the load rises within a few hundredths of a second.
_HELD = 0.1
_LEAST_LOAD_S = 1.0
_KEPT_BUSY = 0.9
# Under these a busy core runs at its cap unless something holds it; under others a person chose.
_EAGER = frozenset(("performance", "ondemand", "schedutil", "interactive"))
_WARMER_C = 5.0
_LEAST_SOAK_S = 30.0
_LEAST_FOR_SECOND = 3
_SUPPLY = "use a power supply and a cable that hold the voltage under load"
_BUDGET = "choose a power mode that the supply can feed, or a stronger supply"
_ADVICE = {
    "under_voltage": _SUPPLY,
    "oc1_event_cnt": _SUPPLY,
    "oc2_event_cnt": _BUDGET,
    "oc3_event_cnt": _BUDGET,
}


class Throttling(msgspec.Struct, frozen=True, kw_only=True):
    """What held the processor down: its size as a count or state, in words, and what helps."""

    size: float
    what: str
    advice: str = ""


def throttling(result: Json, samples_ns: Sequence[int] = ()) -> Throttling | None:
    """Return the strongest evidence that a run was throttled, None without any.

    In this order: the board's own counters, a cooling device that slows the processor, a clock cap
    that fell during the run, a clock far below its cap although the process kept a core busy,
    samples that slow down while the board warms up.
    """
    events = {name: n for name, n in _timed(result, "throttle_events").items() if n > 0}
    if events:
        shown = ", ".join(f"{name} by {count:.6g}" for name, count in sorted(events.items()))
        advice = next((_ADVICE[name] for name in sorted(events) if name in _ADVICE), "")
        return Throttling(
            size=sum(events.values()), what=f"throttling counters rose: {shown}", advice=advice
        )
    cooling = {name: at for name, at in _timed(result, "cooling").items() if at > 0}
    if cooling:
        shown = ", ".join(f"{name} in state {at:.6g}" for name, at in sorted(cooling.items()))
        return Throttling(size=max(cooling.values()), what=f"cooling slows the processor: {shown}")
    fallen = _cap_fell(result)
    if fallen is not None:
        return Throttling(size=fallen, what=f"the clock's cap fell by {fallen:.1%} during the run")
    return _held(result) or _slow_down(result, samples_ns)


def clocks(result: Json) -> dict[str, float]:
    """Return the mean clock of each cpufreq policy in Hz while samples were taken."""
    return {name: hz for name, hz in _timed(result, "mean_frequency_hz").items() if hz > 0}


def below_cap(result: Json) -> float | None:
    """Return how far the mean clock lay below its cap, as a share of it, in the busiest policy.

    A policy whose cores idle runs slow because nothing asks it not to: only the one that comes
    closest to its cap tells.
    """
    highest = numbers(result, "timed_host", "max_frequency_hz") or numbers(
        result, "host", "max_frequency_hz"
    )
    shares = []
    for name, mean in clocks(result).items():
        ends = pair(result, "timed_host", "limit_frequency_hz", name) or pair(
            result, "host", "limit_frequency_hz", name
        )
        cap = ends[0] if ends else highest.get(name)
        if cap and cap > 0:
            shares.append(mean / cap)
    return max(0.0, 1 - max(shares)) if shares else None


def _held(result: Json) -> Throttling | None:
    """Return that a core which was kept busy did not reach its cap: a limit on power or current.

    The firmware of many boards lowers the clock without a count or a cap that tells of it.
    """
    below = below_cap(result)
    cpu_s, wall_s = number(result, "own", "cpu_s"), number(result, "own", "wall_s")
    if below is None or cpu_s is None or wall_s is None or wall_s < _LEAST_LOAD_S:
        return None
    governors = set(_either(result, "governor").values())
    if below <= _HELD or cpu_s < _KEPT_BUSY * wall_s or not governors or governors - _EAGER:
        return None
    return Throttling(size=below, what=f"the clock ran {below:.1%} below its cap under load")


def below_fast(results: Sequence[Json]) -> list[float | None]:
    """Return for each run of one case how far its mean clock lay below that of its fast runs.

    That is the second fastest, so that one run in a lucky boost does not condemn all others, and
    so that it still tells where most of the runs were held down. Judged by the policy that comes
    closest to its highest clock over the runs: the one that works.
    """
    found = [clocks(result) for result in results]
    busiest = _busiest(results, found)
    means = [of_run.get(busiest) if busiest else None for of_run in found]
    known = sorted(mean for mean in means if mean)
    fast = known[-2] if len(known) >= _LEAST_FOR_SECOND else max(known, default=None)
    return [None if mean is None or fast is None else max(0.0, 1 - mean / fast) for mean in means]


def _timed(result: Json, key: str) -> dict[str, float]:
    """Return the numbers under `key` around the timed part, else around the whole run."""
    return numbers(_either(result, key))


def _either(result: Json, key: str) -> Json:
    """Return what stands under `key` around the timed part, else around the whole run."""
    if section(result, "timed_host").get(key) is not None:
        return section(result, "timed_host", key)
    return section(result, "host", key)


def _busiest(results: Sequence[Json], found: Sequence[Mapping[str, float]]) -> str | None:
    """Return the policy whose clock was nearest to its highest, in the median run."""
    ranks: dict[str, list[float]] = {}
    for result, of_run in zip(results, found, strict=True):
        highest = _timed(result, "max_frequency_hz")
        for name, mean in of_run.items():
            ranks.setdefault(name, []).append(mean / (highest.get(name) or mean))
    # of two policies that both run at full speed the big cores' one comes first
    speed = {name: max(of_run.get(name, 0.0) for of_run in found) for name in ranks}
    return max(
        ranks,
        key=lambda name: (round(statistics.median(ranks[name]), 3), speed[name]),
        default=None,
    )


def _cap_fell(result: Json) -> float | None:
    """Return by what share the clock's cap fell during the timed part, None where it did not."""
    largest = 0.0
    for source in ("timed_host", "host"):
        for name in section(result, source, "limit_frequency_hz"):
            ends = pair(result, source, "limit_frequency_hz", name)
            if ends and ends[0] > 0:
                largest = max(largest, 1 - ends[1] / ends[0])
    return largest if largest > _CAP_FELL else None


def _slow_down(result: Json, samples_ns: Sequence[int]) -> Throttling | None:
    """Return that calls took longer towards the end of a long run while the board warmed up."""
    if len(samples_ns) < 6 or sum(samples_ns) < _LEAST_SOAK_S * 1e9:
        return None
    ends = [pair(zone) for zone in section(result, "host", "temperature_c").values()]
    warmer = max((after - before for before, after in filter(None, ends)), default=0.0)
    early, late = first_and_last_third(samples_ns)
    slower = statistics.median(late) / max(statistics.median(early), 1) - 1
    if slower <= _SLOWER or warmer < _WARMER_C:
        return None
    return Throttling(
        size=slower,
        what=f"calls became {slower:.1%} slower while the board warmed by {warmer:.3g} °C",
    )


def first_and_last_third(samples_ns: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
    """Return the samples of the first and of the last third of the time they took together."""
    ends = list(accumulate(samples_ns))
    first = next(at for at, end in enumerate(ends, 1) if 3 * end >= ends[-1])
    last = next(at for at, end in enumerate(ends) if 3 * end > 2 * ends[-1])
    return samples_ns[:first], samples_ns[last:]
