"""The row of a case that ran under limits of memory: does it fit, how little is enough, how many.

Every run of such a session is one trial, and holds its facts under "fit". No figure of time comes
out of it: a limit makes this host as small as a board, not as slow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import msgspec

from harness.stats.capacity import Trial, Word, bracket
from harness.types import Case, Json, Origin, Run, SessionPlan, Status
from harness.units import show
from results import measured
from results.row import CaseRow, Verdict

Answer = Literal["fits", "does not fit", "cannot tell"]
_WORDS: tuple[Word, ...] = get_args(Word)
_NOT_YET = "not tried: its session was interrupted"


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """What the trials of one case say; bytes, and None for what they leave open.

    `limit_bytes` is the smallest limit that passed, `failing_bytes` the largest that did not, and
    `stopped_by` (oom, thrashing, failed) with `why` is what came of that. `peak_bytes` is what was
    used, and `anonymous_bytes` what could not have been given back, where there was no limit.
    `budget_bytes` is what `board` leaves to a model, `assumed` if nobody measured it there.
    `limit_to_file` is the smallest limit over the model's file. `at_once` of the same ran together
    in the budget, `at_once_bound` were asked for; more than that ended as `at_once_stopped_by`.
    """

    board: str
    answer: Answer
    ram_bytes: int
    budget_bytes: int
    assumed: bool
    peak_bytes: int | None = None
    anonymous_bytes: int | None = None
    limit_bytes: int | None = None
    failing_bytes: int | None = None
    stopped_by: str | None = None
    why: str = ""
    limit_to_file: float | None = None
    models: tuple[str, ...] = ()
    at_once: int | None = None
    at_once_bound: int | None = None
    at_once_stopped_by: str | None = None


def row(plan: SessionPlan, case: Case, origin: Origin | None, runs: Sequence[Run]) -> CaseRow:
    """Return the row of one case of a session of kind "fit"."""
    found = capacity(plan, case, runs)
    status, verdict, reason = _judged(found, runs)
    return CaseRow(
        session_id=plan.session_id,
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
        side=case.side,
        status=status,
        verdict=verdict,
        reason=reason,
        notes=(*case.artifact.notes, *_notes(runs)),
        runs=len(runs),
        size_bytes=case.artifact.size_bytes,
        fit=msgspec.to_builtins(found),
    )


def capacity(plan: SessionPlan, case: Case, runs: Sequence[Run]) -> Capacity:
    """Return what the trials of one case say."""
    facts = [measured.section(run.result, "fit") for run in runs]
    budget = measured.whole(plan.design, "budget_bytes") or 0
    tried = (_trial(fact) for fact in facts if fact.get("what") in ("budget", "search"))
    reference = next((fact for fact in facts if fact.get("what") == "reference"), {})
    ends = bracket(trial for trial in tried if trial)
    stop = ends.failing or (None if reference.get("word") == "pass" else _trial(reference))
    limit = ends.passing.limit_bytes if ends.passing else None
    size = case.artifact.size_bytes
    return Capacity(
        board=str(plan.design.get("board")),
        answer=_answer(limit, stop, budget),
        ram_bytes=measured.whole(plan.design, "ram_bytes") or 0,
        budget_bytes=budget,
        assumed=bool(plan.design.get("assumed", True)),
        peak_bytes=measured.whole(reference, "peak_bytes"),
        anonymous_bytes=measured.whole(reference, "anonymous_bytes"),
        limit_bytes=limit,
        failing_bytes=stop.limit_bytes if stop else None,
        stopped_by=stop.word if stop else None,
        why=stop.why if stop else "",
        limit_to_file=limit / size if limit and size else None,
        models=tuple(case.options.get("models") or (case.model,)),
        **_at_once(plan, [fact for fact in facts if fact.get("what") == "together"], limit),
    )


def _answer(limit: int | None, stop: Trial | None, budget: int) -> Answer:
    if limit is not None and limit <= budget:
        return "fits"
    if limit is not None or (stop and stop.word != "failed" and stop.limit_bytes >= budget):
        return "does not fit"
    return "cannot tell"


def _at_once(plan: SessionPlan, trials: Sequence[Json], limit: int | None) -> Json:
    """Return how many of the same ran together; nothing where that was not asked or not tried."""
    bound = measured.whole(plan.design, "together") or 1
    if bound <= 1 or limit is None or not trials:
        return {}
    passed = {
        copies: fact.get("word") == "pass"
        for fact in trials
        if (copies := measured.whole(fact, "copies"))
    }
    worst = min((copies for copies, good in passed.items() if not good), default=bound + 1)
    stopped = next((fact for fact in trials if measured.whole(fact, "copies") == worst), None)
    return {
        "at_once": max((n for n, good in passed.items() if good and n < worst), default=1),
        "at_once_bound": bound,
        "at_once_stopped_by": f"{stopped.get('word')}: {stopped.get('why')}" if stopped else None,
    }


def _judged(found: Capacity, runs: Sequence[Run]) -> tuple[Status, Verdict, str | None]:
    """Return status, verdict and the sentence that supports it."""
    if not runs:
        return "skipped", "skipped", _NOT_YET
    stopped = f"{found.stopped_by}: {found.why}" if found.stopped_by else ""
    if found.answer == "cannot tell":
        most = show(found.failing_bytes, "bytes")
        return "failed", "failed", f"with {most}, all that this host gives, {stopped}"
    below = f"; with {show(found.failing_bytes, 'bytes')} {stopped}" if stopped else ""
    if found.answer == "fits":
        return "ok", "fits", f"{show(found.limit_bytes, 'bytes')} are enough{below}"
    room = show(found.budget_bytes, "bytes")
    if found.limit_bytes is None:
        return "ok", "does not fit", f"more than {room} are needed{below}"
    needed = show(found.limit_bytes, "bytes")
    return "ok", "does not fit", f"{needed} are needed, the board leaves {room}{below}"


def _notes(runs: Sequence[Run]) -> tuple[str, ...]:
    """Return what may be doubted: slow trials that read nothing again, unread counters."""
    facts = [measured.section(run.result, "fit") for run in runs]
    slow = [fact for fact in facts if fact.get("word") == "pass" and fact.get("why")]
    notes = [f"in {len(slow)} of {len(facts)} trials {slow[0]['why']}"] if slow else []
    if facts and facts[0].get("peak_bytes") is None:
        notes.append("this kernel does not tell the peak of a group")
    return tuple(notes)


def _trial(fact: Json) -> Trial | None:
    """Return a trial's facts, None where they are not those of one."""
    limit = measured.whole(fact, "limit_bytes")
    word = next((known for known in _WORDS if known == fact.get("word")), None)
    if limit is None or word is None:
        return None
    return Trial(limit_bytes=limit, word=word, why=str(fact.get("why") or ""))
