"""Readings of a power meter to the energy of a window, and how far it can be trusted.

    counted     the meter's own energy counter, differenced: it misses nothing between two reads
    integrated  the power by trapezoid; the readings at the ends of the window hold up to its edges

Only readings inside of the window are taken. The one before and the one after belong to another
load, and a straight line to them would be a ramp where there was a step.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import pairwise

import msgspec

LEAST_READINGS = 10
_J_PER_WH = 3600.0
# What of a window may pass without a reading before its middle is a guess, and always this many
# periods of the meter.
_LONGEST_GAP_SHARE = 0.1
_LONGEST_GAP_PERIODS = 3.0
# The counter's last step may lie before or after an edge: this share of the energy at the most.
_COARSEST_STEP = 0.02


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One reading: seconds on any steady clock, watts, and the counter in Wh if there is one."""

    at_s: float
    power_w: float
    energy_wh: float | None = None


class Energy(msgspec.Struct, frozen=True, kw_only=True):
    """The energy of a window of `window_s` seconds from `n` readings, None with a `reason`.

    `integration` is how it was had: "counter" or "trapezoid". `gap_max_s` is the longest time
    without a reading, the edges included. `counter_step_j` is by how much a counter may be wrong.
    """

    energy_j: float | None
    window_s: float
    n: int
    gap_max_s: float | None = None
    integration: str | None = None
    counter_step_j: float | None = None
    reason: str | None = None


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """Mean and standard deviation of the power in a window, None with a `reason`."""

    mean_w: float | None
    sd_w: float | None
    n: int
    reason: str | None = None


def inside(samples: Sequence[Sample], begin_s: float, end_s: float) -> list[Sample]:
    """Return the samples of the window in order of time."""
    return sorted((s for s in samples if begin_s <= s.at_s <= end_s), key=lambda s: s.at_s)


def over(samples: Sequence[Sample], begin_s: float, end_s: float, period_s: float) -> Energy:
    """Return the energy between two moments of a meter that is read every `period_s`."""
    mine = inside(samples, begin_s, end_s)
    found = Energy(energy_j=None, window_s=end_s - begin_s, n=len(mine), reason=_few(mine))
    if found.reason:
        return found
    edges = [begin_s, *(sample.at_s for sample in mine), end_s]
    gaps = [after - before for before, after in pairwise(edges)]
    found = msgspec.structs.replace(found, gap_max_s=max(gaps))
    longest_s = max(_LONGEST_GAP_PERIODS * period_s, _LONGEST_GAP_SHARE * found.window_s)
    counted = _counted(mine, found.window_s) if max(gaps[0], gaps[-1]) <= longest_s else None
    if counted is not None:
        energy_j, step_j = counted
        return msgspec.structs.replace(
            found, energy_j=energy_j, integration="counter", counter_step_j=step_j
        )
    if max(gaps) > longest_s:
        reason = f"insufficient: {max(gaps):.3g} of {found.window_s:.3g} s without a reading"
        return msgspec.structs.replace(found, reason=reason)
    area = _integrated(mine, begin_s, end_s)
    return msgspec.structs.replace(found, energy_j=area, integration="trapezoid")


def level(samples: Sequence[Sample], begin_s: float, end_s: float) -> Level:
    """Return what the meter showed on average between two moments."""
    mine = inside(samples, begin_s, end_s)
    if reason := _few(mine):
        return Level(mean_w=None, sd_w=None, n=len(mine), reason=reason)
    watts = [sample.power_w for sample in mine]
    return Level(mean_w=statistics.fmean(watts), sd_w=statistics.stdev(watts), n=len(mine))


def _few(samples: Sequence[Sample]) -> str | None:
    """Return that there are too few readings, None where there are enough."""
    if len(samples) >= LEAST_READINGS:
        return None
    return f"insufficient: {len(samples)} readings of the meter where {LEAST_READINGS} are needed"


def _counted(samples: Sequence[Sample], window_s: float) -> tuple[float, float] | None:
    """Return (energy in J, largest step in J) by the counter, None where it moves too coarsely.

    A counter that was reset goes backwards and tells nothing. The window is a little longer than
    the time between the first reading and the last: their mean power stands for all of it.
    """
    counts = [sample.energy_wh for sample in samples]
    if any(count is None for count in counts):
        return None
    steps = [(after or 0.0) - (before or 0.0) for before, after in pairwise(counts)]
    moved, largest = sum(steps), max(steps)
    if min(steps) < 0 or moved <= 0 or largest > _COARSEST_STEP * moved:
        return None
    power_w = moved * _J_PER_WH / (samples[-1].at_s - samples[0].at_s)
    return power_w * window_s, largest * _J_PER_WH


def _integrated(samples: Sequence[Sample], begin_s: float, end_s: float) -> float:
    """Return the area in J below the straight lines between the samples."""
    area = sum((b.at_s - a.at_s) * (a.power_w + b.power_w) / 2 for a, b in pairwise(samples))
    first, last = samples[0], samples[-1]
    return area + (first.at_s - begin_s) * first.power_w + (end_s - last.at_s) * last.power_w
