"""The tables say what was measured beside what was documented; nothing is dropped or smoothed."""

from __future__ import annotations

import statistics

import fake_session
import msgspec
import pytest

from reports import identity
from reports.cases import cases, doubtful
from reports.findings import check, findings
from reports.grid import Cell, Grid, Row
from reports.memory import phases
from reports.relations import Relations
from reports.session import SessionView
from reports.tables import tables
from reports.text import table


@pytest.fixture(scope="module")
def view() -> SessionView:
    return fake_session.view()


def row_of(grid: Grid, level: str, backend: str) -> Row:
    group = next(group for group in grid.groups if group.head == level)
    return next(row for row in group.rows if row.head == backend)


def words(cell: Cell) -> list[str]:
    return [badge.text for badge in cell.badges]


def test_the_headline_table_has_a_group_per_level_and_the_documented_figures(view):
    (grid,) = tables(view, "minilm-l6", "single-stream")
    assert [group.head for group in grid.groups] == [
        "fp32",
        "fp16",
        "int8-dynamic",
        "int8-static",
        "int4",
    ]
    int8 = next(group for group in grid.groups if group.head == "int8-dynamic")
    assert [cell.text for cell in int8.cells[:4]] == [
        "25\u00a0% (S1)",
        "25\u00a0% (S1)",
        "1.8× (S1)",
        "≤ 1\u00a0% (S1)",
    ]


def test_a_cell_shows_the_relation_its_interval_and_the_verdict(view):
    (grid,) = tables(view, "minilm-l6", "single-stream")
    size, memory, speed, loss, p50, remarks = row_of(grid, "int8-dynamic", "openvino").cells
    assert (size.text, size.detail, words(size)) == ("25.5\u00a0%", None, ["reproduced"])
    assert words(memory) == ["not reproduced"]
    assert speed.text == "1.73×"
    assert speed.detail is not None
    assert loss.text == "0.40\u00a0%"
    assert p50.text == "10.0"
    assert remarks == Cell(text="")


def test_a_level_that_is_slower_or_worse_than_fp32_is_marked(view):
    (grid,) = tables(view, "minilm-l6", "single-stream")
    assert words(row_of(grid, "fp16", "openvino").cells[-1]) == ["slower than FP32"]
    assert words(row_of(grid, "int4", "openvino").cells[-1]) == [
        "slower than FP32",
        "worse than FP32",
    ]
    assert words(row_of(grid, "fp32", "openvino").cells[-1]) == []


def test_a_wide_interval_is_said_while_the_ratio_by_block_is_still_judged(view):
    (grid,) = tables(view, "minilm-l6", "single-stream")
    row = row_of(grid, "int8-dynamic", "torch")
    assert not row.doubtful
    assert row_of(grid, "int8-static", "tflite").doubtful, "an unstable case is set back"
    assert row.cells[2].text == "1.69×"
    assert words(row.cells[2]) == ["reproduced"]
    assert words(row.cells[-1]) == ["imprecise"]
    assert "wider than" in (row.cells[-1].detail or "")
    skipped = row_of(grid, "int4", "tflite")
    assert [cell.text for cell in skipped.cells[:5]] == ["—"] * 5
    assert words(skipped.cells[-1]) == ["skipped"]


def test_the_batched_table_holds_measured_throughput(view):
    (grid,) = tables(view, "minilm-l6", "offline")
    assert grid.caption == "Batched throughput: minilm-l6, batches of 8"
    ratio, absolute, _ = row_of(grid, "int8-dynamic", "onnxruntime").cells
    assert ratio.text == "1.74×"
    case = next(r for r in view.rows if r.scenario == "offline" and r.variant == "int8-dynamic")
    assert absolute.text == f"{case.throughput_per_s:.0f}"


def test_the_case_table_lists_what_ran_and_says_once_why_power_is_empty(view):
    grid = cases(view, "minilm-l6")
    shown = sum(len(group.rows) for group in grid.groups)
    assert shown == sum(row.verdict != "skipped" for row in view.rows)
    assert [note for note in grid.notes if "power" in note.lower()] == [
        "No power and energy: rapl: /sys/class/powercap holds no package counter."
    ]
    power = [row.cells[-1].text for group in grid.groups for row in group.rows]
    assert set(power) == {"—"}


def test_p99_stays_empty_below_its_floor(view):
    grid = cases(view, "minilm-l6")
    single, offline = grid.groups
    assert single.rows[0].cells[2].text != "—"
    assert {row.cells[2].text for row in offline.rows} == {"—"}
    assert any("368 samples" in note for note in grid.notes)


def test_every_case_that_is_not_valid_is_listed_with_its_reason(view):
    (grid,) = doubtful(view.rows)
    listed = [row for group in grid.groups for row in group.rows]
    wanted = [row for row in view.rows if row.verdict != "valid"]
    assert len(listed) == len(wanted)
    assert {row.cells[1].text for row in listed} == {row.reason for row in wanted}
    assert listed[0].cells[0].badges[0].text == "failed"


def test_a_clean_session_lists_nothing(view):
    rows = tuple(row for row in view.rows if row.verdict == "valid")
    assert doubtful(rows) == ()


def test_every_claim_meets_every_runtime_that_was_to_measure_its_level(view):
    checked = check(view, "minilm-l6")
    suite = view.suite()
    assert suite is not None
    assert len(checked) == len(suite.claims) * 4
    verdicts = {
        (c.claim.source, c.claim.metric, c.claim.level, c.backend): c.finding for c in checked
    }
    assert verdicts["S1", "speed", "int8-dynamic", "openvino"].verdict == "reproduced"
    assert verdicts["S1", "speed", "int4", "openvino"].verdict == "not reproduced"
    assert (
        verdicts["E2", "speed", "fp16", "openvino"].reason
        == "documented for aarch64, this is x86_64"
    )
    assert verdicts["S1", "speed", "int4", "tflite"].reason == "int4 is skipped"


def test_a_ratio_that_is_hardly_known_confirms_nothing(view):
    wild = tuple(
        msgspec.structs.replace(run, samples_ns=tuple(n * (run.block + 1) for n in run.samples_ns))
        if run.seq % 2
        else run
        for run in view.runs
    )
    checked = check(msgspec.structs.replace(view, runs=wild), "minilm-l6")
    speeds = [c.finding for c in checked if c.claim.metric == "speed" and c.claim.source == "S1"]
    assert any("wide" in finding.reason for finding in speeds)


def test_doubt_about_time_does_not_touch_size_memory_and_quality(view):
    rows = tuple(msgspec.structs.replace(row, verdict="imprecise", runs=3) for row in view.rows)
    checked = check(msgspec.structs.replace(view, rows=rows), "minilm-l6")
    verdicts = {
        c.claim.metric: c.finding.verdict
        for c in checked
        if (c.claim.source, c.claim.level, c.backend) == ("S1", "int8-dynamic", "torch")
    }
    assert verdicts == {
        "memory": "not reproduced",
        "size": "reproduced",
        "speed": "not measurable here",
        "quality_loss": "reproduced",
    }


def test_one_reason_for_all_runtimes_is_said_once(view):
    (grid,) = findings(view, "minilm-l6")
    arm = next(
        row for group in grid.groups for row in group.rows if row.head == "FP16 on Arm 2.3x faster"
    )
    assert [cell.span for cell in arm.cells] == [1, 4]


def test_a_suite_that_is_gone_leaves_the_figures(view):
    gone = msgspec.structs.replace(
        view, plan=msgspec.structs.replace(view.plan, suite="no-longer-there")
    )
    assert tables(gone, "minilm-l6", "single-stream") == ()
    assert findings(gone, "minilm-l6") == ()
    assert cases(gone, "minilm-l6").groups


def test_speed_is_the_geometric_mean_of_the_ratios_inside_blocks(view):
    rows = {(row.variant, row.backend): row for row in view.rows if row.scenario != "offline"}
    int8, fp32 = rows["int8-dynamic", "tflite"], rows["fp32", "tflite"]
    medians = {
        key: [statistics.median_low(run.samples_ns) for run in view.runs if run.case_key == key]
        for key in (int8.case_key, fp32.case_key)
    }
    ratios = [
        base / level
        for base, level in zip(medians[fp32.case_key], medians[int8.case_key], strict=True)
    ]
    ours = Relations(view).shown("speed", int8, fp32)
    assert ours.value == pytest.approx(statistics.geometric_mean(ratios))
    assert ours.lo < ours.value < ours.hi


def test_the_machine_says_why_a_fact_is_unknown(view):
    facts = dict(identity.machine(view))
    assert facts["Processor"] == "AMD EPYC"
    assert facts["Governor"] == "unknown: /sys/devices/system/cpu/cpufreq does not exist"
    assert facts["Swap"] == "none"
    assert facts["Power sensor"].startswith("none: rapl")


def test_an_environment_of_any_shape_is_survived(view):
    for environment in ({}, {"cores": 3, "clusters": "x", "power": [], "board": None, "isa": 1}):
        plan = msgspec.structs.replace(view.plan, environment=environment)
        assert (
            dict(identity.machine(msgspec.structs.replace(view, plan=plan)))["Kernel"] == "unknown"
        )


def test_the_session_counts_what_it_has(view):
    facts = dict(identity.session(view))
    assert facts["Cases"] == "20 valid, 1 imprecise, 1 unstable, 1 failed, 3 skipped"
    assert facts["Seed"] == "7"
    assert "openvino 2026.1.0" in facts["Runtimes"]


def test_the_text_is_aligned_and_holds_every_case(view):
    text = table(view)
    lines = text.splitlines()
    start = lines.index("minilm-l6, single stream")
    body = lines[start + 1 : start + 19]
    column = body[0].index("runtime")
    assert {line[column - 1] for line in body} == {" "}
    assert sum("int8-static" in line for line in body) == 3
    assert "torchao has no calibrated static int8" in text
    assert "\u00a0" not in "\n".join(body)


def test_memory_stands_by_phase_with_its_pages(view):
    (grid,) = phases(view, "minilm-l6")
    single, offline = grid.groups
    row = next(row for row in single.rows if row.head == "fp32 · openvino")
    baseline, load, steady = row.cells
    assert (baseline.text, baseline.detail) == ("11.2", "7.84 anonymous, 3.36 file")
    assert float(load.text) < float(steady.text)
    assert {row.head for row in offline.rows} <= {row.head for row in single.rows}
    assert all(row.head != "int4 · torch" for row in single.rows), "it never ran"
