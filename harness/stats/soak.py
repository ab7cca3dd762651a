"""A long run to what it tells of a board that heats up: burst, sustained, when it was held down.

`samples_ns` are all calls in order or every k-th of them, `wall_s` the time that the calls took
together, and a watch is what the agent read beside them (lists over its own `t_s`, null for a read
that failed). Moments are seconds from the first call.
"""

from __future__ import annotations

import bisect
import statistics
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

import msgspec

from harness.stats.quantiles import nearest_rank
from harness.stats.readings import number, section
from harness.types import Json

BURST_S = 10.0
SUSTAINED_S = 180.0
# Shorter than this, a lasting change cannot be told from a passing one.
_LEAST_S = 30.0
_SLOWER = 0.05
# The clock's steps are rounded by the kernel.
_CAP_FELL = 0.01
_BINS = 600
_LEAST_CALLS = 5
_LEAST_BURST_BINS = 5
_SMOOTH = 5
_LASTS_S = 10.0
_LASTS_SHARE = 0.05
_STAYS_SHARE = 0.8
# From the median absolute deviation to a standard deviation of normal noise, four of them.
_NOISE = 4 * 1.4826


class Bin(msgspec.Struct, frozen=True, gc=False):
    """The calls that ended in one stretch of time: its middle, and their p10, p50 and p90."""

    at_s: float
    low_s: float
    median_s: float
    high_s: float


class Throttle(msgspec.Struct, frozen=True, kw_only=True):
    """When a board was first held down and what shows it; `at_s` None with a reason instead.

    `evidence` begins with what stood first and goes on with what followed. `known` is false where
    nothing could have shown it.
    """

    at_s: float | None
    known: bool = True
    evidence: str | None = None
    reason: str | None = None


def timeline(samples_ns: Sequence[int], wall_s: float, width_s: float) -> list[Bin]:
    """Return the latency over time, one bin per `width_s`; a stretch in which none ended has none.

    The calls' own durations are stretched to `wall_s`, so that what lay between them is not lost.
    """
    found: list[Bin] = []
    for at_s, calls in _stretches(samples_ns, wall_s, width_s):
        ordered = sorted(calls)
        low, median, high = (nearest_rank(ordered, q) / 1e9 for q in (0.1, 0.5, 0.9))
        found.append(Bin(at_s, low, median, high))
    return found


def burst_s(samples_ns: Sequence[int], wall_s: float) -> float | None:
    """Return the median call of the first 10 s in seconds, of the first call at least."""
    ends = _ends(samples_ns, wall_s)
    first = max(1, bisect.bisect_right(ends, BURST_S))
    return _median_s(samples_ns[:first])


def sustained_s(samples_ns: Sequence[int], wall_s: float) -> float | None:
    """Return the median call of the last third in seconds, None below three minutes."""
    if wall_s < SUSTAINED_S:
        return None
    return _median_s(samples_ns[bisect.bisect_right(_ends(samples_ns, wall_s), 2 * wall_s / 3) :])


def throttle(samples_ns: Sequence[int], wall_s: float, watch: Json) -> Throttle:
    """Return the first moment at which evidence stands that the board was held down.

    Evidence is a cooling device that slows a processor, a throttle counter that rose, a clock cap
    that fell, and calls that became slower and stayed so.
    """
    found = [*_by_sensors(watch)]
    slower = slowdown(samples_ns, wall_s)
    if slower is not None:
        at_s, by = slower
        found.append((at_s, f"calls became {by:.1%} slower and stayed so"))
    if found:
        (at_s, first), *others = sorted(found)
        later = [f"{evidence} (after {other_s:.4g} s)" for other_s, evidence in others]
        return Throttle(at_s=at_s, evidence="; ".join([first, *later]))
    seen = [name for name in ("cooling", "throttle", "limit_frequency_hz") if section(watch, name)]
    if not seen and wall_s < _LEAST_S:
        return Throttle(
            at_s=None,
            known=False,
            reason=f"a soak of {wall_s:.3g} s is too short to tell: {_LEAST_S:.0f} s at least",
        )
    beside = "" if seen else ", by the latency alone: no sign of the board's own could be read"
    return Throttle(at_s=None, reason=f"not held down within {wall_s:.4g} s{beside}")


def slowdown(samples_ns: Sequence[int], wall_s: float) -> tuple[float, float] | None:
    """Return when calls became slower for good and by what share, None where they did not.

    Medians over short stretches, smoothed, are held against those of the first 10 s: by more than
    5 % and by more than these scatter, for a while without a break and for most of the rest.
    """
    if wall_s < _LEAST_S or len(samples_ns) < 2 * _LEAST_CALLS:
        return None
    width_s = max(1.0, wall_s / _BINS, _LEAST_CALLS * wall_s / len(samples_ns))
    stretches = list(_stretches(samples_ns, wall_s, width_s))
    medians = [statistics.median(calls) for _, calls in stretches]
    first = max(_LEAST_BURST_BINS, bisect.bisect_right([at for at, _ in stretches], BURST_S))
    early = medians[:first]
    usual = statistics.median(early)
    scatter = statistics.median(abs(value - usual) for value in early)
    limit = usual + max(_SLOWER * usual, _NOISE * scatter)
    slow = [value > limit for value in _smoothed(medians)]
    lasts = max(1, round(max(_LASTS_S, _LASTS_SHARE * wall_s) / width_s))
    for at in range(first, len(slow) - lasts + 1):
        rest = slow[at:]
        if all(rest[:lasts]) and sum(rest) >= _STAYS_SHARE * len(rest):
            by = statistics.median(medians[at:]) / usual - 1
            return stretches[at][0] - width_s / 2, by
    return None


def first_and_last(known: Sequence[tuple[float, float]]) -> tuple[float | None, float | None]:
    """Return the means of a watched series over the first 10 s and over the last third.

    The latter is None below three minutes, as it is for the latency.
    """
    end_s = max((at_s for at_s, _ in known), default=0.0)
    early = [value for at_s, value in known if at_s <= BURST_S]
    late = [value for at_s, value in known if at_s >= 2 * end_s / 3]
    long = end_s >= SUSTAINED_S * 0.98
    return (
        statistics.fmean(early) if early else None,
        statistics.fmean(late) if late and long else None,
    )


def curves(watch: Json, name: str) -> dict[str, list[tuple[float, float]]]:
    """Return what was watched under `name` by sensor: (moment, value) of every read that came."""
    found = watch.get(name)
    by_sensor = found if isinstance(found, dict) else {"": found}
    series = {str(key): _series(watch, values) for key, values in by_sensor.items()}
    return {key: known for key, known in series.items() if known}


def _by_sensors(watch: Json) -> Iterator[tuple[float, str]]:
    """Return every sign of the board's own: its first moment and what it was."""
    for name, known in curves(watch, "cooling").items():
        if (at := _first(known, _positive)) is not None:
            yield at[0], f"cooling device {name} slows the processor (state {at[1]:.6g})"
    for name, known in curves(watch, "throttle").items():
        if (at := _first(known, _positive, 1)) is not None:
            yield at[0], f"the board says {name}"
    for name, known in curves(watch, "limit_frequency_hz").items():
        full = known[0][1]
        if (at := _first(known, _below(full * (1 - _CAP_FELL)))) is not None:
            yield at[0], f"the clock's cap of {name} fell from {full:.4g} to {at[1]:.4g} Hz"


def _first(
    known: Sequence[tuple[float, float]], holds: Callable[[float], bool], stands: int = 2
) -> tuple[float, float] | None:
    """Return the first of `stands` readings in a row that hold, None without such a row."""
    for at in range(len(known) - stands + 1):
        if all(holds(value) for _, value in known[at : at + stands]):
            return known[at]
    return None


def _positive(value: float) -> bool:
    return value > 0


def _below(limit: float) -> Callable[[float], bool]:
    return lambda value: value < limit


def _series(watch: Json, values: object) -> list[tuple[float, float]]:
    """Return (moment, value) of the reads that came; odd entries are none."""
    moments = watch.get("t_s")
    if not isinstance(moments, list) or not isinstance(values, list):
        return []
    both = ((number(at), number(value)) for at, value in zip(moments, values, strict=False))
    return [(at, value) for at, value in both if at is not None and value is not None]


def _ends(samples_ns: Sequence[int], wall_s: float) -> list[float]:
    """Return the moment at which each call ended."""
    ends = list(accumulate(samples_ns))
    stretch = wall_s / ends[-1] if ends and ends[-1] else 0.0
    return [end * stretch for end in ends]


def _stretches(
    samples_ns: Sequence[int], wall_s: float, width_s: float
) -> Iterator[tuple[float, Sequence[int]]]:
    """Return the calls that ended in each stretch of `width_s`, with its middle, in order."""
    ends = _ends(samples_ns, wall_s)
    begin = 0
    while begin < len(ends):
        place = int(ends[begin] / width_s)
        end = max(begin + 1, bisect.bisect_left(ends, (place + 1) * width_s, begin))
        yield (place + 0.5) * width_s, samples_ns[begin:end]
        begin = end


def _smoothed(values: Sequence[float]) -> list[float]:
    """Return the median of five neighbours around each value."""
    half = _SMOOTH // 2
    return [
        statistics.median(values[max(0, at - half) : at + half + 1]) for at in range(len(values))
    ]


def _median_s(samples_ns: Sequence[int]) -> float | None:
    return nearest_rank(sorted(samples_ns), 0.5) / 1e9 if samples_ns else None
