"""Runs to one row per case, computed from the raw samples each time it is asked for."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Sequence

import msgspec

from harness.stats.summary import LEAST_RUNS, Summary
from harness.types import Case, Origin, Run, SessionPlan, Skip, Status
from results import figures, measured
from results.row import CaseRow, Verdict

__all__ = ["CaseRow", "runs_per_case", "summarise"]

DEFAULT_PRECISION = 0.05
_NOT_YET = "not measured yet: continue with boardmark run --resume"
_UNREADABLE = "the session is finished, but no run of this case can be read: see its problems"


def summarise(plan: SessionPlan, runs: Iterable[Run], sealed: bool = False) -> list[CaseRow]:
    """Return a row for every case of `plan` in its order, then one for every skipped case.

    A case without a run waits to be measured, unless the session is `sealed`: then it was lost.
    """
    found = _share_quality(plan.cases, runs_per_case(runs))
    precision = measured.number(plan.sampling, "precision") or DEFAULT_PRECISION
    origins: dict[str, Origin] = {model.name: model.origin for model in plan.models}
    rows = [
        _case_row(
            plan.session_id, case, origins.get(case.model), found.get(case.key, []), precision
        )
        for case in plan.cases
    ]
    if sealed:
        rows = [
            msgspec.structs.replace(row, reason=_UNREADABLE) if row.reason == _NOT_YET else row
            for row in rows
        ]
    return rows + [
        _skip_row(plan.session_id, skip, origins.get(skip.model)) for skip in plan.skipped
    ]


def runs_per_case(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Return the runs of each case key, in the order they were made."""
    found: dict[str, list[Run]] = collections.defaultdict(list)
    for run in sorted(runs, key=lambda run: run.seq):
        found[run.case_key].append(run)
    return dict(found)


def _share_quality(cases: Iterable[Case], found: dict[str, list[Run]]) -> dict[str, list[Run]]:
    """Give runs that were made before their artifact was scored the quality it got later.

    One case per artifact and runtime is scored; a session of one block may run the others first.
    """
    scored = {
        _identity(case): run.quality
        for case in cases
        for run in found.get(case.key, ())
        if run.quality is not None
    }
    shared = {case.key: scored[_identity(case)] for case in cases if _identity(case) in scored}
    return {
        key: [
            msgspec.structs.replace(run, quality=run.quality or shared.get(key))
            if run.status == "ok"
            else run
            for run in runs
        ]
        for key, runs in found.items()
    }


def _identity(case: Case) -> tuple[str, str, str]:
    return case.artifact.sha256, case.backend, case.runtime_version


def _case_row(
    session_id: str, case: Case, origin: Origin | None, runs: Sequence[Run], precision: float
) -> CaseRow:
    """Return the row of one case; its figures come from the runs that succeeded."""
    good = [run for run in runs if run.status == "ok"]
    latency = figures.latency(good)
    tails, missing = figures.tails(good)
    status, verdict, reason = _judge(runs, len(good), latency, precision)
    evidence = figures.last(good or runs, "evidence")
    notes = figures.precision_notes(case.options.get("precision"), evidence)
    if good:
        notes += (*latency.warnings, *missing, *figures.memory_notes(good))
    columns = tails | figures.throughput(good, case.batch) | figures.start(good)
    columns |= figures.memory(good) | figures.power(good) | figures.quality(good)
    return CaseRow(
        session_id=session_id,
        case_key=case.key,
        device=case.device,
        model=case.model,
        model_origin=origin,
        variant=case.variant,
        backend=case.backend,
        runtime_version=case.runtime_version,
        scenario=case.scenario,
        batch=case.batch,
        threads=case.threads,
        status=status,
        verdict=verdict,
        reason=reason,
        notes=(*case.artifact.notes, *notes),
        runs=len(good),
        runs_failed=len(runs) - len(good),
        samples=sum(len(run.samples_ns) for run in good),
        latency_p50_s=latency.center,
        latency_p50_lo_s=latency.lo,
        latency_p50_hi_s=latency.hi,
        size_bytes=case.artifact.size_bytes,
        evidence=evidence,
        **columns,
    )


def _skip_row(session_id: str, skip: Skip, origin: Origin | None) -> CaseRow:
    """Return the row of a case that could not be measured here."""
    return CaseRow(
        session_id=session_id,
        case_key=None,
        device=skip.device,
        model=skip.model,
        model_origin=origin,
        variant=skip.variant,
        backend=skip.backend,
        runtime_version=None,
        scenario=skip.scenario,
        batch=skip.batch,
        threads=None,
        status=skip.status,
        verdict="skipped",
        reason=skip.reason,
    )


def _judge(
    runs: Sequence[Run], good: int, latency: Summary, precision: float
) -> tuple[Status, Verdict, str | None]:
    """Return status, verdict and reason of a case of which `good` of `runs` succeeded."""
    if not runs:
        return "skipped", "skipped", _NOT_YET
    bad = [run for run in runs if run.status != "ok"]
    if bad:
        worst = collections.Counter(run.status for run in bad).most_common(1)[0][0]
        cause = next((run.reason for run in bad if run.status == worst and run.reason), worst)
        if good == 0:
            return worst, "skipped" if worst == "skipped" else "failed", cause
        share = f"{len(bad)} of {len(runs)} runs failed: {cause}"
        if 2 * len(bad) >= len(runs):
            return worst, "failed", share
        return "ok", "unstable", share
    reason = _imprecise(good, latency, precision)
    return "ok", "imprecise" if reason else "valid", reason


def _imprecise(good: int, latency: Summary, precision: float) -> str | None:
    """Return why the interval of a case cannot be relied on, or None where it can."""
    if latency.center is None:
        return "; ".join(latency.warnings)
    if good < LEAST_RUNS:
        return f"{good} of {LEAST_RUNS} runs that an interval takes: measure more blocks"
    width = latency.relative_half_width
    if width is None or width > precision:
        shown = "unknown" if width is None else f"±{width:.1%}"
        asked = f"wider than ±{precision:.1%}"
        return f"interval {shown}, {asked}: raise the budget or quieten the machine"
    return None
