"""The metrics a gate can hold two sides against: unit, direction, margin, how a run gives it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from harness.types import Case, Run
from results import measured

Better = Literal["lower", "higher"]

# Allocators grow by chunks of 2 MB: equal processes were seen to differ by one, in most blocks of a
# session by chance.
MEMORY_FLOOR_BYTES = 4_000_000.0
OFFLINE = "offline"


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One thing measured per run: `read` gives it in base units, None where the run has none.

    `unit` is a suffix of the records' names; `margin` is the default, a fraction of the base's
    value; `floor` is the least margin in base units, for what is counted in whole pages.
    """

    name: str
    title: str
    unit: str
    margin: float
    read: Callable[[Run, Case], float | None]
    better: Better = "lower"
    floor: float = 0.0


def _latency_p50(run: Run, case: Case) -> float | None:
    return measured.latency_p50_s(run)


def _latency_p99(run: Run, case: Case) -> float | None:
    return measured.latency_p99_s(run)


def _throughput(run: Run, case: Case) -> float | None:
    return measured.throughput_per_s(run, case.batch)


def _peak_memory(run: Run, case: Case) -> float | None:
    return measured.number(run.result, "peak_rss_bytes")


def _energy(run: Run, case: Case) -> float | None:
    return measured.energy_j(run)


def _load_time(run: Run, case: Case) -> float | None:
    return measured.number(run.result, "load_s")


_ALL = (
    Metric(name="latency_p50", title="latency p50", unit="s", margin=0.03, read=_latency_p50),
    Metric(name="latency_p99", title="latency p99", unit="s", margin=0.10, read=_latency_p99),
    Metric(
        name="throughput",
        title="throughput",
        unit="per_s",
        margin=0.03,
        read=_throughput,
        better="higher",
    ),
    Metric(
        name="peak_memory",
        title="peak memory",
        unit="bytes",
        margin=0.01,
        read=_peak_memory,
        floor=MEMORY_FLOOR_BYTES,
    ),
    Metric(name="energy", title="energy", unit="j", margin=0.05, read=_energy),
    Metric(name="load_time", title="load time", unit="s", margin=0.05, read=_load_time),
)
METRICS = {metric.name: metric for metric in _ALL}
QUALITY = "quality"
QUALITY_MARGIN = 0.01

# Unit of each absolute budget; `share` is a bare fraction.
BUDGETS = {
    "latency_p50": "s",
    "latency_p99": "s",
    "peak_memory": "bytes",
    "size": "bytes",
    "energy": "j",
    "quality_loss": "share",
}
TITLES = {metric.name: metric.title for metric in _ALL} | {
    QUALITY: "quality",
    "quality_loss": "quality loss",
    "size": "file size",
    "runs": "runs",
}


def by_default(case: Case) -> tuple[str, ...]:
    """Return the metrics that are judged for `case` although no policy names them.

    Throughput is what an offline case is for; the others are asked how long one call takes.
    """
    return ("throughput" if case.scenario == OFFLINE else "latency_p50", "peak_memory")
