"""Every case against FP32 in the same session: what drifts between blocks cancels inside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from harness.stats.compare import Comparison, paired_ratio
from harness.types import Case, Run, SessionPlan
from results import figures, measured
from results.cases import runs_per_case

BASE = "fp32"


class RelativeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One case against the FP32 case of the same model, backend, scenario, batch and threads.

    `speedup` is FP32's latency over this one's (above 1 is faster), geometric mean over `blocks`
    blocks with its 95 % interval; `memory_ratio` (peak resident set) and `size_ratio` (artifact)
    are this over FP32. What cannot be told is None and `reason` says why; `notes` qualify what can.
    """

    session_id: str
    case_key: str
    model: str
    variant: str
    backend: str
    scenario: str
    batch: int
    threads: int
    base_case_key: str | None
    speedup: float | None = None
    speedup_lo: float | None = None
    speedup_hi: float | None = None
    blocks: int = 0
    memory_ratio: float | None = None
    size_ratio: float | None = None
    reason: str | None = None
    notes: tuple[str, ...] = ()


def relative(plan: SessionPlan, runs: Iterable[Run]) -> list[RelativeRow]:
    """Return one row per case of `plan`, in its order; FP32 itself is 1 by definition."""
    found = runs_per_case(run for run in runs if run.status == "ok")
    bases = {_group(case): case for case in plan.cases if case.variant == BASE}
    return [_relative(plan.session_id, case, bases.get(_group(case)), found) for case in plan.cases]


def _group(case: Case) -> tuple[str, str, str, int, int]:
    """Return what a case shares with the one it is compared to."""
    return case.model_digest, case.backend, case.scenario, case.batch, case.threads


def _relative(
    session_id: str, case: Case, base: Case | None, runs: dict[str, list[Run]]
) -> RelativeRow:
    """Return the row of one case against its base."""
    row = RelativeRow(
        session_id=session_id,
        case_key=case.key,
        model=case.model,
        variant=case.variant,
        backend=case.backend,
        scenario=case.scenario,
        batch=case.batch,
        threads=case.threads,
        base_case_key=base.key if base else None,
    )
    if base is None:
        reason = f"{BASE} was not measured on {case.backend}: add it to --variants"
        return msgspec.structs.replace(row, reason=reason)
    size = _ratio(case.artifact.size_bytes, base.artifact.size_bytes)
    ours, theirs = runs.get(case.key, []), runs.get(base.key, [])
    missing = [name for name, side in ((case.variant, ours), (BASE, theirs)) if not side]
    if missing:
        reason = f"no run of {' or '.join(dict.fromkeys(missing))} succeeded"
        return msgspec.structs.replace(row, size_ratio=size, reason=reason)
    memory = _ratio(
        figures.memory(ours)["peak_rss_bytes"], figures.memory(theirs)["peak_rss_bytes"]
    )
    return _with_speed(
        msgspec.structs.replace(row, size_ratio=size, memory_ratio=memory), ours, theirs
    )


def _with_speed(row: RelativeRow, ours: Sequence[Run], theirs: Sequence[Run]) -> RelativeRow:
    """Return `row` with its speed-up, or the reason why there is none."""
    if row.case_key == row.base_case_key:
        return msgspec.structs.replace(row, speedup=1.0, blocks=len(ours))
    speed: Comparison = paired_ratio(_by_block(ours), _by_block(theirs))
    return msgspec.structs.replace(
        row,
        speedup=speed.ratio,
        speedup_lo=speed.lo,
        speedup_hi=speed.hi,
        blocks=speed.n,
        reason="; ".join(speed.warnings) if speed.ratio is None else None,
        notes=speed.warnings if speed.ratio is not None else (),
    )


def _by_block(runs: Iterable[Run]) -> dict[int, float]:
    """Return the median latency in seconds by block; of a repeated block the last counts."""
    medians = {run.block: measured.latency_p50_s(run) for run in runs}
    return {block: value for block, value in medians.items() if value is not None}


def _ratio(this: int | None, base: int | None) -> float | None:
    """Return this / base, or None where either is unknown or the base is empty."""
    return this / base if this is not None and base else None
