from __future__ import annotations

import json

import duckdb
import handmade
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import StoreError
from harness.types import Quality, digest
from results import encoding, environments, migrations, probes, runs, schema, tables
from results.tables import Recorded


def _recorded(*of, **changes):
    return Recorded(plan=handmade.plan(**changes), runs=of or tuple(handmade.runs()), content="c0")


def _back(recorded):
    """What a reader makes of the tables once they have been files."""
    found = tables.arrow(recorded)
    rows = {name: _written(name, table).to_pylist() for name, table in found.items()}
    return tables.plan_from(rows["sessions"][0]), tables.runs_from(rows["runs"], rows["samples"])


def _written(name, table):
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **encoding.options(name, table.column_names))
    return pq.read_table(pa.BufferReader(sink.getvalue()))


def test_every_table_has_its_columns_and_the_place_of_the_session():
    for name, table in tables.arrow(_recorded()).items():
        assert table.schema.equals(schema.logical(name))
        assert set(table["month"].to_pylist()) == {"2026-11"}
        assert set(table["device"].to_pylist()) == {"local"}
        assert set(table["session_id"].to_pylist()) == {handmade.SESSION_ID}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(-1e6, 1e6) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_KEYS = st.sampled_from(
    ("warmup_ns", "host", "power", "memory", "own", "last_memory", "evidence", "load_s", "a")
)


@given(
    samples=st.lists(st.integers(0, 2**63 - 1), max_size=20).map(tuple),
    warmup=st.lists(st.integers(-(2**64), 2**64 - 1), max_size=5),
    result=st.dictionaries(_KEYS, _JSON, max_size=5),
    text=st.text(max_size=20),
    value=st.none() | st.floats(-1e6, 1e6),
)
@settings(max_examples=60, deadline=None)
def test_any_run_comes_back_as_it_was(samples, warmup, result, text, value):
    quality = Quality(metric=text, value=value, reference=None, loss=value, reason=text)
    whole = handmade.run(1, handmade.FP32, 0, samples_ns=samples, result=result, quality=quality)
    warm = handmade.run(2, handmade.INT8, 0, result={**result, "warmup_ns": warmup}, reason=text)
    recorded = _recorded(whole, warm, environment={text: value})
    assert _back(recorded) == (recorded.plan, recorded.runs)


@pytest.mark.parametrize("odd", [[], [True, 2], [1.5], [2**63], [-(2**63) - 1], "x", None])
def test_warmup_calls_that_are_no_durations_stay_in_the_report(odd):
    recorded = _recorded(handmade.run(1, handmade.FP32, 0, result={"warmup_ns": odd}))
    assert tables.arrow(recorded)["samples"]["metric"].to_pylist() == ["latency"]
    (back,) = _back(recorded)[1]
    assert repr(back.result) == repr({"warmup_ns": odd})


def test_warmup_calls_stand_among_the_samples_alone():
    rows = tables.arrow(_recorded())
    warmup = [row for row in rows["samples"].to_pylist() if row["metric"] == "warmup"]
    assert warmup[0]["values"] == [5_000_000, 3_000_000]
    assert not any(
        "warmup_ns" in text for text in rows["runs"]["result_json"].drop_null().to_pylist()
    )


def test_runs_carry_what_history_asks_of_their_session():
    row, *_, skipped = tables.arrow(_recorded(suite="nightly", kind="gate"))["runs"].to_pylist()
    assert (row["kind"], row["suite"], row["created_unix_s"]) == ("gate", "nightly", 1795184100.0)
    assert (row["model"], row["variant"], row["side"]) == ("digits", "fp32", "")
    assert (skipped["run_id"], skipped["kind"], skipped["status"]) == (None, "gate", "skipped")
    assert (skipped["side"], skipped["disturbed"], skipped["extra_json"]) == (None, None, None)


def test_a_case_that_the_plan_lacks_leaves_its_columns_null():
    run = msgspec.structs.replace(handmade.runs()[0], case_key="gone")
    row = tables.arrow(_recorded(run))["runs"].to_pylist()[0]
    assert (row["case_key"], row["model"], row["side"], row["samples"]) == ("gone", None, None, 20)


def test_disturbed_is_what_was_judged_and_null_where_nobody_could():
    quiet, stolen, crashed = handmade.runs()[:3]
    noisy = {**stolen.result, "host": {"steal_share": 0.5, "ticks": 1000, "window_s": 10.0}}
    stolen = msgspec.structs.replace(stolen, result=noisy)
    crashed = msgspec.structs.replace(crashed, status="crashed")
    judged = tables.arrow(_recorded(quiet, stolen, crashed))["runs"]["disturbed"].to_pylist()
    assert judged[:3] == [False, True, None]
    imported = tables.arrow(_recorded(quiet, stolen, kind="import"))["runs"]["disturbed"]
    assert imported.null_count == len(imported)


def _with_fields(run, fields, of_quality=None):
    body = json.loads(msgspec.json.encode(run)) | fields
    if of_quality:
        body["quality"] |= of_quality
    return json.dumps(body).encode()


def test_fields_of_a_newer_version_are_kept_beside_the_run():
    quality = Quality(metric="accuracy", value=0.9, reference=None, loss=None)
    plain, scored = handmade.runs()[0], handmade.run(9, handmade.INT8, 0, quality=quality)
    texts = (
        _with_fields(plain, {"attempt": 2, "big": 10**40, "tree": {"b": [1, {"c": None}]}}),
        _with_fields(scored, {}, {"judge": "new"}),
    )
    recorded = Recorded(plan=handmade.plan(), runs=(plain, scored), run_json=texts)
    first, second, _ = tables.arrow(recorded)["runs"]["extra_json"].to_pylist()
    assert json.loads(first) == {"attempt": 2, "big": 10**40, "tree": {"b": [1, {"c": None}]}}
    assert json.loads(second) == {"quality": {"judge": "new"}}
    assert _back(recorded) == (recorded.plan, recorded.runs)


def test_a_run_of_this_version_has_nothing_beside_it():
    for run in handmade.runs():
        assert runs.extra_json(msgspec.json.encode(run)) is None


def test_the_text_of_a_plan_is_the_one_in_the_journal():
    plan = handmade.plan()
    text = json.dumps(json.loads(msgspec.json.encode(plan)) | {"shelf": 10**40}).encode()
    recorded = Recorded(plan=plan, runs=(), plan_json=text)
    (row,) = tables.arrow(recorded)["sessions"].to_pylist()
    assert row["plan_json"] == text.decode()
    assert tables.plan_from(row) == plan


def test_a_value_that_no_column_holds_is_a_sentence():
    run = handmade.run(1, handmade.FP32, 0, seq=2**63)
    with pytest.raises(StoreError, match="does not fit its column"):
        tables.arrow(_recorded(run))


def test_the_environment_is_a_row_of_its_own():
    found = {"board": "Pi 5", "cpu_count": 4, "ram_bytes": 8e9, "governors": ["performance"]}
    (row,) = tables.arrow(_recorded(environment={**found, "hypervisor": False, "l4t": None}))[
        "environments"
    ].to_pylist()
    assert (row["board"], row["cpu_count"], row["ram_bytes"]) == ("Pi 5", 4, 8_000_000_000)
    assert (row["governors"], row["hypervisor"], row["l4t"]) == (["performance"], False, None)
    assert json.loads(row["environment_json"])["board"] == "Pi 5"
    (odd,) = tables.arrow(_recorded(environment={"governors": "x", "hypervisor": "y"}))[
        "environments"
    ].to_pylist()
    assert (odd["governors"], odd["hypervisor"], odd["cpu_count"]) == (None, None, None)


def test_the_same_machine_at_another_moment_is_the_same_environment():
    machine = {"kernel": "6.1", "cpu_count": 4}
    busy = {**machine, "load_1m": 3.5, "available_bytes": 1, "throttled": {"now": True}}
    assert environments.identity(machine) == environments.identity(busy) == digest(machine)
    assert environments.identity({**machine, "kernel": "6.2"}) != environments.identity(machine)
    assert environments.identity({}) is None


_HOST = {
    "window_s": 2.0,
    "unknown": {
        "time_in_state": "no policy keeps it",
        "temperature_c": "no zone",
        "max_frequency_hz": "gone",
    },
    "max_frequency_hz": {"policy0": None},
    "steal_share": 0.25,
    "ticks": 400,
    "swap_in_pages": 3,
    "pressure_share": {"cpu": 0.5},
    "frequency_hz": {"policy0": [1.5e9, 1.2e9]},
    "mean_frequency_hz": None,
    "temperature_c": None,
    "cooling": {"fan": 2},
    "sentinel_ns": [100, 110],
}


def _read(result):
    return {(r.probe, r.phase, r.metric): r for r in probes.readings(result)}


def test_what_the_host_did_is_one_reading_each():
    found = _read({"host": _HOST})
    steal = found["host", "run", "steal_share"]
    assert (steal.values, steal.unit, steal.reason) == ([0.25], "1", None)
    assert found["host", "run", "frequency_hz.policy0"].values == [1.5e9, 1.2e9]
    assert found["host", "run", "pressure_share.cpu"].values == [0.5]
    units = {name: found["host", "run", name].unit for name in ("window_s", "ticks", "cooling.fan")}
    assert units == {"window_s": "s", "ticks": "count", "cooling.fan": "state"}
    for name, reason in (("mean_frequency_hz", "no policy keeps it"), ("temperature_c", "no zone")):
        assert (found["host", "run", name].values, found["host", "run", name].reason) == (
            [],
            reason,
        )
    assert found["host", "run", "max_frequency_hz.policy0"].reason == "gone"
    sentinel = found["sentinel", "run", "sentinel_ns"]
    assert (sentinel.values, sentinel.unit) == ([100.0, 110.0], "ns")
    assert ("host", "run", "sentinel_ns") not in found


def test_memory_is_read_by_phase():
    memory = {"baseline": {"hwm_bytes": 5, "anon_bytes": None}, "reset": True}
    found = _read({"memory": memory, "last_memory": {"hwm_bytes": 9}})
    assert found["memory", "baseline", "hwm_bytes"].values == [5.0]
    assert found["memory", "baseline", "anon_bytes"].reason == "not reported"
    assert found["memory", "last", "hwm_bytes"].values == [9.0]
    assert len(found) == 3


def test_power_over_time_has_its_moments():
    power = {
        "name": "ina3221",
        "method": "sampled",
        "note": None,
        "series": {"t_ns": [1_000_000_000, 1_100_000_000], "w": [4.0, 5]},
        "energy_j": 0.45,
        "rails_w": {"CPU": 2.0},
        "gap_max_s": None,
        "reason": None,
    }
    found = _read({"power": power})
    series = found["power", "energy", "series.w"]
    assert (series.values, series.unit) == ([4.0, 5.0], "w")
    assert series.offsets_s == pytest.approx([0.0, 0.1])
    assert found["power", "energy", "rails_w.CPU"].unit == "w"
    assert found["power", "energy", "gap_max_s"].values == []
    assert ("power", "energy", "note") not in found


_WATCH = {
    "t_s": [0.1, 0.3, 0.5],
    "temperature_c": {"cpu": [50.0, None, 52.5]},
    "cooling": {"fan": [0, 0, 1]},
    "power_w": [None, 5.0, 6.0],
    "missed": 2,
    "reasons": {"temperature_c.cpu": "busy", "throttle": "no such count", "frequency_hz": "none"},
    "period_s": 0.2,
}


def test_what_was_watched_has_its_moments_since_the_first_timed_call():
    found = _read({"watch": _WATCH})
    cpu = found["watch", "timed", "temperature_c.cpu"]
    assert (cpu.values, cpu.offsets_s, cpu.unit) == ([50.0, 52.5], [0.1, 0.5], "c")
    assert found["watch", "timed", "power_w"].offsets_s == [0.3, 0.5]
    assert found["watch", "timed", "cooling.fan"].values == [0.0, 0.0, 1.0]
    assert found["watch", "timed", "missed"].values == [2.0]
    throttle = found["watch", "timed", "throttle"]
    assert (throttle.values, throttle.reason) == ([], "no such count")
    assert len(found) == 6


@pytest.mark.parametrize(
    "change",
    [{"t_s": [0.1, 0.3]}, {"t_s": None}, {"t_s": [0.1, "x", 0.5]}, {"temperature_c": {"cpu": 7}}],
)
def test_a_watch_of_an_odd_shape_has_no_series(change):
    found = _read({"watch": {**_WATCH, **change}})
    cpu = found.get(("watch", "timed", "temperature_c.cpu"))
    assert cpu is None or (cpu.values, cpu.reason) == ([], "busy")


def test_rest_before_the_energy_pass_is_a_phase_of_its_own():
    series = {"t_ns": [2_000_000_000, 2_500_000_000], "w": [2.0, 2.1]}
    power = {
        "power_w": 5.0,
        "period_s": 0.1,
        "idle_w": 2.05,
        "idle_series": series,
        "idle_reason": None,
        "others": [{"name": "hwmon"}],
        "others_reasons": ["x: y"],
        "advice": "z",
    }
    found = _read({"power": power, "cool_down": {"waited_s": 3.0, "timed_out": True}})
    assert found["power", "idle", "series.w"].offsets_s == pytest.approx([0.0, 0.5])
    assert found["cool_down", "before", "waited_s"].values == [3.0]
    assert set(found) == {
        ("power", "idle", "series.w"),
        ("power", "energy", "power_w"),
        ("power", "energy", "idle_w"),
        ("cool_down", "before", "waited_s"),
    }


def test_a_reading_without_a_value_stands_once():
    power = {"power_w": None, "energy_j": None, "reason": "9 power samples where 10 are needed"}
    found = [reading.metric for reading in probes.readings({"power": power})]
    assert found == ["power_w", "energy_j"]


def test_where_no_power_was_read_the_reason_stands():
    for beside in ({}, {"advice": "put a meter there"}, {"inferences": 4}):
        found = _read({"power": {"reason": "not asked for", **beside}})
        assert found["power", "energy", "power_w"].reason == "not asked for"


@pytest.mark.parametrize("odd", [None, 3, "x", [], {"a": {"b": {}}}, float("inf")])
def test_an_odd_report_has_no_readings_and_no_traceback(odd):
    result = {
        "host": odd,
        "memory": {"loaded": odd, "x": odd},
        "power": {"series": odd},
        "own": odd,
    }
    assert all(reading.values == [] for reading in probes.readings(result))
    lame = {"t_ns": [1, 2], "w": [1.0], "j": odd}
    assert not list(probes.readings({"power": {"series": lame}}))


@pytest.mark.parametrize("odd", [[None, 1.0], [], [float("nan")], float("-inf"), {"a": [1, "x"]}])
def test_a_reading_is_whole_or_it_is_none(odd):
    (reading,) = probes.readings({"own": {"cpu_s": odd}})
    assert (reading.values, reading.reason, reading.unit) == ([], "not reported", "s")


def test_words_and_truths_of_a_probe_are_no_readings():
    assert not list(probes.readings({"own": {"note": "x", "how": "y", "cached": True}}))


def test_any_engine_reads_the_files_without_us(tmp_path):
    for name, table in tables.arrow(_recorded()).items():
        where = tmp_path / name / "month=2026-11" / "device=local"
        where.mkdir(parents=True)
        file = migrations.for_file(table)
        pq.write_table(file, where / "x.parquet", **encoding.options(name, file.column_names))
    part = f"read_parquet('{tmp_path}/{{}}/*/*/*.parquet', hive_partitioning = true)"
    with duckdb.connect() as engine:
        (found,) = engine.sql(
            "select r.device, r.month, r.variant, s.values "
            f"from {part.format('runs')} r join {part.format('samples')} s using (run_id) "
            "where metric = 'latency' order by r.seq limit 1"
        ).fetchall()
    assert found[:3] == ("local", "2026-11", "fp32")
    assert tuple(found[3]) == handmade.runs()[0].samples_ns


def test_raw_durations_are_compact():
    drawn = [2_000_000 + (7919 * n * n) % 16_384 for n in range(1000)]
    long = tuple(handmade.run(n, handmade.FP32, n, samples_ns=tuple(drawn)) for n in range(20))
    samples = migrations.for_file(tables.arrow(_recorded(*long))["samples"])
    sink = pa.BufferOutputStream()
    pq.write_table(samples, sink, **encoding.options("samples", samples.column_names))
    # noise of 14 bits costs its 14 bits and little more
    assert len(sink.getvalue()) / 20_000 < 2.2
    column = pq.ParquetFile(pa.BufferReader(sink.getvalue())).metadata.row_group(0).column(4)
    assert "DELTA_BINARY_PACKED" in column.encodings


def test_no_smallest_and_largest_is_kept_of_json_texts():
    for name, table in tables.arrow(_recorded()).items():
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, **encoding.options(name, table.column_names))
        group = pq.ParquetFile(pa.BufferReader(sink.getvalue())).metadata.row_group(0)
        columns = [group.column(number) for number in range(group.num_columns)]
        known = {column.path_in_schema: column.is_stats_set for column in columns}
        assert known["session_id"]
        assert not any(kept for path, kept in known.items() if path.endswith("_json"))
