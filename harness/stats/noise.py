"""Readings taken around a run to flags: what else the machine did, and whether the run counts.

A share of the cores' time is counted in clock ticks (10 ms of one core), so a short window knows it
only coarsely: a limit counts as exceeded where three ticks lie beyond it, and for a stall where the
time of one tick does. A reading that is missing or odd gives no flag.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

import msgspec

from harness.stats.limits import Flag, exceeded
from harness.stats.quantiles import nearest_rank
from harness.stats.readings import number, pair, section
from harness.stats.throttling import below_cap, below_fast, throttling
from harness.types import Json

__all__ = ["Flag", "among", "eased", "flags", "is_invalid", "throttles", "usual_sentinel"]

_TICK_S = 0.01
_SLACK_TICKS = 3
# Steal in a shorter timed part is read from the whole run, which knows it more finely.
_LEAST_WINDOW_S = 2.0
_LONG_CALL_NS = 100_000_000
_LONG_CALL_TIMES = 10
_LEAST_RUNS_AMONG = 3
# Some switches more than usual are chance.
_SLACK_SWITCHES = 10
_LEAST_FOR_USUAL = 20


def flags(result: Json, samples_ns: Sequence[int] = ()) -> tuple[Flag, ...]:
    """Return what disturbed one run by its own readings, the raw report `result` of the agent.

    `samples_ns`, its durations in order, are needed only to see a pause and a slow-down under heat.
    """
    held = throttling(result, samples_ns)
    found = (
        _steal(result),
        _foreign(result),
        *_pressure(result),
        exceeded("major faults", number(result, "own", "major_faults")),
        *_swap(result),
        exceeded("frequency", below_cap(result)),
        exceeded("throttled", held.size, what=held.what, advice=held.advice) if held else None,
        _hot_start(result),
        exceeded("cpu quota", _either(result, "quota_throttled_periods")),
        _sentinel(result),
        exceeded("suspend", _largest(result, "suspended_s")),
        _pause(result, samples_ns),
        exceeded("clock step", _largest(result, "clock_step_s")),
    )
    return tuple(flag for flag in found if flag is not None)


def is_invalid(result: Json, samples_ns: Sequence[int] = ()) -> bool:
    """Tell whether the machine was not the same one throughout a run, by its own readings."""
    return _any_invalid(flags(result, samples_ns))


def among(results: Sequence[Json]) -> tuple[tuple[Flag, ...], ...]:
    """Return for each run of one case what sets it apart from the others, in their order.

    Involuntary switches have no limit of their own, what is usual depends on the runtime; and a
    clock that follows the load has no other reference than the case's fast runs.
    """
    slower = below_fast(results)
    switched = _switches(results)
    return tuple(
        tuple(
            flag for flag in (exceeded("frequency drift", drift), interrupted) if flag is not None
        )
        for drift, interrupted in zip(slower, switched, strict=True)
    )


def usual_sentinel(results: Iterable[Json]) -> float:
    """Return the change of the sentinel loop that 95 of 100 runs of a session stay within.

    Where a core's other thread belongs to a neighbour, the loop swings by half from one moment to
    the next in runs that are as good as any: it then tells how restless the machine is and nothing
    of the one run. 0 where there are fewer than twenty runs.
    """
    changes = sorted(
        change for change in (_sentinel_change(result) for result in results) if change is not None
    )
    return max(0.0, nearest_rank(changes, 0.95)) if len(changes) >= _LEAST_FOR_USUAL else 0.0


def eased(found: Sequence[Flag], usual: float) -> tuple[Flag, ...]:
    """Return `found` with a sentinel's change that is usual in its session as no more than a flag.

    `usual` is what usual_sentinel gives.
    """
    return tuple(
        msgspec.structs.replace(flag, severity="flag")
        if flag.signal == "sentinel" and flag.severity == "invalid" and flag.value <= usual
        else flag
        for flag in found
    )


def throttles(flag: Flag) -> bool:
    """Tell whether a flag is evidence that the processor was held down."""
    return flag.signal == "throttled" or (
        flag.signal == "frequency drift" and flag.severity == "invalid"
    )


def _any_invalid(found: Iterable[Flag]) -> bool:
    return any(flag.severity == "invalid" for flag in found)


def _steal(result: Json) -> Flag | None:
    window_s = number(result, "timed_host", "window_s")
    short = window_s is None or window_s < _LEAST_WINDOW_S
    source = "host" if short and number(result, "host", "steal_share") is not None else "timed_host"
    return exceeded("steal", number(result, source, "steal_share"), _ticks_slack(result, source))


def _foreign(result: Json) -> Flag | None:
    share = number(result, "host", "foreign_share")
    return exceeded("foreign cpu", share, _ticks_slack(result, "host"))


def _ticks_slack(result: Json, source: str) -> float:
    """Return three ticks as a share of the window's; one core's where nobody counted them."""
    ticks = number(result, source, "ticks")
    if ticks is None:
        ticks = (number(result, source, "window_s") or 0.0) / _TICK_S
    return _SLACK_TICKS / ticks if ticks > 0 else 1.0


def _pressure(result: Json) -> Iterable[Flag | None]:
    """Yield the stalls; loading a model reads the disk, so only the timed part tells of those."""
    for resource in ("cpu", "memory", "io"):
        source = "timed_host"
        if resource == "cpu" and number(result, source, "pressure_share", resource) is None:
            source = "host"
        window_s = number(result, source, "window_s") or 0.0
        slack = _TICK_S / window_s if window_s > 0 else 1.0
        share = number(result, source, "pressure_share", resource)
        # the kernel's total and our clock are not read at one moment: a little over all is all
        yield exceeded(f"{resource} pressure", share and min(share, 1.0), slack)


def _swap(result: Json) -> Iterable[Flag | None]:
    whole, inside = _swapped(result, "host"), _swapped(result, "timed_host")
    if inside is None:
        inside, whole = whole, None
    yield exceeded("swap", inside)
    yield exceeded("swap while loading", max(0.0, whole - (inside or 0.0)) if whole else None)


def _swapped(result: Json, source: str) -> float | None:
    pages = [number(result, source, key) for key in ("swap_in_pages", "swap_out_pages")]
    known = [count for count in pages if count is not None]
    return sum(known) if known else None


def _sentinel(result: Json) -> Flag | None:
    change = _sentinel_change(result)
    return exceeded("sentinel" if (change or 0) > 0 else "sentinel faster", change)


def _sentinel_change(result: Json) -> float | None:
    ends = pair(result, "host", "sentinel_ns")
    return None if ends is None or min(ends) <= 0 else ends[1] / ends[0] - 1


def _hot_start(result: Json) -> Flag | None:
    """Return that the board was warmer than asked when the run began, however long it waited."""
    start_c, below_c = (number(result, "cool_down", key) for key in ("start_c", "below_c"))
    if start_c is None or below_c is None:
        return None
    waited_s = number(result, "cool_down", "waited_s") or 0.0
    what = f"after {waited_s:.0f} s of waiting"
    return exceeded("hot start", max(0.0, start_c - below_c), what=what)


def _either(result: Json, key: str) -> float | None:
    """Return the reading around the timed part, else around the whole run."""
    inside = number(result, "timed_host", key)
    return number(result, "host", key) if inside is None else inside


def _largest(result: Json, key: str) -> float | None:
    """Return the reading of largest size among the whole run's and the timed part's."""
    found = [number(result, source, key) for source in ("host", "timed_host")]
    return max((value for value in found if value is not None), key=abs, default=None)


def _pause(result: Json, samples_ns: Sequence[int]) -> Flag | None:
    """Return that one call took very long, and whether it is certain that nothing ran meanwhile.

    Wall time beyond the CPU time of all threads is time in which none of them ran. Where several
    threads earn more CPU time than wall time passes, a pause cannot be told from work: no more than
    a flag.
    """
    longest = max(samples_ns, default=0)
    if longest <= _LONG_CALL_NS:
        return None
    usual = statistics.median_low(samples_ns)
    if longest <= _LONG_CALL_TIMES * usual:
        return None
    what = f"{longest / max(usual, 1):.4g} times the median"
    cpu_s, wall_s = number(result, "own", "cpu_s"), number(result, "own", "wall_s")
    beyond_s = (longest - usual) / 1e9
    idle = cpu_s is not None and wall_s is not None and wall_s - cpu_s >= 0.9 * beyond_s
    return exceeded("pause" if idle else "long call", longest / 1e9, what=what)


def _switches(results: Sequence[Json]) -> list[Flag | None]:
    """Return a flag for each run that was interrupted far more often than the median run."""
    own = [section(result, "own") for result in results]
    counts = [number(reading, "involuntary_switches") for reading in own]
    spans = [number(reading, "wall_s") for reading in own]
    rates = [
        count / span if count is not None and span is not None and span > 0 else None
        for count, span in zip(counts, spans, strict=True)
    ]
    known = [rate for rate in rates if rate is not None]
    if len(known) < _LEAST_RUNS_AMONG:
        return [None] * len(results)
    usual = max(statistics.median(known), 1.0)
    return [
        None
        if rate is None or not span
        else exceeded(
            "involuntary switches",
            rate / usual,
            _SLACK_SWITCHES / span / usual,
            what=f"{rate:.4g} times per second",
        )
        for rate, span in zip(rates, spans, strict=True)
    ]
