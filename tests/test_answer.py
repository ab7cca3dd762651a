"""A winner is named only where the data can tell, and doubtful rows are never ranked."""

from __future__ import annotations

import fake_session
import msgspec
import pytest

from reports.answer import Answer, answers
from reports.names import listed
from reports.session import SessionView
from results.cases import CaseRow, summarise


@pytest.fixture(scope="module")
def view() -> SessionView:
    return fake_session.view()


def with_rows(view: SessionView, **fields) -> SessionView:
    rows = tuple(msgspec.structs.replace(row, **fields) for row in view.rows)
    return msgspec.structs.replace(view, rows=rows)


def chosen(answer: Answer) -> dict[str, str]:
    return {choice.criterion: choice.who for choice in answer.choices}


def test_the_sentence_names_the_fastest_level_that_keeps_quality(view):
    (answer,) = answers(view)
    assert answer.sentence.startswith(
        "For minilm-l6 ship int8-dynamic on openvino: it is the fastest"
    )
    assert "the speed of FP32 there [" in answer.sentence
    assert chosen(answer)["Fastest of all"] == "int8-static on openvino"
    assert chosen(answer)["Smallest model file"] == "int4 on onnxruntime and openvino"


def seldom(view: SessionView) -> SessionView:
    """Return the session as if its imprecise cases had been measured three times only."""
    rows = tuple(
        msgspec.structs.replace(row, runs=3) if row.verdict == "imprecise" else row
        for row in view.rows
    )
    return msgspec.structs.replace(view, rows=rows)


def test_a_wide_interval_alone_keeps_no_case_out_and_is_said(view):
    (answer,) = answers(with_rows(view, verdict="imprecise", reason="interval too wide"))
    assert answer.sentence.startswith("For minilm-l6 ship int8-dynamic on openvino")
    assert "pair by pair" in answer.limits[0]


def test_doubtful_rows_are_named_but_not_ranked(view):
    (answer,) = answers(seldom(view))
    named = " ".join(chosen(answer).values())
    assert "torch" not in named
    assert "int8-dynamic on torch and int8-static on tflite" in answer.limits[0]


@pytest.mark.parametrize("verdict", ["noisy", "throttled", "unstable"])
def test_what_a_restless_machine_gave_is_named_and_not_ranked(view, verdict):
    rows = [
        msgspec.structs.replace(row, verdict=verdict) if row.backend == "openvino" else row
        for row in view.rows
    ]
    (answer,) = answers(msgspec.structs.replace(view, rows=rows))
    assert "openvino" not in " ".join(chosen(answer).values())
    doubt = next(limit for limit in answer.limits if limit.startswith("Doubtful"))
    assert "int8-static on openvino" in doubt


def test_a_fallback_is_ranked_as_what_it_is_and_said(view):
    rows = [
        msgspec.structs.replace(row, verdict="fallback") if row.variant == "int8-static" else row
        for row in view.rows
        if row.verdict != "unstable"
    ]
    (answer,) = answers(msgspec.structs.replace(view, rows=rows))
    assert chosen(answer)["Fastest of all"] == "int8-static on openvino"
    assert "Not what was asked for ran of int8-static on onnxruntime" in " ".join(answer.limits)


def test_a_doubtful_row_that_looks_faster_is_pointed_out(view):
    rows = tuple(
        msgspec.structs.replace(row, latency_p50_s=1e-3) if row.verdict == "unstable" else row
        for row in view.rows
    )
    (answer,) = answers(msgspec.structs.replace(view, rows=rows))
    assert "int8-static on tflite may be faster than every ranked case" in " ".join(answer.limits)
    assert chosen(answer)["Fastest of all"] == "int8-static on openvino"
    assert "ship int8-dynamic on openvino: of the cases that can be ranked it" in answer.sentence


def test_the_fastest_of_few_ranked_cases_is_called_that(view):
    """Slow as they may be, cases that cannot be ranked are not shown to be slower."""
    rows = tuple(
        msgspec.structs.replace(row, verdict="noisy", latency_p50_s=1.0)
        if row.variant in ("fp16", "int8-static")
        else row
        for row in view.rows
    )
    (answer,) = answers(msgspec.structs.replace(view, rows=rows))
    assert "ship int8-dynamic on openvino: of the cases that can be ranked it" in answer.sentence


def tied() -> SessionView:
    """Return a session in which int8-dynamic took the same samples on two runtimes."""
    plan = fake_session.plan_of(5)
    runs = fake_session.runs_of(plan)
    keys = {(c.variant, c.backend): c.key for c in plan.cases if c.scenario == "single-stream"}
    winner, twin = keys["int8-dynamic", "openvino"], keys["int8-dynamic", "onnxruntime"]
    samples = {run.block: run.samples_ns for run in runs if run.case_key == winner}
    runs = [
        msgspec.structs.replace(run, samples_ns=samples[run.block]) if run.case_key == twin else run
        for run in runs
    ]
    return SessionView(plan=plan, rows=summarise(plan, runs), runs=tuple(runs))


def test_two_cases_with_the_same_samples_cannot_be_told_apart():
    (answer,) = answers(tied())
    assert (
        "the data cannot tell which of int8-dynamic on onnxruntime and openvino" in answer.sentence
    )
    assert " ship " not in answer.sentence


def test_without_a_valid_row_no_level_is_named(view):
    (answer,) = answers(with_rows(view, verdict="imprecise", runs=1))
    assert answer.sentence.startswith("The data cannot name a level for minilm-l6")
    assert answer.choices == ()


def test_without_quality_the_sentence_promises_none(view):
    (answer,) = answers(with_rows(view, quality_loss=None, quality_reason="no labels were given"))
    assert "1 %" not in answer.sentence
    assert "ship int8-static on openvino" in answer.sentence
    assert answer.limits[-1] == "Quality is not known for all cases: no labels were given."


def test_when_every_level_loses_too_much_it_says_so(view):
    (answer,) = answers(with_rows(view, quality_loss=0.2, quality_loss_lo=0.1, quality_loss_hi=0.3))
    assert "every level loses more than 1 % of quality" in answer.sentence


def test_a_level_that_is_faster_but_loses_too_much_is_not_denied(view):
    """FP32 wins only among those that keep quality: a faster lossy level must not be denied."""
    rows = tuple(
        row
        if row.variant == "fp32"
        else msgspec.structs.replace(
            row, quality_loss=0.2, quality_loss_lo=0.1, quality_loss_hi=0.3
        )
        for row in view.rows
    )
    (answer,) = answers(msgspec.structs.replace(view, rows=rows))
    assert answer.sentence.startswith("For minilm-l6 ship fp32 on openvino")
    assert "no quantized level among them is faster" in answer.sentence


def test_a_tie_between_levels_that_all_lose_too_much_promises_no_quality():
    seen = tied()
    rows = [row for row in seen.rows if row.variant == "int8-dynamic"]
    (answer,) = answers(
        with_rows(
            msgspec.structs.replace(seen, rows=rows),
            quality_loss=0.2,
            quality_loss_lo=0.1,
            quality_loss_hi=0.3,
        )
    )
    assert "every level loses more than 1 % of quality, and the data cannot tell" in answer.sentence
    assert "among those that lose at most" not in answer.sentence


def test_a_level_whose_quality_is_not_known_is_not_said_to_lose_it(view):
    rows = tuple(
        msgspec.structs.replace(row, quality_loss=None)
        if row.variant == "int8-static"
        else msgspec.structs.replace(
            row, quality_loss=0.2, quality_loss_lo=0.1, quality_loss_hi=0.3
        )
        for row in view.rows
    )
    (answer,) = answers(msgspec.structs.replace(view, rows=rows))
    assert "every scored level loses more than 1 % of quality" in answer.sentence


def with_reach(view: SessionView, hi: float | None) -> SessionView:
    """Return the session in which int8-dynamic loses 0.4 % and may lose up to `hi`."""
    rows = tuple(
        msgspec.structs.replace(row, quality_loss_hi=hi) if row.variant == "int8-dynamic" else row
        for row in view.rows
    )
    return msgspec.structs.replace(view, rows=rows)


def test_a_small_loss_whose_interval_passes_the_limit_is_not_shown_to_keep_quality(view):
    """0.4 % lost on 120 samples says little where the interval reaches 2.4 %."""
    (answer,) = answers(with_reach(view, 0.024))
    assert answer.sentence.startswith(
        "For minilm-l6 ship fp32 on openvino: it is the fastest among"
    )
    assert "int8-dynamic on " in answer.sentence.partition("; ")[2]
    assert answer.sentence.endswith(" are faster, but may lose more.")
    assert chosen(answer)["Faster, but may lose more"] == "int8-dynamic on openvino"
    assert "on 120 samples, but may lose more (up to 2.40\u00a0%)" in answer.limits[-1]


def test_a_loss_without_an_interval_is_not_shown_to_keep_quality(view):
    (answer,) = answers(with_reach(view, None))
    assert answer.sentence.startswith("For minilm-l6 ship fp32 on openvino")
    assert "may lose more (there is no interval)" in answer.limits[-1]


def test_a_slower_level_is_not_offered_as_faster(view):
    rows = tuple(
        msgspec.structs.replace(row, quality_loss=0.002, quality_loss_hi=0.03)
        if row.variant in ("int4", "int8-dynamic")
        else row
        for row in view.rows
    )
    (answer,) = answers(msgspec.structs.replace(view, rows=rows))
    assert chosen(answer)["Faster, but may lose more"] == "int8-dynamic on openvino"
    offered = "int8-dynamic on onnxruntime, openvino and tflite are faster, but may lose more."
    assert answer.sentence.endswith(offered)


def test_an_upper_end_at_the_limit_keeps_it(view):
    (answer,) = answers(with_reach(view, 0.01))
    assert answer.sentence.startswith("For minilm-l6 ship int8-dynamic on openvino")
    assert "may lose more" not in answer.sentence


def test_no_level_is_shown_to_keep_quality_where_fp32_was_not_measured(view):
    rows = tuple(
        msgspec.structs.replace(row, quality_loss=0.005, quality_loss_hi=0.03)
        for row in view.rows
        if row.variant != "fp32"
    )
    (answer,) = answers(msgspec.structs.replace(view, rows=rows))
    assert "no level is shown to lose at most 1 % of quality; the fastest" in answer.sentence


def test_fp32_keeps_the_quality_that_is_measured_against_it(view):
    rows = tuple(
        msgspec.structs.replace(row, quality_loss=0.0, quality_loss_hi=0.03) for row in view.rows
    )
    (answer,) = answers(msgspec.structs.replace(view, rows=rows))
    assert chosen(answer)["Fastest shown to lose at most 1 % of quality"] == "fp32 on openvino"


def test_without_a_winner_the_pareto_set_is_named_and_with_one_it_is_not(view):
    (answer,) = answers(tied())
    assert "int8-static on openvino" in chosen(answer)["Not dominated (Pareto set)"]
    (answer,) = answers(view)
    assert "Not dominated (Pareto set)" not in chosen(answer)


def test_one_block_tells_nothing_apart():
    (answer,) = answers(fake_session.view(blocks=1))
    assert answer.choices == ()


def row(variant: str, backend: str) -> CaseRow:
    return CaseRow(
        session_id="s",
        case_key=f"{variant}{backend}",
        device="d",
        model="m",
        model_origin=None,
        variant=variant,
        backend=backend,
        runtime_version=None,
        scenario="single-stream",
        batch=1,
        threads=1,
        status="ok",
        verdict="valid",
        reason=None,
    )


@pytest.mark.parametrize(
    ("cases", "text"),
    [
        ([("a", "x")], "a on x"),
        ([("a", "x"), ("a", "y")], "a on x and y"),
        ([("a", "x"), ("b", "x"), ("a", "y")], "a on x and y and b on x"),
        (
            [("a", "x"), ("b", "x"), ("c", "x"), ("d", "x"), ("e", "x")],
            "a on x, b on x, c on x, d on x and 1 more",
        ),
    ],
)
def test_listed_groups_by_level_and_counts_the_rest(cases, text):
    assert listed([row(*case) for case in cases]) == text
