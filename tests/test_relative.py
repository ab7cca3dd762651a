from __future__ import annotations

import handmade
import pytest

from results.relative import relative


def _rows(runs, **changes):
    return {row.variant: row for row in relative(handmade.plan(**changes), runs)}


def test_speed_memory_and_size_against_fp32():
    rows = _rows(handmade.runs())
    int8 = rows["int8-dynamic"]
    assert int8.speedup == pytest.approx(2)
    assert int8.speedup_lo <= int8.speedup <= int8.speedup_hi
    assert (int8.blocks, int8.memory_ratio, int8.size_ratio) == (5, 0.5, 0.25)
    assert int8.reason is None
    assert int8.base_case_key == handmade.FP32.key


def test_fp32_is_one_by_definition():
    base = _rows(handmade.runs())["fp32"]
    assert (base.speedup, base.speedup_lo, base.memory_ratio, base.size_ratio) == (1, None, 1, 1)


def test_drift_between_blocks_does_not_widen_the_interval():
    runs = []
    for block in range(5):
        level = 1 + block / 5
        runs.append(handmade.run(2 * block, handmade.FP32, block, level))
        runs.append(handmade.run(2 * block + 1, handmade.INT8, block, level / 2))
    row = _rows(runs)["int8-dynamic"]
    assert row.speedup == pytest.approx(2)
    assert row.speedup_hi / row.speedup_lo < 1.001


def test_blocks_where_one_side_failed_are_left_out_and_noted():
    row = _rows(handmade.runs())["int4"]
    assert row.blocks == 3
    assert row.speedup == pytest.approx(1 / 0.8)
    assert "blocks left out because one side is missing: 2" in row.notes


def test_what_is_missing_is_named():
    alone = _rows([], cases=(handmade.INT8,))["int8-dynamic"]
    assert (alone.speedup, alone.size_ratio, alone.base_case_key) == (None, None, None)
    assert alone.reason == "fp32 was not measured on null: add it to --variants"
    crashed = [run for run in handmade.runs() if run.case_key != handmade.FP32.key]
    row = _rows(crashed)["int8-dynamic"]
    assert (row.speedup, row.memory_ratio, row.size_ratio) == (None, None, 0.25)
    assert row.reason == "no run of fp32 succeeded"
    assert _rows([])["fp32"].reason == "no run of fp32 succeeded"


def test_only_the_same_backend_scenario_batch_and_threads_are_compared():
    for change in ({"backend": "other"}, {"scenario": "offline"}, {"batch": 8}, {"threads": 1}):
        other = handmade.case("int8-dynamic", **change)
        row = _rows([], cases=(handmade.FP32, other))["int8-dynamic"]
        assert row.base_case_key is None
