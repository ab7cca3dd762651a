"""Two sides to one judgement: what regresses, what passes, and what nobody may let pass."""

from __future__ import annotations

import math
from typing import Any

import gate_session
import handmade
import msgspec
import pytest
from gate_session import disturbed, replace, scored

from harness.errors import UsageError
from harness.gate.incomparable import incomparable, incomparable_sessions
from harness.gate.judge import judge, needs_extension
from harness.gate.policy import Limit, Policy
from harness.gate.verdict import Judgement, MetricVerdict
from harness.types import Quality, Run, TensorSpec

PLAN = gate_session.plan()
NO_NULLS: tuple[float, ...] = ()


def of(judgement: Judgement, metric: str, kind: str = "margin") -> MetricVerdict:
    found = [v for v in judgement.verdicts if (v.metric, v.kind) == (metric, kind)]
    assert len(found) == 1
    return found[0]


def asked(runs: list[Run], plan: Any = PLAN, nulls: Any = NO_NULLS, **policy: Any) -> Judgement:
    return judge(plan, runs, Policy(**policy), nulls)


def each(runs: list[Run], side: str, change: Any) -> list[Run]:
    """Apply `change` to the runs of one side."""
    keys = {case.key for case in PLAN.cases if case.side == side}
    return [change(run) if run.case_key in keys else run for run in runs]


def test_a_clear_regression():
    judgement = asked(gate_session.runs(PLAN, slower=1.05))
    latency = of(judgement, "latency_p50")
    assert (judgement.outcome, judgement.exit_code) == ("regressed", 1)
    assert latency.outcome == "regressed"
    assert latency.blocking
    assert latency.change == pytest.approx(0.05, abs=0.01)
    assert latency.change_lo < latency.change < latency.change_hi
    assert latency.candidate / latency.base == pytest.approx(1 + latency.change, abs=0.005)
    assert latency.p <= latency.p_limit == 0.01 / 2 / 2
    assert latency.n == 10
    assert latency.advice
    assert of(judgement, "peak_memory").outcome == "pass"
    assert judgement.family == 2


def test_equal_sides_pass():
    judgement = asked(gate_session.runs(PLAN))
    assert (judgement.outcome, judgement.exit_code) == ("pass", 0)
    assert {verdict.outcome for verdict in judgement.verdicts} == {"pass"}
    assert not any(verdict.blocking for verdict in judgement.verdicts)
    assert judgement.smallest_p == 1.0
    assert "(one-sided, 99.500%), within the margin of 3.00%" in of(judgement, "latency_p50").reason


def test_a_significant_change_within_the_margin_passes():
    judgement = asked(gate_session.runs(PLAN, slower=1.015, noise=0.001))
    latency = of(judgement, "latency_p50")
    assert latency.outcome == "pass"
    assert latency.p < 1e-6
    assert latency.p_alarm == 1.0


def test_too_noisy_to_tell_does_not_pass():
    judgement = asked(gate_session.runs(PLAN, noise=0.2))
    latency = of(judgement, "latency_p50")
    assert (judgement.outcome, judgement.exit_code) == ("inconclusive", 3)
    assert latency.outcome == "inconclusive"
    assert not latency.missing
    assert "cannot tell" in latency.reason
    assert "boardmark doctor" in (latency.advice or "")
    assert needs_extension(judgement)


def test_throughput_is_judged_offline_and_less_of_it_is_worse():
    plan = gate_session.plan([gate_session.pair(scenario="offline", batch=4)])
    judgement = asked(gate_session.runs(plan, slower=1.06), plan)
    throughput = of(judgement, "throughput")
    assert throughput.outcome == "regressed"
    assert throughput.better == "higher"
    assert throughput.change == pytest.approx(1 / 1.06 - 1, abs=0.01)
    assert throughput.change_lo < throughput.change < throughput.change_hi < 0
    assert throughput.base == pytest.approx(4 / 0.002, rel=0.05)
    assert [v.metric for v in judgement.verdicts] == ["throughput", "peak_memory"]
    named = asked(gate_session.runs(plan, slower=1.06), plan, margins={"latency_p50": 0.03})
    assert of(named, "latency_p50").outcome == "regressed"


def test_memory_may_grow_by_two_chunks_of_an_allocator():
    """4 MB are 4 % of 100 MB; a small process may grow by more than that of itself."""
    assert of(asked(gate_session.runs(PLAN, memory=1.05)), "peak_memory").outcome == "regressed"
    assert of(asked(gate_session.runs(PLAN, memory=1.03)), "peak_memory").outcome == "pass"
    small = [
        replace(run, result={**run.result, "peak_rss_bytes": 20_000_000 + extra})
        for run in gate_session.runs(PLAN)
        for extra in [2_100_000 if run.case_key == PLAN.cases[1].key else 1000 * (run.block % 3)]
    ]
    verdict = of(asked(small), "peak_memory")
    assert verdict.outcome == "pass"
    assert verdict.limit == pytest.approx(0.2, rel=0.01)


def test_a_missing_side_does_not_pass():
    runs = [run for run in gate_session.runs(PLAN) if run.case_key == PLAN.cases[0].key]
    judgement = asked(runs, block=())
    assert (judgement.outcome, judgement.exit_code) == ("inconclusive", 3)
    assert all(verdict.missing and verdict.blocking for verdict in judgement.verdicts)
    assert not needs_extension(judgement)
    assert asked([]).exit_code == 3


def test_few_blocks_may_show_a_regression_and_never_pass():
    equal = asked(gate_session.runs(PLAN, blocks=7), block=())
    assert equal.exit_code == 3
    assert of(equal, "latency_p50").missing
    assert "7 of 10 clean blocks" in of(equal, "latency_p50").reason
    assert asked(gate_session.runs(PLAN, blocks=7, slower=1.2)).outcome == "regressed"
    assert asked(gate_session.runs(PLAN, blocks=4, slower=1.2)).outcome == "inconclusive"


def test_a_disturbed_run_rejects_its_whole_block():
    runs = gate_session.runs(PLAN, blocks=13)
    spoilt = [
        disturbed(replace(run, samples_ns=tuple(3 * value for value in run.samples_ns)))
        if run.block in (2, 5, 9) and run.case_key == PLAN.cases[1].key
        else run
        for run in runs
    ]
    judgement = asked(spoilt)
    assert judgement.outcome == "pass"
    assert judgement.rejected == {"steal": 3}
    assert (judgement.blocks_used, judgement.blocks_rejected) == (10, 3)
    assert any("3 of 13 blocks were disturbed (steal 3)" in text for text in judgement.warnings)
    every = asked([disturbed(run) for run in runs], block=())
    assert (every.outcome, every.exit_code, every.blocks_used) == ("inconclusive", 3, 0)


def test_a_disturbed_run_rejects_the_block_of_the_other_pairs_too():
    pairs = [gate_session.pair(), gate_session.pair(backend="other")]
    plan = gate_session.plan(pairs)
    runs = gate_session.runs(plan)
    runs[0] = disturbed(runs[0])
    judgement = asked(runs, plan)
    assert {v.n for v in judgement.verdicts} == {9}
    assert judgement.family == 4


def test_a_failed_run_takes_only_its_own_pairs_block():
    plan = gate_session.plan([gate_session.pair(), gate_session.pair(backend="other")])
    runs = gate_session.runs(plan, blocks=11)
    runs[0] = replace(runs[0], status="crashed", reason="SIGILL", samples_ns=(), result={})
    judgement = asked(runs, plan)
    assert judgement.outcome == "pass"
    assert [v.n for v in judgement.verdicts] == [10, 10, 11, 11]
    assert any("1 runs of the base failed" in text for text in judgement.warnings)


def test_a_candidate_that_crashes_once_has_failed():
    runs = gate_session.runs(PLAN)
    runs[1] = replace(
        runs[1], status="crashed", reason="killed by SIGILL", samples_ns=(), result={}
    )
    judgement = asked(runs, block=())
    assert (judgement.outcome, judgement.exit_code) == ("failed", 4)
    verdict = of(judgement, "runs", "runs")
    assert "killed by SIGILL" in verdict.reason
    assert not needs_extension(judgement)


def test_a_base_that_never_runs_has_failed():
    runs = each(
        gate_session.runs(PLAN),
        "base",
        lambda run: replace(run, status="oom", reason="out of memory", samples_ns=()),
    )
    judgement = asked(runs)
    assert judgement.outcome == "failed"
    assert "10 runs of the base failed: out of memory" in judgement.verdicts[0].reason


def test_a_skipped_point_is_missing_data():
    plan = gate_session.plan(skipped=handmade.plan().skipped * 2)
    judgement = asked(gate_session.runs(plan), plan, block=())
    assert (judgement.outcome, judgement.exit_code) == ("inconclusive", 3)
    assert [v.metric for v in judgement.verdicts].count("runs") == 1
    assert "pass --calibration" in judgement.verdicts[0].reason


def test_nothing_to_judge_does_not_pass():
    judgement = asked([], gate_session.plan([]), block=())
    assert judgement.exit_code == 3
    off = asked(
        gate_session.runs(PLAN),
        margins={"latency_p50": None, "peak_memory": None, "quality": None},
        block=(),
    )
    assert off.exit_code == 3


# --- looks, family, calibration


def test_the_second_look_takes_all_blocks_and_the_first_stands_by_itself():
    plan = gate_session.plan(blocks=10)
    early = gate_session.runs(plan, slower=1.1, blocks=10)
    late = gate_session.runs(plan, slower=0.9, blocks=20, seed=2)
    runs = early + [run for run in late if run.block >= 10]
    judgement = asked(runs, plan)
    latency = of(judgement, "latency_p50")
    assert latency.outcome == "regressed"
    assert latency.n == 10
    assert latency.change == pytest.approx(0.1, abs=0.02)
    assert of(judgement, "peak_memory").n == 20
    assert not needs_extension(judgement)


def test_there_is_no_third_look():
    runs = gate_session.runs(PLAN, noise=0.3, blocks=60)
    latency = of(asked(runs), "latency_p50")
    assert (latency.n, latency.outcome) == (20, "inconclusive")
    assert not needs_extension(asked(runs))


def test_each_look_has_half_of_alpha_and_the_family_shares_it():
    plan = gate_session.plan([gate_session.pair(), gate_session.pair(backend="other")])
    judgement = asked(gate_session.runs(plan), plan, margins={"energy": 0.05}, alpha=0.05)
    assert judgement.family == 6
    assert {v.p_limit for v in judgement.verdicts} == {0.05 / 2 / 6}


def test_uncalibrated_says_how_many_are_missing():
    judgement = asked(gate_session.runs(PLAN), nulls=[0.5] * 12)
    assert not judgement.calibrated
    assert judgement.calibration == (
        "UNCALIBRATED: 12 of 99 A/A sessions of this device and design; 87 are missing: boardmark "
        "calibrate --blocks 10 --sessions 87 with this --base"
    )


def test_equal_sides_that_went_further_than_alpha_lower_the_limit_before_there_are_enough():
    runs = gate_session.runs(PLAN, slower=1.1)
    found = of(asked(runs, nulls=[0.5, 0.002, 0.9]), "latency_p50")
    assert found.p_limit == math.nextafter(0.002, 0)
    assert of(asked(runs, nulls=[0.5, 0.003]), "latency_p50").p_limit == 0.01 / 2 / 2
    assert of(asked(runs, nulls=[found.p]), "latency_p50").outcome == "inconclusive"


def test_a_first_look_that_lacks_blocks_is_none_yet():
    few = gate_session.runs(PLAN, blocks=7, slower=1.2)
    assert asked(few).outcome == "regressed", "all there is, at the end of the time"
    assert needs_extension(asked(few))
    assert not needs_extension(asked(gate_session.runs(PLAN, slower=1.2)))
    broken = [
        replace(run, status="crashed", samples_ns=()) if run.block == 3 else run for run in few
    ]
    assert not needs_extension(asked(broken))


def test_enough_nulls_set_the_limit_by_rank():
    nulls = [0.0007 + index / 1000 for index in range(104)]
    runs = gate_session.runs(PLAN, slower=1.02, noise=0.01)
    judgement = asked(runs, nulls=nulls)
    assert judgement.calibrated
    assert judgement.calibration == "calibrated by 104 A/A sessions"
    assert {v.p_limit for v in judgement.verdicts} == {math.nextafter(0.0007, 0)}


def test_the_smallest_p_is_that_of_both_looks():
    early = gate_session.runs(PLAN, slower=1.05, noise=0.02, blocks=10)
    late = gate_session.runs(PLAN, slower=0.9, noise=0.02, blocks=20, seed=3)
    runs = early + [run for run in late if run.block >= 10]
    latency = of(asked(runs), "latency_p50")
    first = of(asked(early), "latency_p50")
    assert asked(runs).smallest_p == latency.p_alarm == first.p_alarm == first.p
    lacking = [replace(run, result={**run.result, "peak_rss_bytes": None}) for run in runs]
    assert asked(lacking).smallest_p is None


# --- the clock


def clocked(run: Run, hz: float) -> Run:
    idle = {"policy0": hz, "policy4": 1e8}
    return replace(run, result={**run.result, "timed_host": {"mean_frequency_hz": idle}})


def test_slower_only_by_the_clock_is_inconclusive():
    runs = gate_session.runs(PLAN, slower=1.06)
    runs = each(runs, "base", lambda run: clocked(run, 1.06e9))
    slowed = each(runs, "candidate", lambda run: clocked(run, 1.0e9))
    latency = of(asked(slowed), "latency_p50")
    assert latency.outcome == "inconclusive"
    assert "the clock differed: 1.06 GHz under the base, 1.00 GHz" in latency.reason
    assert latency.change == pytest.approx(0.06, abs=0.01)
    same = each(runs, "candidate", lambda run: clocked(run, 1.06e9))
    assert of(asked(same), "latency_p50").outcome == "regressed"
    assert of(asked(runs), "latency_p50").outcome == "regressed", "unknown on one side"


def test_a_clock_that_is_known_roughly_explains_no_regression():
    runs = gate_session.runs(PLAN, slower=1.05)
    base = PLAN.cases[0].key
    rough = [
        clocked(run, 1.04e9 if run.block % 2 == (run.case_key == base) else 1.0e9) for run in runs
    ]
    assert of(asked(runs), "latency_p50").outcome == "regressed"
    assert of(asked(rough), "latency_p50").outcome == "regressed", "the clocks are alike on average"


# --- p99, budgets, quality


def test_p99_of_short_runs_is_inconclusive_with_the_bound():
    short = gate_session.runs(PLAN, samples=60)
    assert asked(short).outcome == "pass"
    verdict = of(asked(short, margins={"latency_p99": 0.1}, block=()), "latency_p99")
    assert verdict.outcome == "inconclusive"
    assert verdict.missing
    assert "needs 100 samples and one has 60" in verdict.reason
    one_short = gate_session.runs(PLAN)
    one_short[3] = replace(one_short[3], samples_ns=one_short[3].samples_ns[:99])
    lacking = of(asked(one_short, margins={"latency_p99": 0.1}), "latency_p99")
    assert lacking.missing
    assert "one has 99" in lacking.reason
    enough = asked(gate_session.runs(PLAN), margins={"latency_p99": 0.1})
    assert of(enough, "latency_p99").outcome == "pass"


def budget(name: str, limit: Limit, runs: list[Run] | None = None) -> MetricVerdict:
    judgement = asked(runs or gate_session.runs(PLAN, samples=220), budgets={name: limit})
    return of(judgement, name, "budget")


@pytest.mark.parametrize(
    ("name", "over", "within"),
    [
        ("latency_p50", 0.001, 0.003),
        ("latency_p99", 0.001, 0.003),
        ("peak_memory", 90e6, 120e6),
        ("size", 999, 1000),
        ("energy", 0.01, 0.03),
    ],
)
def test_budgets(name, over, within):
    verdict = budget(name, Limit(value=over))
    assert (verdict.outcome, verdict.blocking) == ("over-budget", True)
    assert verdict.limit == over
    assert verdict.candidate > over
    assert budget(name, Limit(value=within)).outcome == "pass"


def test_a_budget_within_the_interval_is_inconclusive():
    found = budget("latency_p50", Limit(value=0.01))
    for near in (0.9999, 1.0001):
        verdict = budget("latency_p50", Limit(value=found.candidate * near))
        assert verdict.outcome == "inconclusive"
        assert "the interval holds the limit" in verdict.reason


def test_memory_that_was_needed_once_is_needed():
    runs = gate_session.runs(PLAN)
    runs[5] = replace(runs[5], result={**runs[5].result, "peak_rss_bytes": 130_000_000})
    verdict = budget("peak_memory", Limit(value=120e6), runs)
    assert (verdict.outcome, verdict.candidate) == ("over-budget", 130_000_000)


def test_over_budget_fails_the_gate():
    judgement = asked(gate_session.runs(PLAN), budgets={"size": Limit(value=10)})
    assert (judgement.outcome, judgement.exit_code) == ("over-budget", 1)


def test_memory_as_a_share_of_the_boards_ram():
    assert budget("peak_memory", Limit(value=0.2, of_ram=True)).outcome == "pass"
    over = budget("peak_memory", Limit(value=0.05, of_ram=True))
    assert over.outcome == "over-budget"
    assert over.limit == 50_000_000
    plan = gate_session.plan(environment={})
    unknown = judge(
        plan,
        gate_session.runs(plan),
        Policy(budgets={"peak_memory": Limit(value=0.7, of_ram=True)}, block=()),
        (),
    )
    assert unknown.exit_code == 3
    assert "RAM of the board is unknown" in of(unknown, "peak_memory", "budget").reason


def test_p99_budget_of_few_samples_is_inconclusive():
    verdict = budget("latency_p99", Limit(value=0.2), gate_session.runs(PLAN, samples=20))
    assert verdict.outcome == "inconclusive"
    assert verdict.missing
    assert "p99 needs 528 samples and there are 200" in verdict.reason


@pytest.mark.parametrize(
    ("loss", "lo", "hi", "outcome"),
    [
        (0.0, 0.0, 0.0, "pass"),
        (0.004, 0.001, 0.009, "pass"),
        (0.004, -0.01, 0.02, "inconclusive"),
        (0.03, 0.02, 0.04, "regressed"),
        (0.03, None, None, "inconclusive"),
    ],
)
def test_quality_against_the_base(loss, lo, hi, outcome):
    runs = gate_session.runs(PLAN)
    runs[1] = scored(runs[1], loss, lo, hi)
    judgement = asked(runs)
    verdict = of(judgement, "quality")
    assert verdict.outcome == judgement.outcome == outcome
    assert (verdict.base, verdict.limit, verdict.n) == (0.97, 0.01, 360)
    assert (verdict.change, verdict.better) == (-loss, "higher")
    if lo is not None:
        assert (verdict.change_lo, verdict.change_hi) == (-hi, -lo)
    over = {"regressed": "over-budget"}.get(outcome, outcome)
    held = asked(runs, budgets={"quality_loss": Limit(value=0.012)}, margins={"quality": None})
    assert of(held, "quality_loss", "budget").outcome == over


def test_an_unknown_quality_is_a_note_unless_it_is_named():
    runs = gate_session.runs(PLAN)
    judgement = asked(runs)
    assert judgement.outcome == "pass"
    assert any("the quality is unknown: no run was scored" in text for text in judgement.warnings)
    assert asked(runs, margins={"quality": 0.01}, block=()).exit_code == 3
    assert asked(runs, budgets={"quality_loss": Limit(value=0.01)}, block=()).exit_code == 3


def test_outputs_that_cannot_be_compared_never_pass():
    runs = gate_session.runs(PLAN)
    other = Quality(metric="m", value=None, reference=None, loss=None, reason="shape [1, 10]")
    runs[1] = replace(runs[1], quality=other)
    judgement = asked(runs, block=())
    assert (judgement.outcome, judgement.exit_code) == ("inconclusive", 3)
    assert "shape [1, 10]" in of(judgement, "quality").reason


def test_a_score_counts_though_its_block_was_disturbed():
    runs = gate_session.runs(PLAN, blocks=11)
    runs[1] = scored(disturbed(runs[1]), 0.05, 0.04, 0.06)
    assert of(asked(runs), "quality").outcome == "regressed"


# --- what blocks, warnings, names


def test_what_does_not_block_becomes_a_warning():
    runs = gate_session.runs(PLAN, slower=1.05)
    judgement = asked(runs, block=("inconclusive",))
    assert (judgement.outcome, judgement.exit_code) == ("pass", 0)
    assert of(judgement, "latency_p50").outcome == "regressed"
    assert any("regressed, which this policy does not block" in w for w in judgement.warnings)
    noisy = asked(gate_session.runs(PLAN, noise=0.2), block=("regressed",))
    assert noisy.exit_code == 0


def test_the_worst_outcome_counts():
    runs = gate_session.runs(PLAN, noise=0.2)
    judgement = asked(runs, budgets={"size": Limit(value=1)})
    assert {v.outcome for v in judgement.verdicts} >= {"inconclusive", "over-budget"}
    assert judgement.exit_code == 1
    assert not needs_extension(judgement)


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ({"nodes_on_provider": 3}, "had 60% of its nodes on cpu and 100% of the base's"),
        ({"provider": "reference"}, "ran on reference and the base on cpu"),
        ({"precision": "f16"}, "computed in f16 and the base in f32"),
        ({"threads": 1}, "took 1 threads and the base 2"),
    ],
)
def test_a_candidate_that_fell_back_is_warned_about(evidence, words):
    def fall_back(run: Run) -> Run:
        found = {**run.result["evidence"], **evidence}
        return replace(run, result={**run.result, "evidence": found})

    judgement = asked(each(gate_session.runs(PLAN), "candidate", fall_back))
    assert any(words in warning for warning in judgement.warnings)
    assert not any(words in warning for warning in asked(gate_session.runs(PLAN)).warnings)


def test_an_injected_slow_down_is_said():
    base, candidate = gate_session.pair()
    plan = gate_session.plan([(base, replace_case(candidate, slow_down=0.05))])
    judgement = asked(gate_session.runs(plan), plan)
    assert any("slowed down by 5.0% on purpose" in text for text in judgement.warnings)


def replace_case(case: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(case, **changes)


def test_the_sides_are_named_by_the_design_or_by_what_differs():
    judgement = asked(gate_session.runs(PLAN))
    assert (judgement.base, judgement.candidate) == ("digits fp32", "digits int8-dynamic")
    plan = gate_session.plan(
        design={"blocks": 10, "names": {"base": "old.onnx", "candidate": "new.onnx"}}
    )
    named = asked(gate_session.runs(plan), plan)
    assert (named.base, named.candidate) == ("old.onnx", "new.onnx")
    base, candidate = gate_session.pair()
    twin = replace_case(candidate, variant="fp32", runtime_version="2.0")
    versions = gate_session.plan([(base, twin)])
    judged = asked(gate_session.runs(versions), versions)
    assert (judged.base, judged.candidate) == ("null 1.0", "null 2.0")


def test_no_number_is_without_end():
    runs = gate_session.runs(PLAN, blocks=2, noise=3.0)
    judgement = asked(runs, gate_session.plan(blocks=2))
    numbers = [
        value
        for verdict in judgement.verdicts
        for value in msgspec.to_builtins(verdict).values()
        if isinstance(value, float)
    ]
    assert all(math.isfinite(value) for value in numbers)


# --- what cannot be compared


def test_what_cannot_be_compared_is_refused_with_the_keys():
    base, candidate = gate_session.pair()
    assert incomparable(base, candidate) == ()
    other = replace_case(candidate, threads=4, affinity=(0, 2))
    assert incomparable(base, other) == ("threads 2 and 4", "affinity none and 0+2")
    wide = TensorSpec(name="x", dtype="float32", shape=(1, 9))
    assert incomparable(base, replace_case(candidate, inputs=(wide,))) == (
        "inputs x float32 [1, 8] and x float32 [1, 9]",
    )
    assert incomparable(
        base, replace_case(candidate, scenario="offline", batch=8, device="pi")
    ) == (
        "device local and pi",
        "scenario single-stream and offline",
        "batch 1 and 8",
    )
    with pytest.raises(UsageError, match="incomparable with its base: threads 2 and 4"):
        asked([], gate_session.plan([(base, other)]))


def test_sessions_of_other_machines_and_seeds_are_told():
    ours = gate_session.plan(environment={"cpu_model": "A", "arch": "x86_64"})
    theirs = gate_session.plan(environment={"cpu_model": "B", "arch": None}, seed=8)
    assert incomparable_sessions(ours, theirs) == ("seed 7 and 8", "cpu_model A and B")
    assert incomparable_sessions(ours, ours) == ()


def test_a_session_without_pairs_is_no_gate():
    with pytest.raises(UsageError, match="does not pair a base with a candidate"):
        asked([], handmade.plan())
    with pytest.raises(UsageError, match="does not pair"):
        asked([], handmade.plan(cases=(PLAN.cases[0],)))
