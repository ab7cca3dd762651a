"""Whether there is anything to compare: runs that failed and points that were never measured."""

from __future__ import annotations

from harness.gate.blocks import Pair
from harness.gate.verdict import MetricVerdict
from harness.types import SessionPlan, Skip


def failed(pair: Pair) -> MetricVerdict | None:
    """Return the verdict of a pair whose runs failed on a quiet machine, None where they did not.

    One crash of the candidate is enough: what crashes now and then does not pass. Failures of the
    base only take their blocks away, unless they take all.
    """
    if pair.failed:
        who, lost = "candidate", pair.failed
    elif pair.base_failed and not pair.runs:
        who, lost = "base", pair.base_failed
    else:
        return None
    cause = next((run.reason for run in lost if run.reason), lost[0].status)
    return MetricVerdict(
        pair=pair.label,
        base_key=pair.base.key,
        candidate_key=pair.candidate.key,
        metric="runs",
        kind="runs",
        outcome="failed",
        reason=f"{len(lost)} runs of the {who} failed: {cause}",
        advice=f"make the {who} run, then measure again",
        n=len(pair.runs),
    )


def not_measured(skip: Skip) -> MetricVerdict:
    """Return the verdict of a point that could not be measured: data are missing."""
    batch = f" b{skip.batch}" if skip.batch != 1 else ""
    return MetricVerdict(
        pair=f"{skip.model} {skip.variant} {skip.backend} {skip.scenario}{batch}",
        base_key=None,
        candidate_key=None,
        metric="runs",
        kind="runs",
        outcome="inconclusive",
        reason=f"not measured: {skip.reason}",
        advice="make it run, or leave it out of the gate",
        missing=True,
    )


def nothing(plan: SessionPlan) -> MetricVerdict:
    """Return the verdict of a session in which there is nothing to judge."""
    return MetricVerdict(
        pair=plan.suite,
        base_key=None,
        candidate_key=None,
        metric="runs",
        kind="runs",
        outcome="inconclusive",
        reason="nothing was judged: no pair was planned, or the policy turns all metrics off",
        advice="name a metric under [margins] or [budgets]",
        missing=True,
    )
