from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import handmade
import msgspec
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import StoreError
from results.cases import summarise
from results.export import COLUMNS, to_csv, to_json, write_parquet

_GOLDEN = Path(__file__).parent / "golden" / "export.json"
_PROMISED = {
    *("latency_p50_s", "latency_p50_lo_s", "latency_p50_hi_s", "latency_p99_s", "throughput_per_s"),
    *("load_s", "first_inference_s", "peak_rss_bytes", "peak_anon_bytes", "size_bytes", "energy_j"),
    *("power_w", "quality", "quality_loss", "device", "model", "variant", "backend", "scenario"),
    *("batch", "status", "verdict", "reason"),
}


@pytest.fixture
def rows():
    return summarise(handmade.plan(), handmade.runs())


def test_json_is_the_golden_one(rows):
    made = to_json(rows)
    (_GOLDEN.with_suffix(".got")).write_text(made, "utf-8")
    expected = json.loads(_GOLDEN.read_text("utf-8"))
    for found, wanted in zip(json.loads(made), expected, strict=True):
        assert list(found) == list(wanted)
        for name, value in wanted.items():
            same = pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
            assert found[name] == same, name
    (_GOLDEN.with_suffix(".got")).unlink()


def test_json_has_every_promised_key(rows):
    for row in json.loads(to_json(rows)):
        assert set(row) >= _PROMISED


def test_json_holds_no_word_that_is_not_json(rows):
    broken = [msgspec.structs.replace(rows[0], latency_p50_s=math.nan, quality=math.inf)]
    text = to_json(broken)
    assert json.loads(text, parse_constant=pytest.fail)[0]["latency_p50_s"] is None
    assert json.loads(text)[0]["quality"] is None


def test_csv_reads_back(rows):
    text = to_csv(rows)
    assert text.count("\r\n") == 5
    table = list(csv.DictReader(io.StringIO(text, newline="")))
    assert tuple(table[0]) == COLUMNS
    assert float(table[0]["latency_p50_s"]) == rows[0].latency_p50_s
    assert table[3]["latency_p50_s"] == ""
    assert json.loads(table[0]["evidence"]) == rows[0].evidence
    assert table[1]["notes"].startswith("made of 4 of 5 layers; ")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_that_a_spreadsheet_would_run_is_defused(rows, start):
    hostile = msgspec.structs.replace(rows[0], reason=f"{start}HYPERLINK(1)", notes=(f"{start}x",))
    table = list(csv.DictReader(io.StringIO(to_csv([hostile]), newline="")))
    assert table[0]["reason"] == f"'{start}HYPERLINK(1)"
    assert table[0]["notes"] == f"'{start}x"


def test_a_negative_number_stays_a_number_in_csv(rows):
    better = msgspec.structs.replace(rows[0], quality_loss=-0.01)
    table = list(csv.DictReader(io.StringIO(to_csv([better]), newline="")))
    assert float(table[0]["quality_loss"]) == -0.01


@given(text=st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_text_survives_csv(text):
    row = msgspec.structs.replace(summarise(handmade.plan(), [])[0], reason=text)
    (found,) = csv.DictReader(io.StringIO(to_csv([row]), newline=""))
    defused = f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
    assert found["reason"] == defused


def test_parquet_reads_back(rows, tmp_path):
    path = tmp_path / "cases.parquet"
    write_parquet(rows, path)
    table = pq.read_table(path)
    assert tuple(table.column_names) == COLUMNS
    for found, row in zip(table.to_pylist(), rows, strict=True):
        wanted = {**msgspec.to_builtins(row), "notes": list(row.notes)}
        for name in ("evidence", "stop_reasons", "soak", "fit"):
            assert json.loads(found.pop(name) or "{}") == wanted.pop(name)
        assert found == wanted
    kinds = {field.name: str(field.type) for field in table.schema}
    assert kinds["latency_p50_s"] == "double"
    assert kinds["peak_rss_bytes"] == "int64"
    assert kinds["status"] == "string"
    assert kinds["notes"].startswith("list")


def test_parquet_of_nothing_keeps_its_columns(tmp_path):
    write_parquet([], tmp_path / "none.parquet")
    assert tuple(pq.read_table(tmp_path / "none.parquet").column_names) == COLUMNS


def test_an_export_that_cannot_be_written_is_a_sentence(rows, tmp_path):
    with pytest.raises(StoreError, match="cannot write"):
        write_parquet(rows, tmp_path / "nowhere" / "cases.parquet")
