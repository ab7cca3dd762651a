"""The blocks of a plan, run by run; every finished run is on disk before the next one starts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Protocol

from harness.errors import BoardLost, DeviceError
from harness.plan import energy, pace
from harness.session import cooling, requests
from harness.session.boards import Board
from harness.session.schedule import Block, Schedule, State
from harness.session.scoring import Scorer
from harness.session.strikes import Strikes
from harness.types import Case, Json, Run, SessionPlan, digest

# A case that did not run twice in a row will not run the third time either.
_GIVE_UP_AFTER = 2
# Runs are not shortened below this share of their samples to keep to the announced time.
_LEAST_SHARE = 0.4


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
        self.strikes = Strikes()
        self._lost: BoardLost | None = None
        self._plan = plan
        self._board = board
        self._journal = journal
        self._scorer = scorer
        self._cases = {case.key: case for case in (*plan.cases, *plan.anchors)}
        self._planned = sum(len(block) for block in plan.order)
        self._took_s: dict[str, float] = {}
        self._misses = dict.fromkeys(self._cases, 0)
        self._passes = dict.fromkeys(self._cases, 0)
        self._began = time.monotonic()
        self._before_s = sum(run.duration_s for run in journal.runs)
        for run in journal.runs:
            self._take_in(run)

    def run(self, observer: Observer, schedule: Schedule) -> None:
        """Run what `schedule` says.

        Two things end it early, and the runs so far are kept: a result that cannot be kept
        (StoreError), and a board that was lost several times in a row (BoardLost).
        """
        self._began = time.monotonic()
        while block := schedule.next(self._state()):
            for key in block.keys:
                if self._misses[key] < _GIVE_UP_AFTER:
                    self._one(self._cases[key], block, observer)

    def _state(self) -> State:
        return State(
            runs=self._journal.runs,
            spent_s=self._spent_s(),
            given_up=frozenset(k for k, count in self._misses.items() if count >= _GIVE_UP_AFTER),
            cost_s=self._cost_s,
        )

    def _spent_s(self) -> float:
        """Return the seconds that the session has taken, those before an interruption included."""
        return self._before_s + time.monotonic() - self._began

    def _one(self, case: Case, block: Block, observer: Observer) -> None:
        done = len(self._journal.runs)
        observer.starts(case, done, max(self._planned, done + 1), self._remaining_s())
        run = self._measure(case, block, done)
        self._journal.append(run)
        self._take_in(run)
        observer.finished(case, run)
        if self._lost is None:
            self.strikes.clear()
        else:
            self.strikes.hit(self._lost)

    def _remaining_s(self) -> float | None:
        """Return what the planned runs that are not there yet will take, None before the first."""
        if not self._took_s:
            return None
        done = {(run.block, run.case_key) for run in self._journal.runs}
        return self._cost_s(
            [
                key
                for number, keys in enumerate(self._plan.order)
                for key in keys
                if (number, key) not in done and self._misses[key] < _GIVE_UP_AFTER
            ]
        )

    def _cost_s(self, keys: Sequence[str]) -> float:
        """Return what runs of `keys` will take: as long as last time, or as the median run did."""
        usual_s = statistics.median(self._took_s.values()) if self._took_s else 0.0
        return sum(self._took_s.get(key, usual_s) for key in keys)

    def _share(self) -> float:
        """Return how much of the samples' time is left to each run if the plan is to be kept.

        All of it where two sides are compared: neither may be sampled for longer than the other;
        and in the first two blocks, because a first run reads the disk and is scored.
        """
        planned_s = self._plan.sampling.get("planned_s")
        remaining_s = self._remaining_s()
        early = len(self._journal.runs) < 2 * len(self._cases)
        if early or self._plan.kind != "run" or not planned_s or not remaining_s:
            return 1.0
        left_s = planned_s * pace.TOLERANCE - self._spent_s()
        samples_s = self._plan.sampling["run"]["budget_s"] * max(
            1, self._planned - len(self._journal.runs)
        )
        over_s = remaining_s - left_s
        return float(max(_LEAST_SHARE, 1.0 - max(0.0, over_s) / samples_s))

    def _measure(self, case: Case, block: Block, seq: int) -> Run:
        answer = self._ask(case)
        result = answer["result"]
        if block.repeats is not None:
            result["repeats"] = block.repeats
        if reason := self._plan.sampling.get("energy_reason"):
            result["power"] = {"reason": reason, "advice": "give it a longer --budget"}
        samples = tuple(result.pop("samples_ns", ()))
        return Run(
            run_id=digest([self._plan.session_id, case.key, block.number]),
            session_id=self._plan.session_id,
            seq=seq,
            block=block.number,
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
        began, start = time.time(), time.monotonic()
        self._lost = None
        try:
            transport = self._board.under(case.interpreter)
            request = requests.of(case, self._plan, transport, self._passes[case.key])
            request["sampling"] = pace.shortened(request["sampling"], self._share())
            request["evaluate"] = self._scorer.wanted(case)
            cool_s = self._plan.sampling.get("cool_timeout_s")
            request["cool"] = cooling.wanted(self._journal.runs, cool_s)
            *_, answer = transport.run(request)
            return answer
        except DeviceError as error:
            self._lost = error if isinstance(error, BoardLost) else None
            self._board.restart(case.interpreter)
            return {
                "status": "failed",
                "reason": str(error),
                "started_unix_s": began,
                "duration_s": time.monotonic() - start,
                "result": {},
            }

    def _take_in(self, run: Run) -> None:
        self._took_s[run.case_key] = run.duration_s
        if run.quality is not None:
            self._scorer.remember(self._cases[run.case_key], run.quality)
        if run.status == "ok":
            self._misses[run.case_key] = 0
            self._passes[run.case_key] += energy.was_made(run.result)
        else:
            self._misses[run.case_key] += _GIVE_UP_AFTER if run.status == "skipped" else 1
