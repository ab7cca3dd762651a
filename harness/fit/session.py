"""All trials of a board and its models: every trial is handed over as a run at once.

For each subject (a model, or several at once): one trial without a limit to compare with, one with
what the board has, then bisection to the smallest limit that passes. Where several of the same are
asked for, they run at once in what the board has, to the largest number that passes.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from harness.fit import search, trial
from harness.fit.trial import Crew, Seen, Setting, Wanted
from harness.fit.verdict import Judged, judge
from harness.stats.capacity import Trial, bracket
from harness.types import Case, Json, Run, Status, digest

_STATUS: dict[str, Status] = {"pass": "ok", "oom": "oom", "thrashing": "failed", "failed": "failed"}


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked about: `case` is what its rows are kept under, `members` what really runs."""

    case: Case
    members: tuple[Case, ...]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of every subject.

    `budget_bytes` is what the board leaves to a process, `most_bytes` what this host can give,
    `together` how many of the same at once at the most.
    """

    session_id: str
    budget_bytes: int
    most_bytes: int
    together: int = 1


class Fitting:
    """Makes the trials of one subject after the other."""

    def __init__(
        self, crew: Crew, setting: Setting, question: Question, keep: Callable[[Case, Run], None]
    ) -> None:
        """Take `keep(case, run)`, which is called after every trial."""
        self._crew = crew
        self._setting = setting
        self._question = question
        self._keep = keep
        self._done = 0

    def ask(self, subject: Subject) -> None:
        """Make every trial of a subject."""
        reference = self._reference(subject)
        if reference is None:
            return
        trials = []
        if self._question.budget_bytes < self._question.most_bytes:
            trials.append(self._try(subject, self._question.budget_bytes, "budget", reference))
        bounds = self._bounds(reference)
        while (limit := search.next_limit(bounds, trials)) is not None:
            trials.append(self._try(subject, limit, "search", reference))
        found = bracket(trials).passing
        fits = found is not None and found.limit_bytes <= self._question.budget_bytes
        if self._question.together > 1 and fits:
            self._together(subject)

    def _reference(self, subject: Subject) -> Seen | None:
        """Return what is seen with all that this host has; None where even that does not pass."""
        limit = self._question.most_bytes
        # The first one finds out which files are mapped; the second pays for their pages.
        self._make(subject.members, limit, None)
        seen = self._make(subject.members, limit, None)
        judged = judge(seen.observed)
        self._hand_over(subject.case, seen, judged, {"what": "reference", "limit_bytes": limit})
        return seen if judged.word == "pass" else None

    def _bounds(self, reference: Seen) -> search.Bounds:
        """Return where to search: anonymous pages cannot be given back, so below them is nothing.

        The last readings of them lie at the ends of phases, so the real bound may be a bit lower.
        """
        most = self._question.most_bytes
        return search.Bounds(
            low_bytes=int(0.8 * (reference.anonymous_bytes or 0)),
            high_bytes=most,
            guess_bytes=reference.usage.peak_bytes or most,
        )

    def _try(self, subject: Subject, limit: int, what: str, reference: Seen) -> Trial:
        seen = self._make(subject.members, limit, reference.duration_s)
        judged = judge(seen.observed, reference.observed)
        self._hand_over(subject.case, seen, judged, {"what": what, "limit_bytes": limit})
        return Trial(limit_bytes=limit, word=judged.word, why=judged.why)

    def _together(self, subject: Subject) -> None:
        """Find out how many of the same pass at once in what the board has.

        They share the cores, so how long a call takes says nothing here; pages read again do.
        """
        limit = min(self._question.budget_bytes, self._question.most_bytes)
        passed = {1: True}
        while (count := search.next_count(self._question.together, passed)) is not None:
            seen = self._make(subject.members * count, limit, None)
            judged = judge(seen.observed)
            facts = {"what": "together", "limit_bytes": limit, "copies": count}
            self._hand_over(subject.case, seen, judged, facts)
            passed[count] = judged.word == "pass"

    def _make(self, cases: tuple[Case, ...], limit: int, usual_s: float | None) -> Seen:
        """Make one trial; once more with longer loops where not all were in them at once."""
        loop_s = trial.loop_s(len(cases))
        seen = self._crew.make(
            self._setting,
            Wanted(cases=cases, limit_bytes=limit, loop_s=loop_s, usual_s=usual_s),
        )
        if seen.overlap_s is None or seen.overlap_s > 0:
            return seen
        longer_s = 2 * loop_s - seen.overlap_s
        return self._crew.make(
            self._setting,
            Wanted(cases=cases, limit_bytes=limit, loop_s=longer_s, usual_s=usual_s),
        )

    def _hand_over(self, case: Case, seen: Seen, judged: Judged, facts: Json) -> None:
        """Keep one trial as a run: no time is in it, neither of a call nor its own."""
        self._done += 1
        found: Json = {
            "copies": 1,
            **facts,
            "word": judged.word,
            "why": judged.why,
            "slowdown": judged.slowdown,
            "at_once": seen.overlap_s is not None and seen.overlap_s > 0,
            "anonymous_bytes": seen.anonymous_bytes,
            "loop_refaults": seen.observed.counted.loop_refaults,
            **msgspec.to_builtins(seen.usage),
        }
        run = Run(
            run_id=digest([self._question.session_id, case.key, self._done]),
            session_id=self._question.session_id,
            seq=self._done - 1,
            block=self._done - 1,
            case_key=case.key,
            status=_STATUS[judged.word],
            reason=_reason(judged),
            started_unix_s=time.time() - seen.duration_s,
            duration_s=0.0,
            result={"fit": found},
        )
        self._keep(case, run)


def _reason(judged: Judged) -> str | None:
    if judged.word == "pass":
        return None
    return f"thrashing: {judged.why}" if judged.word == "thrashing" else judged.why
