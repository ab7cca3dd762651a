"""The figures of one case in one session out of its rows of `runs`: what a report says of it, too.

Of one run alone a report also has the interval of its own samples; here there is none then, because
the samples are not read.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import msgspec

from harness.stats.summary import LEAST_RUNS, across_runs
from harness.types import Json
from results import measured

IDENTITY = ("device", "model", "variant", "backend", "scenario", "batch", "threads", "side")
_OF_CASE = (
    *("session_id", "created_unix_s", "kind", "suite", *IDENTITY, "case_key"),
    *("runtime_version", "artifact_sha256", "size_bytes"),
)
_SCORE = (
    *("quality_metric", "quality", "quality_reference", "quality_loss"),
    *("quality_loss_lo", "quality_loss_hi", "quality_n", "fidelity", "sqnr_db"),
)
_OF_RUN = (
    *("seq", "block", "status", "disturbed", "latency_p50_s", "throughput_per_s"),
    *("peak_rss_bytes", "energy_j"),
)
COLUMNS = (*_OF_CASE, *_OF_RUN, *_SCORE)
"""What `nights` needs of each run."""


class Night(msgspec.Struct, frozen=True, kw_only=True):
    """One case in one session, in base units; the ends of intervals are those of 95 %.

    `runs` is how many the figures come from: undisturbed ones, where five blocks have such; else
    all that succeeded. A score counts for every case with the same file and runtime.
    """

    session_id: str
    created_unix_s: float
    kind: str
    suite: str
    device: str
    model: str
    variant: str
    backend: str
    scenario: str
    batch: int
    threads: int | None
    side: str
    case_key: str
    runtime_version: str | None
    artifact_sha256: str | None
    size_bytes: int | None
    runs: int
    runs_failed: int
    runs_disturbed: int
    latency_p50_s: float | None
    latency_p50_lo_s: float | None
    latency_p50_hi_s: float | None
    throughput_per_s: float | None
    throughput_lo_per_s: float | None
    throughput_hi_per_s: float | None
    peak_rss_bytes: int | None
    energy_j: float | None
    quality_metric: str | None = None
    quality: float | None = None
    quality_reference: float | None = None
    quality_loss: float | None = None
    quality_loss_lo: float | None = None
    quality_loss_hi: float | None = None
    quality_n: int | None = None
    fidelity: float | None = None
    sqnr_db: float | None = None


def nights(rows: Iterable[Json]) -> list[Night]:
    """Return one record per session and case, oldest first, out of rows with COLUMNS.

    `rows` are in the order of session_id, then case_key, then seq.
    """
    found = []
    for _, of_session in groupby(rows, key=lambda row: row["session_id"]):
        runs = list(of_session)
        shared = {_answers_as(row): row for row in runs if row["quality_metric"] is not None}
        for _, of_case in groupby(runs, key=lambda row: row["case_key"]):
            found.append(_night(list(of_case), shared))
    return found


def newest(rows: Iterable[Night]) -> list[Night]:
    """Return of each case, by its names, those of the last session it was measured in."""
    of_names: dict[tuple[Any, ...], list[Night]] = {}
    for row in rows:
        names = tuple(getattr(row, name) for name in IDENTITY)
        known = of_names.get(names)
        if known is None or known[0].session_id < row.session_id:
            of_names[names] = [row]
        elif known[0].session_id == row.session_id:
            known.append(row)
    return [row for same in of_names.values() for row in same]


def _night(runs: Sequence[Json], shared: dict[Any, Json]) -> Night:
    """Return the figures of one case."""
    good = [row for row in runs if row["status"] == "ok"]
    used = _undisturbed(good)
    latency = across_runs(_known(used, "latency_p50_s"))
    throughput = across_runs(_known(used, "throughput_per_s"))
    resident = _known(used, "peak_rss_bytes")
    energies = _known(used, "energy_j")
    return Night(
        **{name: runs[-1][name] for name in _OF_CASE},
        runs=len(used),
        runs_failed=len(runs) - len(good),
        runs_disturbed=sum(row["disturbed"] is True for row in good),
        latency_p50_s=latency.center,
        latency_p50_lo_s=latency.lo,
        latency_p50_hi_s=latency.hi,
        throughput_per_s=throughput.center,
        throughput_lo_per_s=throughput.lo,
        throughput_hi_per_s=throughput.hi,
        peak_rss_bytes=int(statistics.median_high(resident)) if resident else None,
        energy_j=statistics.fmean(energies) if energies else None,
        **_score(good, shared),
    )


def _undisturbed(good: Sequence[Json]) -> Sequence[Json]:
    """Return the runs that count, of those of one case that succeeded."""
    clean = [row for row in good if not row["disturbed"]]
    return clean if len({row["block"] for row in clean}) >= LEAST_RUNS else good


def _score(good: Sequence[Json], shared: dict[Any, Json]) -> Json:
    """Return the last score of a case, its own or that of another one with the same answers."""
    own = (
        row if row["quality_metric"] is not None else shared.get(_answers_as(row)) for row in good
    )
    scores = [row for row in own if row is not None]
    told = [row for row in scores if row["quality"] is not None or row["fidelity"] is not None]
    if not scores:
        return {}
    return {name: (told or scores)[-1][name] for name in _SCORE}


def _answers_as(row: Json) -> tuple[Any, ...]:
    """Return what the outputs of a run are a function of (see Case.answers_as)."""
    return tuple(row[name] for name in ("artifact_sha256", "backend", "runtime_version", "side"))


def _known(rows: Iterable[Json], name: str) -> list[float]:
    return measured.present([row[name] for row in rows])
