"""Candidate against base: one metric of one pair, decided within its margin at both looks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from harness.gate import clock
from harness.gate.blocks import Pair
from harness.gate.metrics import Metric
from harness.gate.verdict import MetricVerdict
from harness.stats.decision import Decision, decide
from harness.stats.summary import across_runs
from results.measured import LEAST_P99_SAMPLES

_QUIETER = "take more blocks (a larger --budget) or quieten the machine: boardmark doctor"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """How one look decides: `blocks` clean ones, one-sided `alpha`, and `p_limit` for REGRESSED.

    `alpha` is one look's share of the session's: half of it. PASS needs no share of it per metric:
    the gate passes only where all do, so a false PASS of the whole is rarer than that of its worst
    metric (an intersection-union test, Berger, Technometrics 24, 1982). REGRESSED does: any of the
    family may raise it, so `p_limit` is divided by their number or set by A/A sessions.
    """

    blocks: int
    alpha: float
    p_limit: float


def margin_verdict(pair: Pair, metric: Metric, margin: float, rule: Rule) -> MetricVerdict:
    """Return the verdict of `metric` for `pair`: REGRESSED at either look, else the last look's.

    The first look takes the first `rule.blocks` clean blocks; the second, where there are more, all
    of them. Fewer than `rule.blocks` may show a regression but never let pass.
    """
    known = _known(pair, metric)
    if not known:
        return _unknown(pair, metric, margin)
    base = across_runs(value for _, value, _ in known).center
    # What is counted in whole pages may move by some of them for no reason worth an alarm.
    margin = max(margin, metric.floor / base if base else 0.0)
    ratios = [_worse(metric, ours, theirs) for _, ours, theirs in known]
    looks = [decide(ratios[: rule.blocks], margin, rule.alpha, rule.p_limit)]
    if len(ratios) > rule.blocks:
        looks.append(decide(ratios, margin, rule.alpha, rule.p_limit))
    final = next((look for look in looks if look.outcome == "regressed"), looks[-1])
    verdict = _verdict(pair, metric, (margin, rule), final, known)
    verdict = msgspec.structs.replace(verdict, p_alarm=min(look.p_alarm for look in looks))
    if verdict.outcome == "regressed":
        runs = [pair.runs[index] for index, _, _ in known[: final.n]]
        doubt = clock.explains(metric, runs, ratios[: final.n], (margin, rule.alpha, rule.p_limit))
        if doubt:
            return msgspec.structs.replace(
                verdict, outcome="inconclusive", reason=doubt, advice=clock.ADVICE
            )
    return verdict


def _known(pair: Pair, metric: Metric) -> list[tuple[int, float, float]]:
    """Return (index of the pair of runs, base, candidate) of every block that gave both values."""
    found = []
    for index, (ours, theirs) in enumerate(pair.runs):
        base, candidate = metric.read(ours, pair.base), metric.read(theirs, pair.candidate)
        if base is not None and candidate is not None and base > 0 and candidate > 0:
            found.append((index, base, candidate))
    # A percentile of the few runs that happened to be long enough would speak for those alone.
    return found if metric.name != "latency_p99" or len(found) == len(pair.runs) else []


def _worse(metric: Metric, base: float, candidate: float) -> float:
    """Return the log ratio of candidate and base, positive where the candidate is worse."""
    ratio = math.log(candidate / base)
    return -ratio if metric.better == "higher" else ratio


def _unknown(pair: Pair, metric: Metric, margin: float) -> MetricVerdict:
    """Return the verdict of a metric of which nothing is known."""
    if not pair.runs:
        reason, advice = "no block has good runs of both sides", _QUIETER
    elif metric.name == "latency_p99":
        fewest = min(len(run.samples_ns) for both in pair.runs for run in both)
        reason = f"p99 of a run needs {LEAST_P99_SAMPLES} samples and one has {fewest}"
        advice = "give each run more time: a larger --budget"
    else:
        reason = f"no block gives {metric.title} of both sides"
        advice = f'leave it out of the gate with {metric.name} = "off" under [margins]'
    return MetricVerdict(
        pair=pair.label,
        base_key=pair.base.key,
        candidate_key=pair.candidate.key,
        metric=metric.name,
        kind="margin",
        outcome="inconclusive",
        reason=reason,
        advice=advice,
        unit=metric.unit,
        better=metric.better,
        limit=margin,
        missing=True,
    )


def _verdict(
    pair: Pair,
    metric: Metric,
    held: tuple[float, Rule],
    decision: Decision,
    known: Sequence[tuple[int, float, float]],
) -> MetricVerdict:
    """Return a decision with the figures of its blocks, in words."""
    margin, rule = held
    used = known[: decision.n]
    lacking = decision.n < rule.blocks
    stopped = lacking and decision.outcome != "regressed"
    change, lo, hi = _changes(metric, decision)
    return MetricVerdict(
        pair=pair.label,
        base_key=pair.base.key,
        candidate_key=pair.candidate.key,
        metric=metric.name,
        kind="margin",
        outcome="inconclusive" if stopped else decision.outcome,
        reason=_reason(decision, (change, lo, hi), margin, rule),
        advice=None if decision.outcome == "pass" and not stopped else _advice(decision),
        unit=metric.unit,
        better=metric.better,
        base=across_runs(ours for _, ours, _ in used).center,
        candidate=across_runs(theirs for _, _, theirs in used).center,
        change=change,
        change_lo=lo,
        change_hi=hi,
        limit=margin,
        p=decision.p_worse,
        p_limit=rule.p_limit,
        n=decision.n,
        missing=stopped,
    )


def _changes(metric: Metric, decision: Decision) -> tuple[float | None, float | None, float | None]:
    """Return candidate / base - 1 and its interval from log ratios in which + is worse."""
    sign = -1 if metric.better == "higher" else 1
    lo, hi = (decision.lo, decision.hi)[::sign]
    return _relative(decision.estimate, sign), _relative(lo, sign), _relative(hi, sign)


def _relative(log_ratio: float | None, sign: int) -> float | None:
    """Return e^(sign x) - 1; None where floats end, as for a bound of wildly different blocks."""
    if log_ratio is None or not abs(log_ratio) < 700:
        return None
    return math.expm1(sign * log_ratio)


def _reason(
    decision: Decision,
    change: tuple[float | None, float | None, float | None],
    margin: float,
    rule: Rule,
) -> str:
    """Return why the decision is what it is, with the figures that made it."""
    found, lo, hi = change
    if decision.n < rule.blocks and decision.outcome != "regressed":
        return f"{decision.n} of {rule.blocks} clean blocks: too few for the planned look"
    if decision.outcome == "pass" and decision.upper is not None:
        bound = math.expm1(decision.upper)
        shown = f"at most {bound:.2%} worse" if bound >= 0 else f"at least {-bound:.2%} better"
        return f"{shown} (one-sided, {1 - rule.alpha:.3%}), within the margin of {margin:.2%}"
    if found is None or lo is None or hi is None:
        return f"{decision.n} blocks give no interval"
    span = f"{found:+.1%} ({lo:+.1%} to {hi:+.1%})"
    if decision.outcome == "regressed":
        return f"{span}, p = {decision.p_worse:.2g} against {rule.p_limit:.2g}"
    return f"{span}: {decision.n} blocks cannot tell it from the margin of {margin:.2%}"


def _advice(decision: Decision) -> str:
    if decision.outcome == "regressed":
        return "find what made it worse, or raise its margin in the policy on purpose"
    return _QUIETER
