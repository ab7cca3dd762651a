"""What earlier sessions tell of the time that runs take."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import msgspec

from harness.errors import StoreError
from harness.types import Run
from results import measured
from results.cases import runs_per_case
from results.sessions import load
from results.store import Store

# Imports may stand before the newest session; opening more than these would delay a start.
_LOOKED_AT = 20


class Took(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of a usual run beside its samples, of its first run on top, and of one call."""

    start_s: float
    first_s: float
    call_s: float


def took(store: Store, sessions: int = 2) -> dict[str, Took]:
    """Return what the runs of each case key took.

    Read from the newest `sessions` that were measured here, the newest counts; what another tool
    or an emulator measured tells nothing of our processes, nor does a session that cannot be read.
    """
    found: dict[str, Took] = {}
    catalog = store.catalog()
    for session_id in reversed(store.sessions(catalog)[-_LOOKED_AT:]):
        if sessions == 0:
            break
        try:
            session = load(store, session_id, catalog)
        except StoreError:
            continue
        if session.plan.kind in ("import", "emulation", "fit"):
            continue
        sessions -= 1
        good = (run for run in session.runs if run.status == "ok")
        found = {key: of_runs(of_case) for key, of_case in runs_per_case(good).items()} | found
    return found


def of_runs(runs: Sequence[Run]) -> Took:
    """Return what the runs of one case took, in the order they were made; one at least."""
    beside = [run.duration_s - _sampling_s(run) for run in runs]
    usual = statistics.median(beside[1:] or beside)
    calls_s = measured.present([measured.latency_p50_s(run) for run in runs])
    return Took(
        start_s=usual,
        first_s=max(0.0, beside[0] - usual),
        call_s=statistics.median(calls_s) if calls_s else 0.0,
    )


def _sampling_s(run: Run) -> float:
    """Return the seconds of warm-up and samples."""
    warm = run.result.get("warmup_ns")
    warm_s = sum(warm) / 1e9 if isinstance(warm, list) else 0.0
    return warm_s + (measured.number(run.result, "timed_wall_s") or 0.0)
