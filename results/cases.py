"""Runs to one row per case, computed from the raw samples each time it is asked for."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Sequence

import msgspec

from harness.types import Case, Json, Origin, Run, SessionPlan, Skip
from results import capacity, clean, emulation, figures, heat, measured, soak, verdict
from results.row import CaseRow

__all__ = ["CaseRow", "runs_per_case", "summarise"]

DEFAULT_PRECISION = 0.05
_IDENTITY = (
    *("device", "model", "variant", "backend", "runtime_version", "scenario", "batch", "threads"),
    "side",
)
_UNREADABLE = "the session is finished, but no run of this case can be read: see its problems"


def summarise(plan: SessionPlan, runs: Iterable[Run], sealed: bool = False) -> list[CaseRow]:
    """Return a row for every case of `plan` in its order, then one for every skipped case.

    A case without a run waits to be measured, unless the session is `sealed`: then it was lost.
    """
    runs = tuple(runs)
    flags = clean.flags_by_run(runs)
    found = _share_quality(plan.cases, runs_per_case(runs))
    origins: dict[str, Origin] = {model.name: model.origin for model in plan.models}
    rows = [
        _case_row(plan, case, origins.get(case.model), found.get(case.key, []), flags)
        for case in plan.cases
    ]
    if sealed:
        rows = [
            msgspec.structs.replace(row, reason=_UNREADABLE)
            if row.reason == verdict.NOT_YET
            else row
            for row in rows
        ]
    return rows + [_skip_row(plan, skip, origins.get(skip.model)) for skip in plan.skipped]


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
        case.answers_as: run.quality
        for case in cases
        for run in found.get(case.key, ())
        if run.quality is not None
    }
    shared = {case.key: scored[case.answers_as] for case in cases if case.answers_as in scored}
    return {
        key: [
            msgspec.structs.replace(run, quality=run.quality or shared.get(key))
            if run.status == "ok"
            else run
            for run in runs
        ]
        for key, runs in found.items()
    }


def _case_row(
    plan: SessionPlan, case: Case, origin: Origin | None, runs: Sequence[Run], flags: clean.Flags
) -> CaseRow:
    """Return the row of one case; its figures come from its clean runs, see results/verdict.py.

    A score and what the runtime says of itself do not hang on a quiet machine: any run tells them.
    """
    if plan.kind == "fit":
        return capacity.row(plan, case, origin, runs)
    good = [run for run in runs if run.status == "ok"]
    used = clean.undisturbed(good, flags)
    latency = figures.latency(used)
    tails, missing = figures.tails(used)
    evidence = figures.last(good or runs, "evidence")
    fallback, normal = figures.fallback(case.options.get("precision"), evidence)
    subject = verdict.Measured(
        runs=runs,
        used=used,
        flags=flags,
        latency=latency,
        fallback=fallback,
        precision=measured.number(plan.sampling, "precision") or DEFAULT_PRECISION,
        kind=plan.kind,
    )
    judged = verdict.judge(subject)
    told = (*latency.warnings, *missing)
    return CaseRow(
        session_id=plan.session_id,
        case_key=case.key,
        model_origin=origin,
        status=judged.status,
        verdict=judged.verdict,
        reason=judged.reason,
        notes=(*case.artifact.notes, *normal, *judged.notes, *_notes(plan, used, told)),
        runs=len(used),
        runs_failed=len(runs) - len(good),
        runs_disturbed=sum(not clean.is_clean(run, flags) for run in good),
        samples=sum(len(run.samples_ns) for run in used),
        stop_reasons=figures.stop_reasons(used),
        latency_p50_s=latency.center,
        latency_p50_lo_s=latency.lo,
        latency_p50_hi_s=latency.hi,
        size_bytes=case.artifact.size_bytes,
        evidence=evidence,
        **{name: getattr(case, name) for name in _IDENTITY},
        **tails,
        **_columns(case, used),
        **emulation.columns(plan, good),
        **figures.quality(good),
    )


def _notes(plan: SessionPlan, used: Sequence[Run], told: tuple[str, ...]) -> tuple[str, ...]:
    """Return what has to be known to read the figures; `told` is what the latency's say."""
    if not used:
        return ()
    if plan.kind == "emulation":
        return emulation.notes(used)
    return (*told, *figures.memory_notes(used), *figures.reported_notes(used))


def _columns(case: Case, used: Sequence[Run]) -> Json:
    """Return the figures of the runs that count, as columns."""
    columns = figures.phases(used) | figures.throughput(used, case.batch) | figures.start(used)
    if case.scenario == soak.SCENARIO:
        columns["soak"] = soak.columns(used)
    return columns | figures.memory(used) | figures.power(used) | heat.columns(used)


def _skip_row(plan: SessionPlan, skip: Skip, origin: Origin | None) -> CaseRow:
    """Return the row of a case that could not be measured here."""
    return CaseRow(
        session_id=plan.session_id,
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
        side="emulated" if plan.kind == "emulation" else "",
        status=skip.status,
        verdict="skipped",
        reason=skip.reason,
    )
