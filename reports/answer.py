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

from harness.units import show
from reports import soak
from reports.choices import Choice, fastest, gentlest, leanest, smallest, undominated
from reports.figures import interval, percent, times
from reports.names import label, listed
from reports.pairs import kind_sentence, ratios
from reports.pareto import simultaneous
from reports.relations import Relations, comparable
from reports.session import SessionView
from results import measured
from results.cases import CaseRow

LOSS_LIMIT = 0.01


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one model: one sentence, the choices behind it, and what limits it."""

    model: str
    sentence: str
    choices: tuple[Choice, ...]
    limits: tuple[str, ...]


def answers(view: SessionView) -> tuple[Answer, ...]:
    """Return one answer per model of the session; of two sides the ratios, and no winner."""
    if view.plan.two_sided:
        return (_of_sides(view),)
    if view.plan.kind == "import":
        return tuple(_of_import(model, view) for model in view.models())
    if soak.only_soaks(view):
        return tuple(_of_soaks(model, view) for model in view.models())
    relations = Relations(view)
    return tuple(_answer(model, view, relations) for model in view.models())


def _of_soaks(model: str, view: SessionView) -> Answer:
    """Return which cases of one model a board could not keep up; it names no level."""
    sentence = soak.verdict(soak.soaked(view, model), model)
    limit = "No level is chosen from soaks: run without --soak to compare levels."
    return Answer(model=model, sentence=sentence, choices=(), limits=(limit,))


def _of_import(model: str, view: SessionView) -> Answer:
    """Return what another tool measured of one model; it names no level."""
    rows = [row for row in view.rows if row.model == model]
    tool = measured.text(view.plan.design, "import", "tool") or "another tool"
    sentence = f"{tool} measured {len(rows)} cases of {model}."
    if len(rows) == 1:
        time = rows[0].latency_p50_s
        took = "" if time is None else f": {show(time, 's')} per call"
        sentence = f"{tool} measured {label(rows[0])} of {model}{took}."
    limit = "No level is chosen from an import: how much its processes differ is unknown."
    return Answer(model=model, sentence=sentence, choices=(), limits=(limit,))


def _of_sides(view: SessionView) -> Answer:
    """Return what a session of base and candidate says by itself."""
    said = [f"{pair.name}: {pair.text}." for pair in ratios(view)]
    what = kind_sentence(view)
    model = next(iter(view.models()), "")
    if len(said) == 1:
        sentence = f"Candidate against base: {said[0]}"
        return Answer(model=model, sentence=sentence, choices=(), limits=(what,))
    sentence = what if said else f"{what} No pair was measured yet."
    return Answer(model=model, sentence=sentence, choices=(), limits=tuple(said))


def _answer(model: str, view: SessionView, relations: Relations) -> Answer:
    """Return the answer for one model, from its single-stream cases."""
    rows = [row for row in view.rows if row.model == model and row.scenario == "single-stream"]
    valid = [row for row in rows if comparable(row) and row.latency_p50_s is not None]
    doubtful = [row for row in rows if _doubtful(row)]
    limits = _limits(rows, valid, doubtful)
    if not valid:
        sentence = f"The data cannot name a level for {model}: none of its cases can be compared."
        return Answer(model=model, sentence=sentence, choices=(), limits=limits)
    keeping = [row for row in valid if keeps_quality(row)]
    main = (
        fastest("Fastest shown to lose at most 1 % of quality", keeping, relations)
        if keeping
        else None
    )
    unproven = _unproven(valid, main, relations)
    quickest = fastest("Fastest of all", valid, relations)
    choices = [
        main,
        fastest("Faster, but may lose more", unproven, relations) if unproven else None,
        quickest,
        undominated(valid, relations) if (main or quickest).rivals else None,
        smallest(valid),
        leanest(valid, relations),
        gentlest(valid, relations),
    ]
    terms = _terms(valid, keeping, unproven if main else ())
    return Answer(
        model=model,
        sentence=_sentence(main or quickest, terms, relations, rows),
        choices=tuple(choice for choice in choices if choice),
        limits=(*limits, *_reach(unproven)),
    )


def keeps_quality(row: CaseRow) -> bool:
    """Tell whether `row` is shown to lose at most 1 % of quality: by the upper end of its interval.

    FP32 is what the loss is relative to, so that its own figure is enough.
    """
    if row.quality_loss is None:
        return False
    most = row.quality_loss if row.variant == "fp32" else row.quality_loss_hi
    return most is not None and most <= LOSS_LIMIT


def _unproven(valid: Sequence[CaseRow], main: Choice | None, relations: Relations) -> list[CaseRow]:
    """Return the cases, shown to be faster, whose small loss has an interval beyond the limit."""
    confidence = simultaneous(len(valid))

    def faster(row: CaseRow) -> bool:
        if main is None:
            return True
        lo = relations.ratio("latency", row, main.best, confidence).lo
        return lo is not None and lo > 1

    return [
        row
        for row in valid
        if row.quality_loss is not None
        and row.quality_loss <= LOSS_LIMIT
        and not keeps_quality(row)
        and faster(row)
    ]


def _reach(unproven: Sequence[CaseRow]) -> tuple[str, ...]:
    """Return by how much the quality of `unproven` cases may fall, and what would tell."""
    if not unproven:
        return ()
    known = [row.quality_loss_hi for row in unproven if row.quality_loss_hi is not None]
    samples = max((row.quality_n or 0 for row in unproven), default=0)
    reach = f"up to {percent(max(known))}" if known else "there is no interval"
    return (
        f"{listed(unproven)} lost at most 1 % of quality on {samples} samples, but may lose more"
        f" ({reach}): more evaluation samples would tell.",
    )


def _doubtful(row: CaseRow) -> bool:
    """Tell whether a case was measured, but not well enough to be compared."""
    return row.verdict not in ("failed", "skipped") and not comparable(row)


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
    other = [row for row in valid if row.verdict == "fallback"]
    if other:
        limits.append(
            f"Not what was asked for ran of {listed(other, len(other))}: ranked as what it is,"
            " with the reason among the doubts."
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
    """What the sentence may say about quality: `lead` before the choice, `condition` behind it.

    `doubt` is what it adds of faster cases that may or may not keep the condition.
    """

    lead: str = ""
    condition: str = ""
    doubt: str = ""


def _terms(
    valid: Sequence[CaseRow], keeping: Sequence[CaseRow], unproven: Sequence[CaseRow]
) -> _Terms:
    """Return the terms of a choice among `keeping`, or among all of `valid` where none keeps it."""
    if keeping:
        verb = "is" if len(unproven) == 1 else "are"
        return _Terms(
            condition=" among those shown to lose at most 1 % of quality",
            doubt=f"; {listed(unproven)} {verb} faster, but may lose more" if unproven else "",
        )
    scored = [row for row in valid if row.quality_loss is not None]
    if not scored:
        return _Terms()
    which = "level" if len(scored) == len(valid) else "scored level"
    if all(row.quality_loss_lo is not None and row.quality_loss_lo > LOSS_LIMIT for row in scored):
        return _Terms(lead=f"every {which} loses more than 1 % of quality")
    return _Terms(lead=f"no {which} is shown to lose at most 1 % of quality")


def _sentence(choice: Choice, terms: _Terms, relations: Relations, rows: Sequence[CaseRow]) -> str:
    """Return the one sentence that a person in a hurry takes away."""
    best, model = choice.best, choice.best.model
    if choice.rivals:
        tied = [best, *choice.rivals]
        least = min(tied, key=lambda row: row.size_bytes or math.inf)
        lead = f"{terms.lead}, and " if terms.lead else ""
        return (
            f"For {model} {lead}the data cannot tell which of {listed(tied)} is the fastest"
            f"{terms.condition}; the smallest of them is {label(least)}{terms.doubt}."
        )
    if terms.lead:
        return f"For {model} {terms.lead}; the fastest of all is {label(best)}."
    facts = _facts(best, terms, relations, rows)
    doubtful = [row for row in rows if _doubtful(row)]
    valid = [row for row in rows if comparable(row)]
    # A fastest of few says little, even where none of the others looks faster.
    few = 3 * len(doubtful) > len(valid) + len(doubtful)
    limited = few or _maybe_faster(valid, doubtful)
    scope = "of the cases that can be ranked " if limited else ""
    choice_is = f"For {model} ship {label(best)}: {scope}it is the fastest"
    return f"{choice_is}{terms.condition}{facts}{terms.doubt}."


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
