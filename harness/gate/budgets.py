"""The candidate against absolute limits, and its outputs against the base's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from harness.gate.blocks import Pair
from harness.gate.metrics import METRICS, QUALITY, TITLES
from harness.gate.policy import Limit
from harness.gate.verdict import MetricVerdict, Outcome
from harness.stats.summary import Summary, across_runs
from harness.stats.tail import across_processes
from harness.types import Json, Quality
from harness.units import show
from results import measured

_MORE = "take more blocks or give each run more time: a larger --budget"


class Ceiling(msgspec.Struct, frozen=True, kw_only=True):
    """A limit in base units, and how sure a statement about it has to be.

    `confidence` is that of a two-sided interval whose ends are each a one-sided bound at the look's
    alpha.
    """

    metric: str
    value: float
    unit: str
    confidence: float


def quality_verdict(pair: Pair, margin: float, named: bool) -> MetricVerdict | str:
    """Return whether the loss of quality against the base lies within `margin`, or why unknown.

    A loss shown to exceed the margin is REGRESSED, one shown to lie within it PASS. Unlike a time,
    which an equal candidate does not lengthen, some loss is what a smaller variant is bought with:
    that it is not zero alone fails nobody. Where there is nothing to score by and the policy does
    not name it (`named`), the sentence alone; outputs that were scored and cannot be compared, of
    another shape or number, are a verdict all the same: such a candidate replaces nothing.
    """
    ceiling = Ceiling(metric=QUALITY, value=margin, unit="share", confidence=0.95)
    quality = _scored(pair)
    if quality is None or quality.loss is None:
        reason = _no_quality(quality)
        if quality is None and not named:
            return f"{pair.label}: {reason}"
        return msgspec.structs.replace(_missing(pair, ceiling, reason), kind="margin")
    verdict = _loss(pair, ceiling, quality)
    outcome: Outcome = "regressed" if verdict.outcome == "over-budget" else verdict.outcome
    return msgspec.structs.replace(
        verdict,
        kind="margin",
        outcome=outcome,
        base=quality.reference,
        candidate=quality.value,
        better="higher",
        change=_gain(quality.loss),
        change_lo=_gain(quality.loss_hi),
        change_hi=_gain(quality.loss_lo),
    )


def budget_verdict(
    pair: Pair, name: str, limit: Limit, facts: tuple[Json, str, float]
) -> MetricVerdict:
    """Return whether the candidate of `pair` keeps the budget `name`.

    `facts` are the device's environment, the budget's unit and the confidence of an interval. A
    stochastic figure is over budget where its lower bound is above the limit, PASS where its upper
    bound is at or below it. Peak memory is its largest run: what was needed once is needed.
    """
    environment, unit, confidence = facts
    value = limit.value
    if limit.of_ram:
        ram = measured.number(environment, "ram_bytes")
        if ram is None:
            ceiling = Ceiling(metric=name, value=value, unit="share", confidence=confidence)
            reason = "the RAM of the board is unknown, and the budget is a share of it"
            return _missing(pair, ceiling, reason, 'write the budget in bytes, like "500 MB"')
        value *= ram
    ceiling = Ceiling(metric=name, value=value, unit=unit, confidence=confidence)
    return _BUDGETS[name](pair, ceiling)


def _loss(pair: Pair, ceiling: Ceiling, quality: Quality) -> MetricVerdict:
    """Return a known loss against its ceiling."""
    ends = (quality.loss, quality.loss_lo, quality.loss_hi)
    return msgspec.structs.replace(_bounded(pair, ceiling, ends, "evaluation samples"), n=quality.n)


def _quality_loss(pair: Pair, ceiling: Ceiling) -> MetricVerdict:
    quality = _scored(pair)
    if quality is None or quality.loss is None:
        return _missing(pair, ceiling, _no_quality(quality))
    return _loss(pair, ceiling, quality)


def _latency_p99(pair: Pair, ceiling: Ceiling) -> MetricVerdict:
    samples = [[value / 1e9 for value in run.samples_ns] for _, run in pair.runs]
    return _summarised(pair, ceiling, across_processes(samples, 0.99, ceiling.confidence))


def _across(pair: Pair, ceiling: Ceiling) -> MetricVerdict:
    """Return the geometric mean of the runs' values against the ceiling."""
    values = _values(pair, ceiling.metric)
    if len(values) != len(pair.runs):
        return _missing(pair, ceiling, f"a run gives no {TITLES[ceiling.metric]}")
    return _summarised(pair, ceiling, across_runs(values, ceiling.confidence))


def _peak_memory(pair: Pair, ceiling: Ceiling) -> MetricVerdict:
    read = METRICS[ceiling.metric].read
    values = measured.present([read(run, pair.candidate) for run in pair.scored])
    if len(values) != len(pair.scored) or not values:
        return _missing(pair, ceiling, f"a run gives no {TITLES[ceiling.metric]}")
    return _exact(pair, ceiling, max(values), f"the largest of {len(values)} runs", len(values))


def _size(pair: Pair, ceiling: Ceiling) -> MetricVerdict:
    size_bytes = pair.candidate.artifact.size_bytes
    if size_bytes is None:
        return _missing(pair, ceiling, "the size of the artifact is unknown")
    return _exact(pair, ceiling, float(size_bytes), "the artifact", 0)


_BUDGETS: dict[str, Callable[[Pair, Ceiling], MetricVerdict]] = {
    "latency_p50": _across,
    "latency_p99": _latency_p99,
    "peak_memory": _peak_memory,
    "size": _size,
    "energy": _across,
    "quality_loss": _quality_loss,
}


def _summarised(pair: Pair, ceiling: Ceiling, summary: Summary) -> MetricVerdict:
    """Return a summary against the ceiling; its warnings say what is missing for an interval."""
    if summary.center is None or summary.lo is None or summary.hi is None:
        reason = "; ".join(summary.warnings) or "there is no interval"
        return _missing(pair, ceiling, reason, candidate=summary.center)
    verdict = _bounded(pair, ceiling, (summary.center, summary.lo, summary.hi), "blocks")
    return msgspec.structs.replace(verdict, n=len(pair.runs))


def _bounded(
    pair: Pair,
    ceiling: Ceiling,
    ends: tuple[float | None, float | None, float | None],
    counted: str,
) -> MetricVerdict:
    """Return a figure with its interval against the ceiling."""
    value, lo, hi = ends
    if value is None or lo is None or hi is None:
        return _missing(pair, ceiling, f"there is no interval: too few {counted}", candidate=value)
    limit, shown = _show(ceiling.value, ceiling.unit), _show(value, ceiling.unit)
    span = f"{shown} ({_show(lo, ceiling.unit)} to {_show(hi, ceiling.unit)})"
    if lo > ceiling.value:
        return _made(pair, ceiling, "over-budget", f"{span}, over {limit}", candidate=value)
    if hi <= ceiling.value:
        return _made(pair, ceiling, "pass", f"{span}, within {limit}", candidate=value)
    reason = f"{span}: the interval holds the limit of {limit}"
    advice = _MORE if counted == "blocks" else f"take more {counted}"
    return _made(pair, ceiling, "inconclusive", reason, candidate=value, advice=advice)


def _exact(pair: Pair, ceiling: Ceiling, value: float, what: str, n: int) -> MetricVerdict:
    """Return a figure that has no error against the ceiling."""
    over = value > ceiling.value
    words = f"{what} takes {_show(value, ceiling.unit)}"
    relation = f"{'over' if over else 'within'} {_show(ceiling.value, ceiling.unit)}"
    outcome: Outcome = "over-budget" if over else "pass"
    return _made(pair, ceiling, outcome, f"{words}, {relation}", candidate=value, n=n)


def _missing(
    pair: Pair,
    ceiling: Ceiling,
    reason: str,
    advice: str = _MORE,
    candidate: float | None = None,
) -> MetricVerdict:
    """Return the verdict of what is not known: it never passes."""
    return _made(
        pair, ceiling, "inconclusive", reason, advice=advice, candidate=candidate, missing=True
    )


def _made(
    pair: Pair, ceiling: Ceiling, outcome: Outcome, reason: str, **more: Any
) -> MetricVerdict:
    """Build a verdict of kind budget."""
    return MetricVerdict(
        pair=pair.label,
        base_key=pair.base.key,
        candidate_key=pair.candidate.key,
        metric=ceiling.metric,
        kind="budget",
        outcome=outcome,
        reason=reason,
        unit=ceiling.unit,
        limit=ceiling.value,
        **more,
    )


def _scored(pair: Pair) -> Quality | None:
    """Return the last score of the candidate's outputs."""
    return next((run.quality for run in reversed(pair.scored) if run.quality is not None), None)


def _no_quality(quality: Quality | None) -> str:
    reason = quality.reason if quality is not None else None
    return f"the quality is unknown: {reason or 'no run was scored'}"


def _gain(loss: float | None) -> float | None:
    """Return the change of quality that a loss is; no loss is no change, and never minus zero."""
    return None if loss is None else 0.0 - loss


def _values(pair: Pair, metric: str) -> Sequence[float]:
    read = METRICS[metric].read
    return measured.present([read(run, pair.candidate) for _, run in pair.runs])


def _show(value: float, unit: str) -> str:
    return f"{value:.2%}" if unit == "share" else show(value, unit)
