"""Which block comes next, from the plan and the runs alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from handmade import FP32, INT4, INT8, case, plan

from harness.commands.driving import _time_plan
from harness.session.gating import GateSchedule
from harness.session.schedule import MOST_BLOCKS, Block, RunSchedule, Schedule, State
from harness.types import Case, Run, SessionPlan

CASES = (FP32, INT8, INT4)
# Pages were read back from swap: no threshold to sit on.
SWAPPED = {"timed_host": {"swap_in_pages": 12, "swap_out_pages": 0, "window_s": 1.0}}


def run(block: Block, key: str, seq: int, p50_ns: int = 1_000_000, **result: Any) -> Run:
    if block.repeats is not None:
        result["repeats"] = block.repeats
    return Run(
        run_id=f"{block.number}-{key}", session_id="s", seq=seq, block=block.number, case_key=key,
        status="ok", reason=None, started_unix_s=0.0, duration_s=1.0,
        samples_ns=(p50_ns,) * 9, result=result,
    )  # fmt: skip


Measure = Callable[[Block, str, int], Run]


def play(
    schedule: Schedule, measure: Measure, cost_s: float = 1.0
) -> list[tuple[Block, list[Run]]]:
    """Drive the schedule without a board: every run takes `cost_s`."""
    runs: list[Run] = []
    blocks = []
    while True:
        state = State(
            runs=tuple(runs), spent_s=len(runs) * cost_s, given_up=frozenset(),
            cost_s=lambda keys: len(keys) * cost_s,
        )  # fmt: skip
        block = schedule.next(state)
        if block is None:
            return blocks
        made = [measure(block, key, len(runs) + at) for at, key in enumerate(block.keys)]
        runs += made
        blocks.append((block, made))
        assert len(blocks) < 200, "the schedule does not end"


def calm(block: Block, key: str, seq: int) -> Run:
    return run(block, key, seq)


def sampling(**changes: Any) -> dict[str, Any]:
    return {"precision": 0.05, "goal": None, "budget_s": None, "planned_s": 100.0, **changes}


def test_a_calm_session_is_its_plan_and_nothing_more() -> None:
    chosen = plan(sampling=sampling())
    played = play(RunSchedule(chosen), calm)
    assert [block.keys for block, _ in played] == list(chosen.order)


def test_a_disturbed_run_is_repeated_with_its_reference_at_most_twice() -> None:
    def swaps(block: Block, key: str, seq: int) -> Run:
        hit = key == INT4.key and 1 in (block.number, block.repeats)
        return run(block, key, seq, **(SWAPPED if hit else {}))

    played = play(RunSchedule(plan(sampling=sampling())), swaps)
    repeats = [block for block, _ in played if block.repeats is not None]
    assert [block.repeats for block in repeats] == [1, 1]
    assert [set(block.keys) for block in repeats] == [{FP32.key, INT4.key}] * 2
    assert [block.number for block in repeats] == [5, 6]


def test_a_repeat_that_goes_well_is_the_last() -> None:
    def swaps_once(block: Block, key: str, seq: int) -> Run:
        hit = key == INT8.key and block.number == 0
        return run(block, key, seq, **(SWAPPED if hit else {}))

    played = play(RunSchedule(plan(sampling=sampling())), swaps_once)
    assert [block.repeats for block, _ in played if block.repeats is not None] == [0]


def test_repeats_keep_to_the_announced_time() -> None:
    def always(block: Block, key: str, seq: int) -> Run:
        return run(block, key, seq, **SWAPPED)

    played = play(RunSchedule(plan(sampling=sampling(planned_s=15.0))), always)
    assert sum(len(made) for _, made in played) <= 15 * 1.15
    roomy = play(RunSchedule(plan(sampling=sampling(planned_s=1000.0))), always)
    assert len(roomy) == 15, "five blocks, each repeated twice"


def noisy(block: Block, key: str, seq: int) -> Run:
    """INT4 swings by 20 % from run to run; the others do not."""
    swing = (-1) ** block.number * (200_000 if key == INT4.key else 0)
    return run(block, key, seq, p50_ns=1_000_000 + swing)


def test_only_the_cases_that_need_it_get_more_blocks() -> None:
    played = play(RunSchedule(plan(sampling=sampling(goal=0.05))), noisy)
    extra = [set(block.keys) for block, _ in played[5:]]
    assert len(extra) == MOST_BLOCKS - 5
    assert all(keys == {FP32.key, INT4.key} for keys in extra)
    assert len(play(RunSchedule(plan(sampling=sampling(goal=0.05))), calm)) == 5


def test_the_longest_time_that_a_precision_may_take_is_announced() -> None:
    told = _time_plan(plan(sampling=sampling(goal=0.02, planned_s=100.0)))
    assert told == (
        "about 2 min, then up to 30 runs of each case wider than ±2.0%, 10 min at the most"
    )


def test_a_budget_ends_the_additions() -> None:
    played = play(RunSchedule(plan(sampling=sampling(goal=0.05, budget_s=20.0))), noisy)
    assert 15 < sum(len(made) for _, made in played) <= 20


def test_a_budget_too_short_for_the_plan_still_makes_two_blocks() -> None:
    played = play(RunSchedule(plan(sampling=sampling(goal=0.05, budget_s=1.0))), noisy)
    assert [block.number for block, _ in played] == [0, 1]


def gate_plan(blocks: int = 5, **changes: Any) -> SessionPlan:
    base, candidate = case("fp32", side="base"), case("fp32", side="candidate")
    keys = (base.key, candidate.key)
    return plan(
        kind="gate", cases=(base, candidate), skipped=(), blocks=2 * blocks,
        order=(keys, keys[::-1]) * blocks, sampling=sampling(**changes),
        design={"blocks": blocks, "looks": 2},
    )  # fmt: skip


@pytest.mark.parametrize(("more", "looked"), [(False, 5), (True, 10)])
def test_a_gate_takes_its_second_look_only_where_the_first_cannot_tell(
    more: bool, looked: int
) -> None:
    asked: list[int] = []

    def needs_more(runs: Sequence[Run]) -> bool:
        asked.append(len(runs))
        return more

    played = play(GateSchedule(gate_plan(), needs_more), calm)
    assert len(played) == looked
    assert asked == [10], "asked once, after the first look"


def test_a_gate_repeats_a_disturbed_block_whole_before_it_looks() -> None:
    chosen = gate_plan()
    victim = chosen.cases[1].key

    def swaps(block: Block, key: str, seq: int) -> Run:
        return run(block, key, seq, **(SWAPPED if (block.number, key) == (3, victim) else {}))

    seen: list[int] = []
    played = play(GateSchedule(chosen, lambda runs: bool(seen.append(len(runs)))), swaps)
    repeats = [block for block, _ in played if block.repeats is not None]
    assert [(block.repeats, block.keys) for block in repeats] == [(3, chosen.order[3])]
    assert seen == [12]


def test_a_gate_stops_where_its_budget_does() -> None:
    played = play(GateSchedule(gate_plan(budget_s=7.0), lambda runs: True), calm)
    assert sum(len(made) for _, made in played) == 6


def test_a_gate_without_a_budget_repeats_no_longer_than_announced() -> None:
    def always(block: Block, key: str, seq: int) -> Run:
        return run(block, key, seq, **SWAPPED)

    roomy = play(GateSchedule(gate_plan(planned_s=1000.0), lambda runs: True), always)
    assert len(roomy) == 30, "ten blocks, each repeated twice"
    tight = play(GateSchedule(gate_plan(planned_s=12.0), lambda runs: True), always)
    made = sum(len(runs) for _, runs in tight)
    assert 10 < made <= 12 * 1.15 + 10, "what is planned is measured, repeats keep to the time"
    assert {block.number for block, _ in tight} >= set(range(10))


def test_a_gate_whose_side_is_given_up_ends() -> None:
    chosen = gate_plan()
    state = State(
        runs=(), spent_s=0.0, given_up=frozenset({chosen.cases[0].key}), cost_s=lambda keys: 0.0
    )
    assert GateSchedule(chosen, lambda runs: False).next(state) is None


def test_one_side_given_up_costs_only_its_pair() -> None:
    more = tuple(case("int4", side=side) for side in ("base", "candidate"))
    chosen = gate_plan()
    chosen = msgspec.structs.replace(
        chosen,
        cases=(*chosen.cases, *more),
        order=tuple((*keys, *(each.key for each in more)) for keys in chosen.order),
    )
    state = State(runs=(), spent_s=0.0, given_up=frozenset({more[1].key}), cost_s=lambda keys: 0.0)
    block = GateSchedule(chosen, lambda runs: False).next(state)
    assert block is not None
    assert more[1].key not in block.keys
    assert chosen.cases[0].key in block.keys


def test_narrow_by_chance_once_is_not_precise() -> None:
    """Five equal runs and then wide ones: the first narrow interval does not end a case."""

    def lucky(block: Block, key: str, seq: int) -> Run:
        swing = 300_000 if block.number == 3 else 0
        return run(block, key, seq, p50_ns=1_000_000 + swing)

    played = play(RunSchedule(plan(sampling=sampling(goal=0.08))), lucky)
    widths = [len(made) for _, made in played]
    assert len(widths) > 6


def test_labels_tell_the_sides_apart() -> None:
    sides: tuple[Case, ...] = gate_plan().cases
    assert [each.label.split()[-1] for each in sides] == ["(base)", "(candidate)"]
