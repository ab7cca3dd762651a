"""A percentile far out, with an interval that takes the process run as its unit.

One run, one number: each run's own percentile, then their typical value as for medians. The usual
alternative, to bootstrap whole runs and pool their samples, covers far too seldom with five or ten
runs, and hardly ever where one run in twenty is disturbed: the 99th percentile of the pool is then
that run's, which few runs have seen. The typical run's percentile can be known. The figures are in
docs/measurement.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from harness.stats.quantiles import least_samples, median_unbiased
from harness.stats.summary import LEAST_RUNS, Summary, across_runs, percentile, pooled


def across_processes(
    samples_by_run: Sequence[Sequence[float]], q: float, confidence: float = 0.95
) -> Summary:
    """Return the q-quantile of the typical run with its interval, in the samples' unit.

    Every run's median-unbiased quantile enters `across_runs`; `n` counts runs. That takes five runs
    of 2 / (1 - q) samples each: 200 for p99. With less there is the quantile of the pooled samples
    without an interval, and below `least_samples` of them, 368 for p99, nothing; a warning says
    what is missing.
    """
    runs = [samples for samples in samples_by_run if samples]
    total, shortest = sum(map(len, runs)), min(map(len, runs), default=0)
    if total < least_samples(q, confidence):
        return pooled(runs, q, confidence)
    least = math.ceil(round(2 / min(q, 1 - q), 9))
    if len(runs) < LEAST_RUNS or shortest < least:
        missing = (
            f"no interval of {percentile(q)} from {len(runs)} runs of {shortest} samples or more: "
            f"it takes {LEAST_RUNS} runs of {least} each, raise the budget"
        )
        whole = pooled(runs, q, confidence)
        return msgspec.structs.replace(whole, warnings=(*whole.warnings, missing))
    return across_runs((median_unbiased(sorted(samples), q) for samples in runs), confidence)
