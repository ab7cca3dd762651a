"""The answer: which level is best under which criterion, or that the data cannot tell.

A winner is named only where its interval against every rival excludes no difference; the
confidence is raised for the number of rivals, because the best of many looks better than it is.
A wide latency interval alone keeps no case out, because cases are compared block by block and each
comparison has its own interval. Failed, unstable and too seldom measured cases are never ranked;
where one of them looks better than the winner, the answer says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from reports.figures import common_scale, interval, percent, scaled, times
from reports.relations import Relations, comparable
from reports.session import SessionView
from results.cases import CaseRow
from suites import Metric

LOSS_LIMIT = 0.01
_SHOWN = 4


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The best case under one criterion, and the `rivals` that share the place; `tie` says why."""

    criterion: str
    best: CaseRow
    rivals: tuple[CaseRow, ...]
    figure: str
    tie: str = "the data cannot tell them apart"

    @property
    def who(self) -> str:
        """Name the best case and those that cannot be told from it."""
        return listed([self.best, *self.rivals])


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one model: one sentence, the choices behind it, and what limits it."""

    model: str
    sentence: str
    choices: tuple[Choice, ...]
    limits: tuple[str, ...]


def label(row: CaseRow) -> str:
    """Name a case by what is chosen: the level and the runtime."""
    return f"{row.variant} on {row.backend}"


def answers(view: SessionView) -> tuple[Answer, ...]:
    """Return one answer per model of the session."""
    relations = Relations(view)
    return tuple(_answer(model, view, relations) for model in view.models())


def _answer(model: str, view: SessionView, relations: Relations) -> Answer:
    """Return the answer for one model, from its single-stream cases."""
    rows = [row for row in view.rows if row.model == model and row.scenario == "single-stream"]
    valid = [row for row in rows if comparable(row) and row.latency_p50_s is not None]
    doubtful = [row for row in rows if _doubtful(row)]
    limits = _limits(rows, valid, doubtful)
    if not valid:
        sentence = f"The data cannot name a level for {model}: none of its cases can be compared."
        return Answer(model=model, sentence=sentence, choices=(), limits=limits)
    scored = [row for row in valid if row.quality_loss is not None]
    keeping = [row for row in scored if (row.quality_loss or 0) <= LOSS_LIMIT]
    main = (
        _fastest("Fastest with at most 1 % of quality lost", keeping, relations)
        if keeping
        else None
    )
    fastest = _fastest("Fastest of all", valid, relations)
    choices = [
        main,
        fastest,
        _smallest(valid),
        _leanest(valid, relations),
        _gentlest(valid, relations),
    ]
    return Answer(
        model=model,
        sentence=_sentence(main or fastest, _terms(valid, scored, keeping), relations, rows),
        choices=tuple(choice for choice in choices if choice),
        limits=limits,
    )


def _doubtful(row: CaseRow) -> bool:
    """Tell whether a case was measured, but not well enough to be compared."""
    return row.verdict in ("imprecise", "unstable") and not comparable(row)


def _limits(
    rows: Sequence[CaseRow], valid: Sequence[CaseRow], doubtful: Sequence[CaseRow]
) -> tuple[str, ...]:
    """Return the sentences that limit what was said: rows left out, quality that is not known."""
    limits = []
    wide = [row for row in valid if row.verdict == "imprecise"]
    if wide:
        limits.append(
            f"{len(wide)} of {len(valid)} latencies are known less exactly than asked; what is"
            " said here compares runs of the same block, pair by pair, and holds all the same."
        )
    if doubtful:
        limits.append(f"Doubtful and therefore not ranked: {listed(doubtful, len(doubtful))}.")
    faster = _maybe_faster(valid, doubtful)
    if faster:
        limits.append(f"{listed(faster)} may be faster than every ranked case: measure again.")
    measured = [row for row in rows if row.latency_p50_s]
    unscored = [row for row in measured if row.quality_loss is None]
    reasons = dict.fromkeys(row.quality_reason or "no reason was recorded" for row in unscored)
    if unscored:
        names = "all cases" if len(unscored) == len(measured) else listed(unscored)
        limits.append(f"Quality is not known for {names}: {'; '.join(reasons)}.")
    return tuple(limits)


def _maybe_faster(valid: Sequence[CaseRow], doubtful: Sequence[CaseRow]) -> list[CaseRow]:
    """Return the doubtful rows that look faster than every valid one."""
    best = min((row.latency_p50_s or 0 for row in valid), default=0)
    return [row for row in doubtful if row.latency_p50_s and row.latency_p50_s < best]


class _Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What the sentence may say about quality: `lead` before the choice, `condition` behind it."""

    lead: str = ""
    condition: str = ""


def _terms(
    valid: Sequence[CaseRow], scored: Sequence[CaseRow], keeping: Sequence[CaseRow]
) -> _Terms:
    """Return the terms of a choice among `keeping`, or among all of `valid` where none keeps it."""
    if keeping:
        return _Terms(condition=" among those that lose at most 1 % of quality")
    if not scored:
        return _Terms()
    which = "level" if len(scored) == len(valid) else "scored level"
    return _Terms(lead=f"every {which} loses more than 1 % of quality")


def _sentence(choice: Choice, terms: _Terms, relations: Relations, rows: Sequence[CaseRow]) -> str:
    """Return the one sentence that a person in a hurry takes away."""
    best, model = choice.best, choice.best.model
    if choice.rivals:
        tied = [best, *choice.rivals]
        smallest = min(tied, key=lambda row: row.size_bytes or math.inf)
        lead = f"{terms.lead}, and " if terms.lead else ""
        return (
            f"For {model} {lead}the data cannot tell which of {listed(tied)} is the fastest"
            f"{terms.condition}; the smallest of them is {label(smallest)}."
        )
    if terms.lead:
        return f"For {model} {terms.lead}; the fastest of all is {label(best)}."
    facts = _facts(best, terms, relations, rows)
    doubtful = [row for row in rows if _doubtful(row)]
    valid = [row for row in rows if comparable(row)]
    scope = "of the cases that can be ranked " if _maybe_faster(valid, doubtful) else ""
    return f"For {model} ship {label(best)}: {scope}it is the fastest{terms.condition}{facts}."


def _facts(best: CaseRow, terms: _Terms, relations: Relations, rows: Sequence[CaseRow]) -> str:
    """Return what the best case costs and saves against FP32 on the same runtime."""
    base = next((r for r in rows if r.variant == "fp32" and r.backend == best.backend), None)
    if base is best:
        return f", and no quantized level {'among them ' if terms.condition else ''}is faster"
    if base is None:
        return ""
    speed = relations.measured("speed", best, base)
    size = relations.measured("size", best, base)
    parts = []
    if speed.value is not None:
        span = interval(speed.lo, speed.hi)
        parts.append(
            f"{times(speed.value)} the speed of FP32 there" + (f" [{span}]" if span else "")
        )
    if size.value is not None:
        parts.append(f"{percent(size.value)} of its file")
    if best.quality_loss is not None:
        span = interval(best.quality_loss_lo, best.quality_loss_hi, 0.01)
        parts.append(
            f"{percent(best.quality_loss)} of quality lost" + (f" [{span}]" if span else "")
        )
    return f" ({', '.join(parts)})" if parts else ""


def _fastest(criterion: str, rows: Sequence[CaseRow], relations: Relations) -> Choice:
    """Return the case with the lowest median latency, and those it cannot be told from."""
    best = min(rows, key=lambda row: row.latency_p50_s or 0)
    factor, unit = common_scale([best.latency_p50_s], "s")
    span = interval(best.latency_p50_lo_s, best.latency_p50_hi_s, factor)
    figure = f"p50 {scaled(best.latency_p50_s, factor)} {unit}" + (f" [{span}]" if span else "")
    rivals = _rivals("latency", best, rows, relations)
    return Choice(criterion=criterion, best=best, rivals=rivals, figure=figure)


def _smallest(rows: Sequence[CaseRow]) -> Choice | None:
    """Return the case with the smallest artifact; within 1 % of it counts as the same."""
    known = [row for row in rows if row.size_bytes]
    if not known:
        return None
    best = min(known, key=lambda row: row.size_bytes or 0)
    limit = (best.size_bytes or 0) * 1.01
    rivals = tuple(row for row in known if row is not best and (row.size_bytes or 0) <= limit)
    factor, unit = common_scale([best.size_bytes], "bytes")
    figure = f"{scaled(best.size_bytes, factor)} {unit}"
    return Choice(
        criterion="Smallest model file",
        best=best,
        rivals=rivals,
        figure=figure,
        tie="within 1 % of each other",
    )


def _leanest(rows: Sequence[CaseRow], relations: Relations) -> Choice | None:
    """Return the case with the lowest peak memory, and those it cannot be told from."""
    known = [row for row in rows if row.peak_rss_bytes]
    if not known:
        return None
    best = min(known, key=lambda row: row.peak_rss_bytes or 0)
    factor, unit = common_scale([best.peak_rss_bytes], "bytes")
    return Choice(
        criterion="Least peak memory",
        best=best,
        rivals=_rivals("memory", best, known, relations),
        figure=f"{scaled(best.peak_rss_bytes, factor)} {unit}",
    )


def _gentlest(rows: Sequence[CaseRow], relations: Relations) -> Choice | None:
    """Return the case faster than FP32 on its runtime that loses least, and those it overlaps."""
    bases = {row.backend: row for row in rows if row.variant == "fp32"}
    faster = []
    for row in rows:
        speed = relations.measured("speed", row, bases.get(row.backend))
        if row.variant != "fp32" and speed.lo is not None and speed.lo > 1:
            faster.append(row)
    known = [row for row in faster if row.quality_loss is not None]
    if not known:
        return None
    best = min(known, key=lambda row: row.quality_loss or 0)
    ceiling = best.quality_loss if best.quality_loss_hi is None else best.quality_loss_hi
    rivals = tuple(row for row in known if row is not best and _reaches(row, ceiling or 0))
    return Choice(
        criterion="Least quality lost while faster than FP32",
        best=best,
        rivals=rivals,
        figure=f"{percent(best.quality_loss)} lost",
    )


def _reaches(row: CaseRow, ceiling: float) -> bool:
    """Tell whether the loss of `row` may be as low as `ceiling`."""
    low = row.quality_loss if row.quality_loss_lo is None else row.quality_loss_lo
    return (low or 0) <= ceiling


def _rivals(
    metric: Metric, best: CaseRow, rows: Sequence[CaseRow], relations: Relations
) -> tuple[CaseRow, ...]:
    """Return the rows whose ratio to `best` does not exclude 1, at a confidence that all share."""
    others = [row for row in rows if row is not best]
    confidence = 1 - 0.05 / max(1, len(others))
    undecided = []
    for row in others:
        ratio = relations.ratio(metric, best, row, confidence)
        if ratio.lo is None or ratio.lo <= 1:
            undecided.append(row)
    return tuple(undecided)


def listed(rows: Sequence[CaseRow], shown: int = _SHOWN) -> str:
    """Name the first `shown` cases, level by level, and count the rest."""
    levels: dict[str, list[str]] = {}
    for row in rows[:shown]:
        levels.setdefault(row.variant, []).append(row.backend)
    names = [f"{level} on {_and(backends)}" for level, backends in levels.items()]
    if len(rows) > shown:
        names.append(f"{len(rows) - shown} more")
    return _and(names)


def _and(words: Sequence[str]) -> str:
    """Join words as a sentence does."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
