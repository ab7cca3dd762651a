"""The blocks of a plan, run by run; every finished run is on disk before the next one starts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Protocol

from harness.errors import DeviceError
from harness.session import requests
from harness.session.boards import Board
from harness.session.scoring import Scorer
from harness.types import Case, Json, Run, SessionPlan, digest

# A case that did not run twice in a row will not run the third time either.
_GIVE_UP_AFTER = 2


class Journal(Protocol):
    """Where finished runs go."""

    @property
    def runs(self) -> tuple[Run, ...]:
        """Return the runs that are there already."""

    def append(self, run: Run) -> None:
        """Put one run on disk before returning."""


class Observer(Protocol):
    """Who is told how it goes; the commands print, nothing here does."""

    def starts(self, case: Case, done: int, total: int, remaining_s: float | None) -> None:
        """Hear that a run starts."""

    def finished(self, case: Case, run: Run) -> None:
        """Hear that a run is on disk."""


class Driver:
    """Drives one session's plan over one board."""

    def __init__(self, plan: SessionPlan, board: Board, journal: Journal, scorer: Scorer) -> None:
        """Take what was done before from the journal, so that only the missing runs follow."""
        self._plan = plan
        self._board = board
        self._journal = journal
        self._scorer = scorer
        self._cases = {case.key: case for case in plan.cases}
        self._done = {run.run_id for run in journal.runs}
        self._took_s: dict[str, float] = {}
        self._misses = dict.fromkeys(self._cases, 0)
        for run in journal.runs:
            self._take_in(run)

    def run(self, observer: Observer) -> None:
        """Run what is missing; only a result that cannot be kept (StoreError) ends it."""
        slots = list(self._slots())
        missing = [slot for slot in slots if slot[3] not in self._done]
        began = time.monotonic()
        budget_s = self._plan.sampling.get("budget_s")
        block_began = -1
        for count, (seq, block, case, run_id) in enumerate(missing):
            spent_s = time.monotonic() - began
            if self._misses[case.key] >= _GIVE_UP_AFTER:
                continue
            if budget_s and block != block_began and block >= 2 and spent_s > budget_s:
                return
            block_began = block
            remaining_s = self._remaining_s([slot[2].key for slot in missing[count:]])
            observer.starts(case, len(slots) - len(missing) + count, len(slots), remaining_s)
            run = self._measure(case, seq, block, run_id)
            self._journal.append(run)
            self._take_in(run)
            observer.finished(case, run)

    def _remaining_s(self, keys: list[str]) -> float | None:
        """Return what runs of `keys` will take: as long as last time, or as the median run did."""
        if not self._took_s:
            return None
        usual_s = statistics.median(self._took_s.values())
        return sum(self._took_s.get(key, usual_s) for key in keys)

    def _slots(self) -> Iterator[tuple[int, int, Case, str]]:
        seq = 0
        for block, keys in enumerate(self._plan.order):
            for key in keys:
                yield seq, block, self._cases[key], _run_id(self._plan.session_id, key, block)
                seq += 1

    def _measure(self, case: Case, seq: int, block: int, run_id: str) -> Run:
        answer = self._ask(case)
        result = answer["result"]
        samples = tuple(result.pop("samples_ns", ()))
        return Run(
            run_id=run_id,
            session_id=self._plan.session_id,
            seq=seq,
            block=block,
            case_key=case.key,
            status=answer["status"],
            reason=answer["reason"],
            started_unix_s=answer["started_unix_s"],
            duration_s=answer["duration_s"],
            samples_ns=samples,
            quality=self._scorer.quality(case),
            result=result,
        )

    def _ask(self, case: Case) -> Json:
        """Return the agent's last event; a lost agent is a failed run and a new agent."""
        began = time.time()
        try:
            transport = self._board.under(case.interpreter)
            request = requests.of(case, self._plan, transport)
            request["evaluate"] = self._scorer.wanted(case)
            *_, answer = transport.run(request)
            return answer
        except DeviceError as error:
            self._board.restart(case.interpreter)
            return {
                "status": "failed",
                "reason": str(error),
                "started_unix_s": began,
                "duration_s": time.time() - began,
                "result": {},
            }

    def _take_in(self, run: Run) -> None:
        self._done.add(run.run_id)
        self._took_s[run.case_key] = run.duration_s
        if run.quality is not None:
            self._scorer.remember(self._cases[run.case_key], run.quality)
        if run.status == "ok":
            self._misses[run.case_key] = 0
        else:
            self._misses[run.case_key] += _GIVE_UP_AFTER if run.status == "skipped" else 1


def _run_id(session_id: str, key: str, block: int) -> str:
    return digest([session_id, key, block])
