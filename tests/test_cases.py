from __future__ import annotations

import math

import handmade
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats.summary import across_runs
from harness.types import Quality
from results import measured
from results.cases import summarise


def _rows(runs, **changes):
    rows = summarise(handmade.plan(**changes), runs)
    return {row.variant: row for row in rows}


def test_every_planned_and_every_skipped_case_is_a_row():
    rows = summarise(handmade.plan(), handmade.runs())
    assert [(row.variant, row.verdict) for row in rows] == [
        ("fp32", "valid"),
        ("int8-dynamic", "valid"),
        ("int4", "unstable"),
        ("int8-static", "skipped"),
    ]
    skipped = rows[-1]
    assert (skipped.status, skipped.case_key, skipped.latency_p50_s) == ("skipped", None, None)
    assert skipped.reason == "no calibration data: pass --calibration"
    assert skipped.model_origin == "trained"


def test_latency_is_the_geometric_mean_of_the_runs_medians():
    row = _rows(handmade.runs())["fp32"]
    medians = [0.002 * (1 + block / 1000) for block in range(5)]
    expected = across_runs(medians)
    assert row.latency_p50_s == pytest.approx(expected.center)
    assert row.latency_p50_lo_s == pytest.approx(expected.lo)
    assert row.latency_p50_hi_s == pytest.approx(expected.hi)
    assert (row.runs, row.samples) == (5, 100)
    assert row.latency_min_s == pytest.approx(0.001991)
    assert row.latency_max_s == pytest.approx(0.002018)


def test_percentiles_appear_only_where_the_samples_allow():
    row = _rows(handmade.runs())["fp32"]
    assert row.latency_p90_s == pytest.approx(0.002013, abs=1e-6)
    assert (row.latency_p99_s, row.latency_p99_lo_s) == (None, None)
    assert "p99 needs 368 samples and there are 100: raise the budget" in row.notes

    def of(runs, samples):
        taken = tuple(range(1, samples + 1))
        made = [handmade.run(n, handmade.FP32, n, samples_ns=taken) for n in range(runs)]
        return _rows(made)["fp32"]

    pooled = of(5, 100)
    assert pooled.latency_p99_s == pytest.approx(99e-9)
    assert (pooled.latency_p99_lo_s, pooled.latency_p99_hi_s) == (None, None)
    assert any("no interval of p99 from 5 runs of 100 samples" in note for note in pooled.notes)
    typical = of(5, 1000)
    assert typical.latency_p99_lo_s <= typical.latency_p99_s <= typical.latency_p99_hi_s
    assert typical.latency_p99_s == pytest.approx(990e-9, rel=0.002)
    assert not any("p99" in note or "p90" in note for note in typical.notes)


def test_the_percentiles_of_a_case_are_those_of_its_typical_run():
    """One run in nine that is ten times slower is the p90 of all samples, but not of a run."""
    calm, slow = tuple(range(901, 1101)), tuple(range(9001, 9201))
    runs = [
        handmade.run(n, handmade.FP32, n, samples_ns=slow if n == 3 else calm) for n in range(9)
    ]
    row = _rows(runs)["fp32"]
    assert row.latency_p50_s < row.latency_p90_s < row.latency_p99_s < 1.2e-6
    assert row.latency_max_s == pytest.approx(9.2e-6)


def test_throughput_is_samples_over_wall_time():
    row = _rows(handmade.runs())["int8-dynamic"]
    assert row.throughput_per_s == pytest.approx(20 / 0.02)
    assert row.throughput_lo_per_s == pytest.approx(row.throughput_hi_per_s)
    case = handmade.case("fp32", batch=8)
    runs = [handmade.run(n, case, n) for n in range(5)]
    assert _rows(runs, cases=(case,))["fp32"].throughput_per_s == pytest.approx(8 * 20 / 0.04)


def test_start_memory_power_quality_and_evidence_reach_the_row():
    row = _rows(handmade.runs())["int8-dynamic"]
    assert (row.load_s, row.import_s, row.first_inference_s) == (0.125, 0.5, 0.002)
    assert (row.peak_rss_bytes, row.peak_anon_bytes, row.peak_file_bytes) == (
        20_000_000,
        15_000_000,
        9_000_000,
    )
    assert (row.baseline_rss_bytes, row.load_peak_rss_bytes, row.steady_peak_rss_bytes) == (
        10_000_000,
        20_000_000,
        15_000_000,
    )
    assert (row.baseline_anon_bytes, row.baseline_file_bytes) == (4_000_000, 6_000_000)
    assert (row.load_anon_bytes, row.load_file_bytes) == (15_000_000, 9_000_000)
    assert (row.steady_anon_bytes, row.steady_file_bytes) == (None, None)
    assert row.energy_j == pytest.approx(0.01)
    assert (row.power_w, row.power_method, row.power_scope) == (4.0, "counter", "package")
    assert row.power_reason is None
    assert (row.quality, row.quality_loss_hi, row.quality_n) == (0.95, 0.03, 360)
    assert row.evidence["precision"] == "f32"
    assert row.notes[0] == "made of 4 of 5 layers"
    assert _rows(handmade.runs())["fp32"].quality_reason == "no run was scored"


def test_a_case_that_always_failed_has_no_numbers_and_the_reason():
    runs = [handmade.failed(n, handmade.FP32, n, "oom", "killed for memory") for n in range(5)]
    row = _rows(runs)["fp32"]
    assert (row.status, row.verdict, row.reason) == ("oom", "failed", "killed for memory")
    assert (row.runs, row.runs_failed, row.samples) == (0, 5, 0)
    assert row.latency_p50_s is None
    assert row.peak_rss_bytes is None
    assert row.energy_j is None
    assert row.size_bytes == 4000


@pytest.mark.parametrize(("bad", "verdict"), [(1, "unstable"), (2, "unstable"), (3, "failed")])
def test_a_case_that_sometimes_failed_keeps_the_numbers_of_the_other_runs(bad, verdict):
    runs = [
        handmade.failed(n, handmade.FP32, n, "timeout", "no answer in 60 s")
        if n < bad
        else handmade.run(n, handmade.FP32, n)
        for n in range(5)
    ]
    row = _rows(runs)["fp32"]
    assert (row.verdict, row.runs, row.runs_failed) == (verdict, 5 - bad, bad)
    assert row.reason == f"{bad} of 5 runs failed: no answer in 60 s"
    assert row.status == ("ok" if verdict == "unstable" else "timeout")
    assert row.latency_p50_s is not None


def test_few_runs_and_wide_intervals_are_imprecise():
    few = _rows(handmade.runs()[:9])["fp32"]
    assert (few.verdict, few.reason) == (
        "imprecise",
        "3 of 5 runs that an interval takes: measure more blocks",
    )
    wild = [handmade.run(n, handmade.FP32, n, 1 + n / 5) for n in range(5)]
    row = _rows(wild)["fp32"]
    assert row.verdict == "imprecise"
    assert "wider than ±5.0%" in row.reason
    assert _rows(wild, sampling={"precision": 0.9})["fp32"].verdict == "valid"
    assert _rows(handmade.runs(), sampling={"precision": 0.001})["fp32"].verdict == "imprecise"


def test_one_run_has_the_interval_of_its_samples_and_says_so():
    ramp = handmade.run(1, handmade.FP32, 0).samples_ns
    mixed = tuple(ramp[at * 7 % len(ramp)] for at in range(len(ramp)))
    row = _rows([handmade.run(1, handmade.FP32, 0, samples_ns=mixed)])["fp32"]
    assert row.latency_p50_lo_s == pytest.approx(0.001996)
    assert row.latency_p50_hi_s == pytest.approx(0.002005)
    assert row.verdict == "imprecise"
    assert any("leaves out the spread between processes" in note for note in row.notes)


def test_a_finished_session_without_a_cases_runs_does_not_promise_that_resuming_helps():
    (row, *_) = summarise(handmade.plan(), [], sealed=True)
    assert row.verdict == "skipped"
    assert "resume" not in row.reason
    assert "problems" in row.reason


def test_a_case_that_was_not_reached_yet_says_how_to_go_on():
    row = _rows([])["fp32"]
    assert (row.status, row.verdict, row.runs) == ("skipped", "skipped", 0)
    assert "boardmark run --resume" in row.reason
    assert row.notes == ()


def test_unreadable_power_keeps_its_reason():
    result = {**handmade.result(), "power": {"reason": "the counter is readable by root only"}}
    row = _rows([handmade.run(n, handmade.FP32, n, result=result) for n in range(5)])["fp32"]
    assert (row.energy_j, row.power_w) == (None, None)
    assert row.power_reason == "the counter is readable by root only"


def test_memory_that_could_not_be_reset_is_noted():
    result = handmade.result()
    result["memory"]["reset"] = False
    row = _rows([handmade.run(n, handmade.FP32, n, result=result) for n in range(5)])["fp32"]
    assert any("could not be reset" in note for note in row.notes)


def test_a_batch_that_ran_before_its_artifact_was_scored_has_that_quality():
    score = Quality(metric="top1", value=0.9, reference=0.9, loss=0.0)
    single, batched = handmade.case("fp32"), handmade.case("fp32", batch=8)
    runs = [handmade.run(0, batched, 0), handmade.run(1, single, 0, quality=score)]
    rows = summarise(handmade.plan(cases=(single, batched)), runs)
    assert [row.quality for row in rows[:2]] == [0.9, 0.9]
    other = handmade.case("int4", batch=8)
    runs[0] = handmade.run(0, other, 0)
    rows = summarise(handmade.plan(cases=(single, other)), runs)
    assert [row.quality for row in rows[:2]] == [0.9, None]


def test_quality_without_a_value_keeps_its_reason():
    score = Quality(metric="accuracy", value=None, reference=None, loss=None, reason="no labels")
    row = _rows([handmade.run(1, handmade.FP32, 0, quality=score)])["fp32"]
    assert (row.quality, row.quality_metric, row.quality_reason) == (None, "accuracy", "no labels")


_junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["power", "memory", "steady", "hwm_bytes", "x"]), inner)
    ),
    max_leaves=8,
)
_keys = st.sampled_from([*handmade.result(), "energy_j"])


@given(result=st.dictionaries(_keys, _junk, max_size=8), samples=st.lists(st.integers(0, 10**12)))
@settings(max_examples=200, deadline=None)
def test_whatever_an_agent_reports_gives_a_row_of_known_or_none(result, samples):
    run = handmade.run(1, handmade.FP32, 0, result=result, samples_ns=tuple(samples))
    row = _rows([run])["fp32"]
    for name in row.__struct_fields__:
        value = getattr(row, name)
        assert not isinstance(value, float) or math.isfinite(value)
        if name.endswith("_bytes"):
            assert value is None or type(value) is int


@pytest.mark.parametrize(
    ("value", "number", "whole"),
    [
        (3, 3.0, 3),
        (2.5, 2.5, 2),
        (0, 0.0, 0),
        (True, None, None),
        ("3", None, None),
        (math.nan, None, None),
        (math.inf, None, None),
        (10**400, None, None),
        (1e300, 1e300, None),
        (2**63 - 1, 2.0**63, 2**63 - 1),
    ],
)
def test_numbers_are_numbers_or_unknown(value, number, whole):
    assert measured.number({"a": {"b": value}}, "a", "b") == number
    assert measured.whole({"a": {"b": value}}, "a", "b") == whole
    assert measured.number({"a": value}, "a", "b") is None


@pytest.mark.parametrize(
    ("asked", "ran", "noted"),
    [("f16", "bf16", True), ("f32", "bf16", True), ("f16", "f16", False), ("f32", "i8", False)],
)
def test_another_precision_than_asked_for_is_said(asked, ran, noted):
    """Integer arithmetic is what a quantized level is for; another float type is a surprise."""
    case = handmade.case("fp16", options={"precision": asked})
    runs = [
        msgspec.structs.replace(run, result={**run.result, "evidence": {"precision": ran}})
        for run in [handmade.run(block, case, block) for block in range(5)]
    ]
    (row,) = summarise(handmade.plan(cases=(case,), skipped=()), runs)
    said = f"asked to compute in {asked}, the runtime computes in {ran}"
    assert (said in row.notes) == noted
