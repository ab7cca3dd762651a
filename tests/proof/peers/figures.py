"""Many starts of one tool to one row: pure functions over the records."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.stats.compare import Comparison, paired_ratio

from .implied import Z
from .records import Peer, Reading, Start

CHANGE = 1.05  # the 5 % that a comparison of two starts would call a regression


@dataclass(frozen=True)
class Row:
    """One tool over all its starts; None where it has no number, `reasons` say why not.

    `error` is the ratio of its median to the bare loop's of the same round. `spread` is the
    standard deviation of the logarithms of its medians, `range` largest over smallest.
    `half_width`, `wall_s` and `added_bytes` (peak memory minus the bare loop's of the same round)
    are medians over starts. `alarms` counts its own false ones; `pairs_apart` the ordered pairs of
    its starts of which the second is more than 5 % slower.
    """

    name: str
    runtime: str
    starts: int
    good: int
    reasons: tuple[str, ...]
    median_s: float | None
    error: Comparison | None
    spread: float | None
    range: float | None
    half_width: float | None
    interval: str
    wall_s: float | None
    added_bytes: float | None
    alarms: tuple[int, int] | None
    pairs_apart: tuple[int, int] | None

    @property
    def printed_cost(self) -> float | None:
        """Return half-width x sqrt(wall time) of the interval it prints or implies."""
        if self.half_width is None or self.wall_s is None:
            return None
        return self.half_width * math.sqrt(self.wall_s)

    @property
    def seen_cost(self) -> float | None:
        """Return half-width x sqrt(wall time) of one start, by the spread of the starts."""
        if self.spread is None or self.wall_s is None:
            return None
        return Z * self.spread * math.sqrt(self.wall_s)


def rows(peers: Sequence[Peer], starts: Sequence[Start]) -> list[Row]:
    """Return one row per peer, in order; peers that were never started are left out."""
    by_tool = {peer.name: [s for s in starts if s.tool == peer.name] for peer in peers}
    return [_row(peer, by_tool) for peer in peers if by_tool[peer.name]]


def times_narrower(ours: Row, other: Row) -> tuple[float, float, float] | None:
    """Return how many times smaller our `seen_cost` is, with its 95 % interval.

    The ratio of two standard deviations of logarithms follows the F distribution; wall times are
    taken as known.
    """
    if not ours.seen_cost or not other.seen_cost:
        return None
    from scipy.stats import f

    ratio = other.seen_cost / ours.seen_cost
    df = (other.good - 1, ours.good - 1)
    return (
        ratio,
        ratio / math.sqrt(f.ppf(0.975, *df)),
        ratio / math.sqrt(f.ppf(0.025, *df)),
    )


def _row(peer: Peer, by_tool: Mapping[str, Sequence[Start]]) -> Row:
    starts = by_tool[peer.name]
    good = {start.round: start for start in starts if start.reading is not None}
    read = [start.reading for start in good.values() if start.reading is not None]
    medians = [reading.median_s for reading in read]
    logs = [math.log(value) for value in medians]
    many = len(medians) > 1
    widths = [r.half_width for r in read if r.half_width is not None]
    return Row(
        name=peer.name,
        runtime=peer.runtime,
        starts=len(starts),
        good=len(good),
        reasons=tuple(dict.fromkeys(start.reason for start in starts if start.reason)),
        median_s=statistics.geometric_mean(medians) if medians else None,
        error=_error(peer, by_tool),
        spread=statistics.stdev(logs) if many else None,
        range=max(medians) / min(medians) if many else None,
        half_width=statistics.median(widths) if widths else None,
        interval=read[-1].interval if read else "",
        wall_s=statistics.median(start.wall_s for start in good.values()) if good else None,
        added_bytes=_added(peer, by_tool),
        alarms=_alarms(read),
        pairs_apart=_pairs(medians) if many else None,
    )


def _medians(starts: Sequence[Start]) -> dict[int, float]:
    return {start.round: start.reading.median_s for start in starts if start.reading is not None}


def _error(peer: Peer, by_tool: Mapping[str, Sequence[Start]]) -> Comparison | None:
    if peer.baseline is None:
        return None
    base = _medians(by_tool.get(peer.baseline, ()))
    return paired_ratio(base, _medians(by_tool[peer.name]))


def _added(peer: Peer, by_tool: Mapping[str, Sequence[Start]]) -> float | None:
    """Return the median difference of peak memory to the bare loop of the same round, in bytes."""
    if peer.baseline is None:
        return None
    base, own = (
        {s.round: s.peak_bytes for s in by_tool.get(name, ()) if s.reading and s.peak_bytes}
        for name in (peer.baseline, peer.name)
    )
    shared = base.keys() & own.keys()
    return statistics.median(own[r] - base[r] for r in shared) if shared else None


def _alarms(readings: Sequence[Reading]) -> tuple[int, int] | None:
    answers = [reading.alarm for reading in readings if reading.alarm is not None]
    return (sum(answers), len(answers)) if answers else None


def _pairs(medians: Sequence[float]) -> tuple[int, int]:
    n = len(medians)
    apart = sum(late > CHANGE * early for early in medians for late in medians)
    return apart, n * (n - 1)
