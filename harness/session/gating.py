"""The blocks of a gate: one look, and a second one only where the first could not tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.gate.blocks import sides
from harness.plan import pace
from harness.session.schedule import MOST_REPEATS, Block, State, free_number, planned
from harness.types import Run, SessionPlan
from results import clean, measured


class GateSchedule:
    """Two looks fixed beforehand; a block with a disturbed run is repeated whole.

    The end of a look is decided by counts and by time, never by what the figures say, but for the
    one extension that every error rate here accounts for.
    """

    def __init__(self, plan: SessionPlan, needs_more: Callable[[Sequence[Run]], bool]) -> None:
        """Take the question that decides about the second look; it is asked once."""
        self._plan = plan
        self._needs_more = needs_more
        self._first = int(plan.design["blocks"])
        self._budget_s = measured.number(plan.sampling, "budget_s")
        planned_s = measured.number(plan.sampling, "planned_s") or 0.0
        self._repeats_s = self._budget_s or planned_s * pace.TOLERANCE
        self._extends: bool | None = None

    def next(self, state: State) -> Block | None:
        """Return what is missing of the first look, then of the second, if that is needed."""
        if all(state.given_up & {base.key, other.key} for base, other in sides(self._plan)):
            return None
        block = self._of(state, 0, self._first)
        if block is None and self._second(state):
            block = self._of(state, self._first, len(self._plan.order))
        in_time = self._budget_s is None or (block and _ends_s(state, block) <= self._budget_s)
        return block if in_time else None

    def _of(self, state: State, begin: int, end: int) -> Block | None:
        """Return what is missing of the blocks from `begin` to `end`, repeats included."""
        block = planned(self._plan, state, begin, end)
        if block is not None:
            return block
        for number in range(begin, end):
            if _is_spoiled(number, state.runs):
                fresh = free_number(self._plan, state.runs)
                keys = tuple(k for k in self._plan.order[number] if k not in state.given_up)
                again = Block(number=fresh, keys=keys, repeats=number)
                return again if _ends_s(state, again) <= self._repeats_s else None
        return None

    def _second(self, state: State) -> bool:
        if self._extends is None:
            self._extends = self._needs_more(state.runs)
        return self._extends


def _ends_s(state: State, block: Block) -> float:
    """Return the seconds that the session will have taken after `block`."""
    return state.spent_s + state.cost_s(block.keys)


def _is_spoiled(number: int, runs: Sequence[Run]) -> bool:
    """Tell whether no try of a planned block went undisturbed and another one is allowed."""
    tries = {run.block for run in runs if number in (run.block, run.result.get("repeats"))}
    flags = clean.flags_by_run(runs)
    undisturbed = (
        all(clean.is_clean(run, flags) for run in runs if run.block == block and run.status == "ok")
        for block in tries
    )
    return bool(tries) and len(tries) <= MOST_REPEATS and not any(undisturbed)
