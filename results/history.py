"""What earlier sessions tell of the time that runs take."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from harness.errors import StoreError
from harness.types import Run
from results import measured, query
from results.cases import runs_per_case
from results.store import Store


def starts_s(store: Store, sessions: int = 2) -> dict[str, tuple[float, float]]:
    """Return {case key: (seconds of a run beside its samples, what its first run took on top)}.

    Read from the newest `sessions` of the store, the newest counts; one that cannot be read tells
    nothing.
    """
    found: dict[str, tuple[float, float]] = {}
    for session_id in store.sessions()[-sessions:]:
        try:
            runs = query.load(store, session_id).runs
        except StoreError:
            continue
        good = (run for run in runs if run.status == "ok")
        found |= {key: _starts_s(of_case) for key, of_case in runs_per_case(good).items()}
    return found


def _starts_s(runs: Sequence[Run]) -> tuple[float, float]:
    beside = [run.duration_s - _sampling_s(run) for run in runs]
    usual = statistics.median(beside[1:] or beside)
    return usual, max(0.0, beside[0] - usual)


def _sampling_s(run: Run) -> float:
    """Return the seconds of warm-up and samples."""
    warm = run.result.get("warmup_ns")
    warm_s = sum(warm) / 1e9 if isinstance(warm, list) else 0.0
    return warm_s + (measured.number(run.result, "timed_wall_s") or 0.0)
