"""Which block comes next: the planned ones, repeats of disturbed runs, more where it is needed.

Everything is derived from the plan and the runs that are there, so an interrupted session goes on
as it would have gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from harness.plan import order, pace
from harness.stats.summary import LEAST_RUNS
from harness.types import Case, Run, SessionPlan
from results import clean, figures, measured
from results.cases import runs_per_case

MOST_REPEATS = 2
_LEAST_BLOCKS = 2
# A case that is not precise after this many runs needs a quieter machine, not more runs.
MOST_BLOCKS = 30


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """The runs to make next, in this order; `repeats` names the first block they make good."""

    number: int
    keys: tuple[str, ...]
    repeats: int | None = None


class State(msgspec.Struct, frozen=True, kw_only=True):
    """How far a session is: its runs, seconds spent, cases given up, and what runs would cost."""

    runs: tuple[Run, ...]
    spent_s: float
    given_up: frozenset[str]
    cost_s: Callable[[Sequence[str]], float]


class Schedule(Protocol):
    """Says what comes next."""

    def next(self, state: State) -> Block | None:
        """Return the next block, None at the end."""


class RunSchedule:
    """The blocks of `boardmark run`."""

    def __init__(self, plan: SessionPlan) -> None:
        """Read the limits out of the plan."""
        self._plan = plan
        self._cases = [case.key for case in plan.cases]
        self._anchors = {case.key for case in plan.anchors}
        self._budget_s = measured.number(plan.sampling, "budget_s")
        self._planned_s = measured.number(plan.sampling, "planned_s")
        self._goal = measured.number(plan.sampling, "goal")

    def next(self, state: State) -> Block | None:
        """Return what is missing of the planned blocks, then repeats, then more where needed."""
        block = planned(self._plan, state)
        if block is not None:
            return None if self._is_over(block, state) else block
        return self._repeat(state) or self._more(state)

    def _is_over(self, block: Block, state: State) -> bool:
        """Tell whether a block that has not begun would overrun the budget; two are always made."""
        if self._budget_s is None or block.number < _LEAST_BLOCKS:
            return False
        begun = any(run.block == block.number for run in state.runs)
        end_s = state.spent_s + state.cost_s(block.keys)
        return not begun and end_s > self._budget_s * pace.TOLERANCE

    def _repeat(self, state: State) -> Block | None:
        """Return the cases that lack undisturbed runs, with what they are compared with.

        A soak is not repeated: it takes minutes, and its row says what disturbed it.
        """
        if "soak_s" in self._plan.sampling:
            return None
        flags = clean.flags_by_run(state.runs)
        found = runs_per_case(run for run in state.runs if run.status == "ok")
        bad = {
            key: [run.block for run in found.get(key, ()) if not clean.is_clean(run, flags)]
            for key in self._cases
        }
        short = {key for key, blocks in bad.items() if self._is_short(found.get(key, []), blocks)}
        keys = self._with_references(short - state.given_up)
        limit_s = self._budget_s or (self._planned_s or 0) * pace.TOLERANCE
        if not keys or state.spent_s + state.cost_s(keys) > limit_s:
            return None
        first = min(block for key in short for block in bad[key])
        return self._new(state, keys, first)

    def _is_short(self, runs: Sequence[Run], bad: Sequence[int]) -> bool:
        """Tell whether more runs were disturbed than made good, and not too many were tried."""
        planned = len(self._plan.order)
        lost = sum(block < planned for block in bad)
        extra = sum(run.block >= planned for run in runs)
        good_again = extra - (len(bad) - lost)
        return good_again < lost and extra < MOST_REPEATS * lost

    def _more(self, state: State) -> Block | None:
        """Return a block of the cases whose interval is still wider than the goal."""
        if self._goal is None:
            return None
        flags = clean.flags_by_run(state.runs)
        found = runs_per_case(run for run in state.runs if run.status == "ok")
        needy = {key for key in self._cases if self._is_needy(found.get(key, []), flags)}
        keys = self._with_references(needy - state.given_up)
        in_time = self._budget_s is None or state.spent_s + state.cost_s(keys) <= self._budget_s
        return self._new(state, keys) if keys and in_time else None

    def _is_needy(self, runs: Sequence[Run], flags: clean.Flags) -> bool:
        if len(runs) >= MOST_BLOCKS:
            return False
        # Stopped at the first narrow interval, a case would be one that looks narrow by chance.
        few = len(runs) < LEAST_RUNS
        return few or self._is_wide(runs, flags) or self._is_wide(runs[:-1], flags)

    def _is_wide(self, runs: Sequence[Run], flags: clean.Flags) -> bool:
        width = figures.latency(clean.undisturbed(runs, flags)).relative_half_width
        return width is None or width > (self._goal or 0)

    def _with_references(self, keys: set[str] | frozenset[str]) -> tuple[str, ...]:
        """Return `keys` and the FP32 cases they are compared with, and the anchors; () for none."""
        if not keys:
            return ()
        kinds = {_kind(case) for case in self._plan.cases if case.key in keys}
        beside = {
            case.key for case in self._plan.cases if case.variant == "fp32" and _kind(case) in kinds
        }
        return tuple(sorted(keys | beside | self._anchors))

    def _new(self, state: State, keys: Sequence[str], repeats: int | None = None) -> Block:
        number = free_number(self._plan, state.runs)
        ordered = order.unplanned(keys, self._plan.seed, number)
        return Block(number=number, keys=ordered, repeats=repeats)


def planned(
    plan: SessionPlan, state: State, first: int = 0, end: int | None = None
) -> Block | None:
    """Return what is missing of the first unfinished block of `plan.order[first:end]`."""
    done = {(run.block, run.case_key) for run in state.runs}
    for number, keys in list(enumerate(plan.order))[first:end]:
        missing = tuple(
            key for key in keys if (number, key) not in done and key not in state.given_up
        )
        if missing:
            return Block(number=number, keys=missing)
    return None


def free_number(plan: SessionPlan, runs: Sequence[Run]) -> int:
    """Return the number of a block that neither the plan nor a run has taken."""
    return max([len(plan.order), *(run.block + 1 for run in runs)])


def _kind(case: Case) -> tuple[str, str, str, int]:
    return case.model, case.backend, case.scenario, case.batch
