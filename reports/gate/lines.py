"""What the formats for people share: a verdict's figures as words."""

from __future__ import annotations

import msgspec

from harness.gate.metrics import TITLES
from harness.gate.verdict import OUTCOMES, Judgement, MetricVerdict
from harness.units import show
from reports.figures import DASH, percent, plain

LONGEST = 400


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict in words: safe to show on a terminal, not yet in a markup."""

    outcome: str
    pair: str
    metric: str
    base: str
    candidate: str
    change: str
    held: str
    reason: str


def lines(judgement: Judgement) -> list[Line]:
    """Return one line per verdict, the worst first."""
    ordered = sorted(judgement.verdicts, key=lambda verdict: OUTCOMES.index(verdict.outcome))
    return [_line(verdict) for verdict in ordered]


def headline(judgement: Judgement) -> str:
    """Return what was held against what, and where."""
    return plain(f"{judgement.candidate} against {judgement.base} on {judgement.device}", LONGEST)


def basis(judgement: Judgement) -> tuple[str, ...]:
    """Return what the judgement rests on: calibration, tests, blocks, disturbances, warnings."""
    blocks = (
        f"{judgement.blocks_used} clean blocks ({judgement.blocks_wanted} per look), "
        f"{judgement.blocks_rejected} rejected"
    )
    if judgement.rejected:
        causes = ", ".join(f"{name} {count}" for name, count in judgement.rejected.items())
        blocks = f"{blocks} ({causes})"
    tests = f"alpha {judgement.alpha:.3g} over a family of {judgement.family} tests and two looks"
    found = (judgement.calibration, tests, blocks, f"session {judgement.session_id}")
    return tuple(plain(sentence, LONGEST) for sentence in found)


def warnings(judgement: Judgement) -> tuple[str, ...]:
    """Return the warnings, safe to show."""
    return tuple(plain(warning, LONGEST) for warning in judgement.warnings)


def title(verdict: MetricVerdict) -> str:
    """Return the metric's name for people, told apart where it is a budget."""
    name = TITLES.get(verdict.metric, verdict.metric)
    return f"{name} budget" if verdict.kind == "budget" else name


def reason(verdict: MetricVerdict) -> str:
    """Return why, and what to do."""
    advice = f"; {verdict.advice}" if verdict.advice else ""
    return plain(f"{verdict.reason}{advice}", LONGEST)


def _line(verdict: MetricVerdict) -> Line:
    return Line(
        outcome=verdict.outcome.upper(),
        pair=plain(verdict.pair),
        metric=title(verdict),
        base=_value(verdict.base, verdict.unit),
        candidate=_value(verdict.candidate, verdict.unit),
        change=_change(verdict),
        held=_held(verdict),
        reason=reason(verdict),
    )


def _value(value: float | None, unit: str | None) -> str:
    if value is None or unit is None:
        return DASH
    return percent(value) if unit == "share" else show(value, unit)


def _change(verdict: MetricVerdict) -> str:
    if verdict.change is None:
        return DASH
    if verdict.change_lo is None or verdict.change_hi is None:
        return _signed(verdict.change)
    ends = f"{_signed(verdict.change_lo)} to {_signed(verdict.change_hi)}"
    return f"{_signed(verdict.change)} ({ends})"


def _signed(fraction: float) -> str:
    text = percent(fraction)
    return f"+{text}" if fraction > 0 and not text.startswith("0\u00a0") else text


def _held(verdict: MetricVerdict) -> str:
    if verdict.limit is None:
        return DASH
    if verdict.kind == "margin":
        return f"margin {percent(verdict.limit)}"
    return f"at most {_value(verdict.limit, verdict.unit)}"
