"""Is it the code or the clock? A time that is longer only in seconds is no regression.

nvbench's rule: a difference in time is confirmed in cycles, time x mean clock.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from harness.gate.metrics import Metric
from harness.stats.decision import decide
from harness.stats.trimmed import trimmed_mean
from harness.types import Run
from results import measured

ADVICE = "fix the frequency (boardmark doctor says how) and measure again"
_TIMED = ("latency_p50", "latency_p99", "throughput")


def explains(
    metric: Metric,
    runs: Sequence[tuple[Run, Run]],
    ratios: Sequence[float],
    held: tuple[float, float, float],
) -> str | None:
    """Return the sentence that a slow-down is the clock's, None where cycles show it too.

    `ratios` are the log ratios of time of `runs`, block by block; `held` is what the decision was
    made with: margin, alpha and p_limit. None also where a run's mean clock is unknown.
    """
    if metric.name not in _TIMED:
        return None
    clocks = [(mean_hz(ours), mean_hz(theirs)) for ours, theirs in runs]
    known = [(ours, theirs) for ours, theirs in clocks if ours and theirs]
    if len(known) != len(ratios):
        return None
    cycles = [
        ratio + math.log(theirs / ours) for ratio, (ours, theirs) in zip(ratios, known, strict=True)
    ]
    margin, alpha, p_limit = held
    confirmed = decide(cycles, margin, alpha, p_limit)
    if confirmed.outcome == "regressed" or _most_is_left(confirmed.estimate, ratios):
        return None
    ours_hz, theirs_hz = (statistics.median(side) for side in zip(*known, strict=True))
    return (
        f"the clock differed: {ours_hz / 1e9:.2f} GHz under the base, {theirs_hz / 1e9:.2f} GHz "
        "under the candidate, and in cycles it is not shown to be slower"
    )


def _most_is_left(cycles: float | None, ratios: Sequence[float]) -> bool:
    """Tell whether more than half of a slow-down shows in cycles: it is then not the clock's.

    What the clock was is known only roughly, and that alone may hide a small regression.
    """
    return cycles is not None and cycles > trimmed_mean(ratios).mean / 2


def mean_hz(run: Run) -> float | None:
    """Return the mean clock while `run` was timed, of the fastest policy; None where unknown.

    Idle cores sit at a low clock, so that of several policies the fastest is the one that worked.
    """
    policies = measured.section(run.result, "timed_host", "mean_frequency_hz")
    known = measured.present([measured.number(policies, name) for name in policies])
    return max(known) if known and max(known) > 0 else None
