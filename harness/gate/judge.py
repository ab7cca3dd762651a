"""Two sides measured in the same blocks to one judgement."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec

from harness.gate import presence
from harness.gate.blocks import Blocks, usable
from harness.gate.budgets import budget_verdict, quality_verdict
from harness.gate.fallback import fallbacks
from harness.gate.margins import Rule, margin_verdict
from harness.gate.metrics import BUDGETS, METRICS, QUALITY, by_default
from harness.gate.policy import Policy
from harness.gate.verdict import EXIT_CODES, Judgement, MetricVerdict, worst
from harness.plan.looks import LOOKS
from harness.stats.calibration import Threshold, by_rank
from harness.types import Case, Run, SessionPlan
from results import measured

_MOST_REJECTED = 0.2
_STOCHASTIC_BUDGETS = ("latency_p50", "latency_p99", "energy")


def judge(
    plan: SessionPlan, runs: Iterable[Run], policy: Policy, null_minima: Sequence[float]
) -> Judgement:
    """Return what the runs of a gate-like session say under `policy`.

    `null_minima` are those of `calibration.null_minima`: enough of them set the threshold of the
    whole family by rank, fewer leave the session's alpha divided by looks and tests (Bonferroni),
    or the smallest of them where equal sides went below that.
    Raises UsageError where the session pairs nothing, or what cannot be compared.
    """
    wanted = blocks_per_look(plan)
    blocks = usable(plan, runs, most=LOOKS * wanted)
    family = sum(len(stochastic(policy, pair.candidate)) for pair in blocks.pairs)
    threshold = by_rank(null_minima, policy.alpha)
    # What equal sides have shown on this machine is no regression, however few sessions there are.
    alone = min([policy.alpha / LOOKS / max(1, family), *(_below(p) for p in null_minima)])
    rule = Rule(
        blocks=wanted,
        alpha=policy.alpha / LOOKS,
        p_limit=alone if threshold.p is None else threshold.p,
    )
    verdicts, notes = _verdicts(plan, blocks, policy, rule)
    outcome = worst({verdict.outcome for verdict in verdicts if verdict.blocking})
    base, candidate = names(plan)
    return Judgement(
        session_id=plan.session_id,
        device=plan.device,
        base=base,
        candidate=candidate,
        outcome=outcome,
        exit_code=EXIT_CODES[outcome],
        verdicts=verdicts,
        alpha=policy.alpha,
        family=family,
        calibrated=threshold.p is not None,
        calibration=calibration_sentence(threshold, plan),
        blocks_used=min((len(pair.runs) for pair in blocks.pairs), default=0),
        blocks_wanted=wanted,
        blocks_rejected=blocks.disturbed,
        rejected=blocks.rejected,
        warnings=(*notes, *_not_blocking(verdicts), *_warnings(blocks)),
        smallest_p=_smallest_p(verdicts, family),
        design=plan.design,
    )


def needs_extension(judgement: Judgement) -> bool:
    """Return whether the second look may change the answer: something is open, nothing is lost.

    A first look that lacks clean blocks is none yet: to end there because it says REGRESSED would
    be a third one. Only runs that failed end it.
    """
    blocking = {verdict.outcome for verdict in judgement.verdicts if verdict.blocking}
    open_ones = [
        verdict
        for verdict in judgement.verdicts
        if verdict.outcome == "inconclusive" and verdict.n > 0 and _stochastic(verdict)
    ]
    if 0 < judgement.blocks_used < judgement.blocks_wanted:
        return "failed" not in blocking
    first_look = judgement.blocks_used <= judgement.blocks_wanted
    return first_look and bool(open_ones) and not blocking - {"inconclusive"}


def stochastic(policy: Policy, case: Case) -> tuple[str, ...]:
    """Return the metrics of `case` that are tested: those by default and those the policy names."""
    default = by_default(case)
    return tuple(
        name
        for name in METRICS
        if (name in default or name in policy.margins) and policy.margin(name) is not None
    )


def blocks_per_look(plan: SessionPlan) -> int:
    """Return the clean blocks of one look, which the design fixed before anything was measured."""
    return max(1, measured.whole(plan.design, "blocks") or plan.blocks)


def names(plan: SessionPlan) -> tuple[str, str]:
    """Return what base and candidate are called: by the design, else by what tells them apart."""
    told = measured.section(plan.design, "names")
    base, candidate = measured.text(told, "base"), measured.text(told, "candidate")
    if base and candidate:
        return base, candidate
    ours, theirs = plan.cases[:2] if len(plan.cases) > 1 else (None, None)
    if ours is None or theirs is None:
        return "base", "candidate"
    tellings = zip(_tellings(ours), _tellings(theirs), strict=True)
    return next((both for both in tellings if both[0] != both[1]), (ours.label, theirs.label))


def _tellings(case: Case) -> tuple[str, ...]:
    """Return what may tell a case from another, the shortest first."""
    return (
        f"{case.model} {case.variant}",
        f"{case.backend} {case.runtime_version}",
        f"{case.model} {case.artifact.sha256[:12]}",
    )


def calibration_sentence(threshold: Threshold, plan: SessionPlan) -> str:
    """Return whether A/A sessions set the threshold, and what is missing where they do not."""
    if threshold.p is not None:
        return f"calibrated by {threshold.have} A/A sessions"
    return (
        f"UNCALIBRATED: {threshold.have} of {threshold.need} A/A sessions of this device and "
        f"design; {threshold.missing} are missing: boardmark calibrate --blocks "
        f"{blocks_per_look(plan)} --sessions {threshold.missing} with this --base"
    )


def _verdicts(
    plan: SessionPlan, blocks: Blocks, policy: Policy, rule: Rule
) -> tuple[tuple[MetricVerdict, ...], tuple[str, ...]]:
    """Return every verdict of the session, and what is worth saying of metrics without one."""
    # Both sides tell of a runtime that neither can use: once is enough.
    found = list(dict.fromkeys(presence.not_measured(skip) for skip in plan.skipped))
    notes: list[str] = []
    for pair in blocks.pairs:
        failed = presence.failed(pair)
        if failed is not None:
            found.append(failed)
            continue
        for name in stochastic(policy, pair.candidate):
            margin = policy.margin(name)
            if margin is not None:
                found.append(margin_verdict(pair, METRICS[name], margin, rule))
        margin = policy.margin(QUALITY)
        if margin is not None:
            quality = quality_verdict(pair, margin, QUALITY in policy.margins)
            notes.append(quality) if isinstance(quality, str) else found.append(quality)
        for name, limit in policy.budgets.items():
            facts = plan.environment, BUDGETS[name], 1 - 2 * rule.alpha
            found.append(budget_verdict(pair, name, limit, facts))
    if not found:
        found.append(presence.nothing(plan))
    return tuple(_with_blocking(verdict, policy) for verdict in found), tuple(notes)


def _with_blocking(verdict: MetricVerdict, policy: Policy) -> MetricVerdict:
    """Return the verdict with whether it fails the gate: what failed or is missing always does."""
    blocking = (
        verdict.outcome == "failed"
        or verdict.missing
        or (verdict.outcome != "pass" and verdict.outcome in policy.block)
    )
    return msgspec.structs.replace(verdict, blocking=blocking)


def _stochastic(verdict: MetricVerdict) -> bool:
    """Return whether more blocks can change a verdict."""
    if verdict.kind == "budget":
        return verdict.metric in _STOCHASTIC_BUDGETS
    return verdict.kind == "margin" and verdict.metric in METRICS


def _below(p: float) -> float:
    """Return the next smaller float, so that a limit excludes `p` itself."""
    return math.nextafter(p, -math.inf)


def _smallest_p(verdicts: Iterable[MetricVerdict], family: int) -> float | None:
    """Return the least p of the family over both looks; None where a member has none."""
    found = [verdict.p_alarm for verdict in verdicts if verdict.p_alarm is not None]
    return min(found) if found and len(found) == family else None


def _not_blocking(verdicts: Iterable[MetricVerdict]) -> tuple[str, ...]:
    """Return what the policy lets pass although it is no pass."""
    return tuple(
        f"{verdict.pair} {verdict.metric}: {verdict.outcome}, which this policy does not block: "
        f"{verdict.reason}"
        for verdict in verdicts
        if verdict.outcome != "pass" and not verdict.blocking
    )


def _warnings(blocks: Blocks) -> tuple[str, ...]:
    """Return what is to be known of the session beside its verdicts."""
    found = [sentence for pair in blocks.pairs for sentence in fallbacks(pair)]
    total = blocks.clean + blocks.disturbed
    if blocks.disturbed > _MOST_REJECTED * total:
        signals = ", ".join(f"{name} {count}" for name, count in blocks.rejected.items())
        found.append(
            f"{blocks.disturbed} of {total} blocks were disturbed ({signals}): boardmark doctor "
            "says what disturbs this machine"
        )
    for pair in blocks.pairs:
        if pair.candidate.slow_down:
            found.append(
                f"{pair.label}: the candidate was slowed down by {pair.candidate.slow_down:.1%} on "
                "purpose"
            )
        if pair.base_failed and pair.runs:
            found.append(f"{pair.label}: {len(pair.base_failed)} runs of the base failed")
    return tuple(found)
