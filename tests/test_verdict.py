"""From runs to one verdict: which runs count, what the others are called, what is done about it."""

from __future__ import annotations

import handmade
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.types import Case, Quality, Run
from results import figures
from results.cases import summarise
from results.clean import clean_blocks, flags_by_run, undisturbed
from results.export import COLUMNS
from results.row import COMPARABLE, CaseRow

S = 1_000_000_000
STEAL = {"steal_share": 0.041, "ticks": 1000, "window_s": 5.0}
HOT = {"throttle_events": {"throttled": 1}}


def run(number: int, of: Case = handmade.FP32, factor: float = 1.0, **result: object) -> Run:
    """A good run of block `number`; keywords replace sections of its report."""
    made = handmade.run(number, of, number, factor)
    return msgspec.structs.replace(made, result={**made.result, **result})


def row_of(runs: list[Run], case: Case = handmade.FP32) -> CaseRow:
    return summarise(handmade.plan(cases=(case,), skipped=()), runs)[0]


def test_disturbed_runs_are_left_out_where_five_others_remain():
    runs = [run(n, factor=3.0 if n in (2, 4) else 1.0) for n in range(7)]
    for n in (2, 4):
        runs[n] = run(n, factor=3.0, host=STEAL)
    row = row_of(runs)
    assert (row.verdict, row.runs, row.runs_disturbed, row.runs_failed) == ("valid", 5, 2, 0)
    assert row.reason is None
    assert row.latency_max_s < 0.003
    assert row.peak_rss_bytes == 40_000_000
    assert row.samples == 100
    assert (
        "2 of 7 runs were disturbed and left out: the hypervisor took 4.1% of the cores' time, "
        "above 2.0%"
    ) in row.notes


def test_where_too_few_clean_runs_remain_all_count_and_the_case_is_noisy():
    runs = [run(n, host=STEAL if n < 2 else {}) for n in range(6)]
    row = row_of(runs)
    assert (row.verdict, row.runs, row.runs_disturbed) == ("noisy", 6, 2)
    assert row.reason == (
        "2 of 6 runs were disturbed: the hypervisor took 4.1% of the cores' time, above 2.0%; wait "
        "until the neighbours are quiet, or measure on the board itself"
    )
    assert not [note for note in row.notes if "left out" in note]


def test_the_most_frequent_disturbances_lead_with_the_worst_number():
    swapped = {"timed_host": {"swap_in_pages": 3, "swap_out_pages": 0}}
    worse = {"host": {**STEAL, "steal_share": 0.07}}
    runs = [run(0, **swapped), run(1, host=STEAL), run(2, **worse), run(3), run(4)]
    assert row_of(runs).reason == (
        "3 of 5 runs were disturbed: the hypervisor took 7.0% of the cores' time, above 2.0%, and "
        "3 pages were swapped while samples were taken; wait until the neighbours are quiet, or "
        "measure on the board itself"
    )


def test_the_score_comes_from_a_disturbed_run_too():
    score = Quality(metric="top1", value=0.9, reference=0.9, loss=0.0)
    runs = [run(n, host=STEAL if n == 0 else {}) for n in range(6)]
    runs[0] = msgspec.structs.replace(runs[0], quality=score)
    row = row_of(runs)
    assert (row.runs_disturbed, row.quality) == (1, 0.9)


@pytest.mark.parametrize(("hot", "verdict"), [(2, "valid"), (3, "throttled"), (5, "throttled")])
def test_half_of_the_runs_throttled_is_a_verdict_and_fewer_are_a_note(hot, verdict):
    row = row_of([run(n, timed_host=HOT if n < hot else {}) for n in range(5)])
    assert row.verdict == verdict
    said = row.reason if verdict == "throttled" else next(n for n in row.notes if "throttled" in n)
    assert said == (
        f"{hot} of 5 runs were throttled: throttling counters rose: throttled by 1; cool "
        "the board or fix its clock: boardmark doctor"
    )


def test_a_clock_that_fell_in_half_of_the_runs_is_throttling_before_it_is_noise():
    clocks = [1.5e9, 1.5e9, 1.2e9, 1.2e9, 1.2e9]
    runs = [
        run(n, timed_host={"mean_frequency_hz": {"policy0": hz}}) for n, hz in enumerate(clocks)
    ]
    row = row_of(runs)
    assert (row.verdict, row.runs, row.runs_disturbed) == ("throttled", 5, 3)
    assert "the clock ran 20.0% below that of the case's fast runs, beyond 5.0%" in row.reason
    assert any(note.startswith("3 of 5 runs were disturbed") for note in row.notes)


def test_most_runs_without_a_steady_state_make_a_case_unstable():
    never = {"steady": {"reached": False, "calls": 80, "reason": "it trends"}}
    row = row_of([run(n, **(never if n < 3 else {})) for n in range(5)])
    assert row.verdict == "unstable"
    assert row.reason.startswith(
        "3 of 5 runs reached no steady state (it trends): raise the budget"
    )
    assert row_of([run(n, **(never if n < 2 else {})) for n in range(5)]).verdict == "valid"
    untold = {"steady": {"reached": None, "calls": 5, "reason": "too few calls"}}
    assert row_of([run(n, **untold) for n in range(5)]).verdict == "valid"


def evidence(**facts: object) -> dict[str, object]:
    return {"version": "1", "provider": "XNNPACK", "nodes_total": 100, **facts}


@pytest.mark.parametrize(
    ("facts", "asked", "verdict", "said"),
    [
        ({"nodes_on_provider": 100}, "f32", "valid", None),
        ({"nodes_on_provider": 98}, "f32", "valid", None),
        ({"nodes_on_provider": 89}, "f32", "valid", "11 of 100 nodes ran outside XNNPACK"),
        ({"nodes_on_provider": 50}, "f32", "valid", "50 of 100 nodes ran outside XNNPACK"),
        ({"nodes_on_provider": 49}, "f32", "fallback", "51 of 100 nodes ran outside XNNPACK"),
        ({"nodes_on_provider": None}, "f32", "valid", None),
        ({"precision": "f32"}, "f16", "fallback", "asked to compute in f16, the runtime computes"),
        ({"precision": "bf16"}, "f16", "valid", "asked to compute in f16, the runtime computes"),
        ({"precision": "bf16"}, "f32", "valid", "asked to compute in f32, the runtime computes"),
        ({"precision": "f16"}, "f16", "valid", None),
        ({"precision": "i8"}, "f16", "valid", None),
        ({"precision": "f32"}, None, "valid", None),
    ],
)
def test_fallback_condemns_no_normal_case(facts, asked, verdict, said):
    case = handmade.case("fp16", options={"precision": asked})
    row = row_of([run(n, case, evidence=evidence(**facts)) for n in range(5)], case)
    assert row.verdict == verdict
    sentences = [row.reason] if row.verdict == "fallback" else row.notes
    found = [one for one in sentences if "nodes ran" in one or "asked to compute" in one]
    assert [one.startswith(said) for one in found] == ([True] if said else [])


def test_what_a_graver_verdict_hides_is_a_note():
    case = handmade.case("fp16", options={"precision": "f16"})
    facts = {"evidence": evidence(precision="f32"), "host": STEAL}
    runs = [run(n, case, **facts) for n in range(5)]
    runs[0] = handmade.failed(0, case, 0, "timeout", "no answer in 60 s")
    row = row_of(runs, case)
    assert (row.verdict, row.reason) == ("unstable", "1 of 5 runs failed: no answer in 60 s")
    assert [note.split(":")[0] for note in row.notes[:2]] == [
        "4 of 4 runs were disturbed",
        "asked to compute in f16, the runtime computes in f32",
    ]


def test_flags_that_most_runs_have_are_notes_with_their_advice():
    foreign = {"foreign_share": 0.05, "ticks": 1000, "window_s": 5.0}
    told = row_of([run(n, host=foreign if n < 3 else {}) for n in range(5)])
    assert told.verdict == "valid"
    assert (
        "in 3 of 5 runs other processes took 5.0% of the cores' time, above 2.0%: stop what else "
        "runs on the machine"
    ) in told.notes
    silent = row_of([run(n, host=foreign if n < 2 else {}) for n in range(5)])
    assert not [note for note in silent.notes if "other processes" in note]
    stepped = row_of([run(n, host={"clock_step_s": 2.0} if n < 1 else {}) for n in range(5)])
    assert any("the wall clock was set by 2 s" in note for note in stepped.notes)


def test_only_rows_of_a_quiet_machine_may_be_ranked():
    assert COMPARABLE == ("valid", "imprecise", "fallback")


def test_stop_reasons_are_counted():
    reasons = ["precise", "budget", "precise", None, "no steady state"]
    row = row_of([run(n, stop_reason=reason) for n, reason in enumerate(reasons)])
    assert row.stop_reasons == {"budget": 1, "no steady state": 1, "precise": 2}


def timed(number: int, samples_ns: list[int]) -> Run:
    return msgspec.structs.replace(run(number), samples_ns=tuple(samples_ns))


def test_cold_burst_and_sustained_stand_apart():
    """10 s at 0.5 s a call, then 1 s a call until 200 s have passed, the last third at 2 s."""
    heating = [S // 2] * 20 + [S] * 110 + [2 * S] * 40
    row = row_of([timed(n, heating) for n in range(5)])
    assert (row.latency_burst_s, row.latency_sustained_s) == (0.5, 2.0)
    assert row.first_inference_s == 0.004
    short = row_of([timed(n, [S] * 179) for n in range(5)])
    assert (short.latency_burst_s, short.latency_sustained_s) == (1.0, None)
    mixed = row_of([timed(n, [S] * (180 if n == 3 else 10)) for n in range(5)])
    assert mixed.latency_sustained_s == 1.0
    slow = row_of([timed(n, [20 * S] * 5) for n in range(5)])
    assert slow.latency_burst_s == 20.0
    assert figures.phases([]) == {"latency_burst_s": None, "latency_sustained_s": None}


def test_a_session_of_an_older_version_is_read_as_before():
    bare = {"import_s": 0.5, "load_s": 0.25, "timed_wall_s": 0.04, "peak_rss_bytes": 4}
    runs = [msgspec.structs.replace(run(n), result=bare) for n in range(5)]
    row = row_of(runs)
    assert (row.verdict, row.runs, row.runs_disturbed) == ("valid", 5, 0)
    assert (row.stop_reasons, row.evidence) == ({}, {})
    assert len(clean_blocks(handmade.plan(cases=(handmade.FP32,), order=()), runs)) == 5


def test_a_side_of_a_comparison_is_told_in_the_row():
    assert row_of([], handmade.case("fp32", side="candidate")).side == "candidate"
    assert "side" in COLUMNS


def pair_runs(blocks: int, dirty_base: set[int], dirty_other: set[int]) -> list[Run]:
    made = []
    for case, dirty in ((handmade.FP32, dirty_base), (handmade.INT8, dirty_other)):
        for block in range(blocks):
            one = run(block, case, host=STEAL if block in dirty else {})
            made.append(msgspec.structs.replace(one, run_id=f"{case.variant}-{block}"))
    return made


def test_a_pair_is_taken_from_blocks_that_are_clean_on_both_sides():
    runs = pair_runs(8, {0}, {1, 2})
    assert {one.block for one in undisturbed(runs)} == {3, 4, 5, 6, 7}
    assert len(undisturbed(runs)) == 10
    few = pair_runs(8, {0, 1}, {2, 3})
    assert len(undisturbed(few)) == 16  # four clean blocks are too few: all that succeeded
    assert len(undisturbed(few[:8])) == 6  # one side alone has six


def test_failed_runs_never_count():
    runs = pair_runs(7, set(), set())
    runs[3] = msgspec.structs.replace(runs[3], status="oom")
    assert {one.block for one in undisturbed(runs)} == {0, 1, 2, 4, 5, 6}
    assert all(one.run_id in flags_by_run(runs) for one in undisturbed(runs))
    assert runs[3].run_id not in flags_by_run(runs)
    assert undisturbed([]) == []


def test_a_clean_block_is_complete_and_wholly_clean():
    plan = handmade.plan(
        kind="gate",
        cases=(handmade.FP32, handmade.INT8),
        anchors=(handmade.INT4,),
        order=((handmade.FP32.key, handmade.INT8.key, handmade.INT4.key),) * 4,
    )
    runs = pair_runs(6, {1}, set())
    runs += [run(10 + n, handmade.INT4) for n in range(3)]
    anchors = [msgspec.structs.replace(one, block=block) for block, one in enumerate(runs[-3:])]
    runs[-3:] = anchors
    # 1 is disturbed, 3 lacks its anchor; 4 and 5 lie beyond the order and hold every case
    assert clean_blocks(plan, runs) == {0, 2, 4, 5}
    assert clean_blocks(plan, runs[1:]) == {2, 4, 5}
    assert clean_blocks(plan, [one for one in runs if one.run_id != "fp32-4"]) == {0, 2, 5}
    disturbed = msgspec.structs.replace(anchors[2], result={"host": STEAL})
    assert clean_blocks(plan, [*runs[:-1], disturbed]) == {0, 4, 5}
    failed = msgspec.structs.replace(anchors[2], status="crashed")
    assert clean_blocks(plan, [*runs[:-1], failed]) == {0, 4, 5}
    assert clean_blocks(plan, []) == frozenset()


@given(dirty=st.sets(st.integers(0, 9)), blocks=st.integers(0, 10))
@settings(max_examples=60, deadline=None)
def test_a_rows_runs_are_those_of_the_rule(dirty, blocks):
    runs = [run(n, host=STEAL if n in dirty else {}) for n in range(blocks)]
    clean = [one for one in runs if one.block not in dirty]
    row = row_of(runs)
    kept = clean if len(clean) >= 5 else runs
    assert undisturbed(runs) == kept
    assert row.runs == len(kept)
    assert row.runs_disturbed == len(runs) - len(clean)
    assert (row.verdict == "noisy") == (bool(runs) and len(clean) < 5 and len(clean) < len(runs))
