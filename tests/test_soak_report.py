"""Soaks in every report: the terminal's table, the page and its pictures, the exports."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import fake_session
import handmade
import msgspec
import pyarrow.parquet as pq
import pytest
import soak_session

from reports import soak as heat
from reports import soak_charts
from reports.html import page
from reports.session import SessionView
from reports.text import table
from results import export, sessions
from results import soak as soaks
from results.cases import summarise
from results.store import Store


@pytest.fixture(scope="module")
def view() -> SessionView:
    return soak_session.view()


def test_a_row_tells_when_its_board_was_held_down_and_what_it_cost(view: SessionView) -> None:
    held, free = (row.soak for row in view.rows)
    assert held["duration_s"] == pytest.approx(600, abs=1)
    assert held["latency_burst_s"] == pytest.approx(0.0200, rel=0.01)
    assert held["latency_sustained_s"] == pytest.approx(0.0270, rel=0.01)
    assert held["slower_by"] == pytest.approx(0.35, abs=0.01)
    assert held["throttle_s"] == pytest.approx(195, abs=5)
    assert "cooling device cpufreq-cpu0 slows the processor" in held["throttle_evidence"]
    assert (held["temperature_start_c"], held["temperature_max_c"]) == (
        pytest.approx(42, abs=1),
        pytest.approx(84, abs=1.5),
    )
    assert (held["clock_burst_hz"], held["clock_sustained_hz"]) == (1.8e9, pytest.approx(1.2e9))
    assert (held["power_burst_w"], held["power_sustained_w"]) == (
        pytest.approx(8.0, abs=0.1),
        pytest.approx(6.1, abs=0.1),
    )
    assert (held["runs"], held["throttled_runs"], held["reasons"]) == (1, 1, {})
    assert held["throttle_known"] is free["throttle_known"] is True
    assert (free["throttle_s"], free["throttle_evidence"], free["throttled_runs"]) == (
        None,
        None,
        0,
    )
    assert free["reasons"] == {"throttle_s": "not held down within 600.1 s"}
    assert (view.rows[0].latency_burst_s, view.rows[0].latency_sustained_s) == (
        held["latency_burst_s"],
        pytest.approx(held["latency_sustained_s"], rel=1e-3),
    )


def test_what_a_soak_could_not_read_or_reach_is_none_with_a_reason() -> None:
    case = soak_session.two_cases()[1]
    plan = soak_session.plan_of((case,), 20.0)
    run = soak_session.run_of(plan, case, 1, 20.0)
    bare = {"t_s": [0.0], "reasons": {"temperature_c": "/sys/class/thermal has no zone"}}
    run = msgspec.structs.replace(run, result={**run.result, "watch": bare})
    found = soaks.columns([run])
    unknown = {name for name, value in found.items() if value is None}
    words = {"throttle_evidence", "power_source", "power_method", "power_scope"}
    assert unknown == set(found["reasons"]) | words
    assert found["reasons"]["temperature_max_c"] == "/sys/class/thermal has no zone"
    assert found["reasons"]["power_burst_w"] == "not watched in this run"
    assert "is too short to tell" in found["reasons"]["throttle_s"]
    assert "a soak shorter than 180 s" in found["reasons"]["latency_sustained_s"]
    assert "a soak shorter than 180 s" in found["reasons"]["slower_by"]
    assert found["throttle_known"] is False
    rows = summarise(plan, [run])
    assert heat.verdict(rows, "minilm-l6") == (
        "Whether minilm-l6 is held down cannot be told: a soak of 20 s is too short to tell:"
        " 30 s at least."
    )
    assert heat.verdict([], "minilm-l6") == "No soak of minilm-l6 gave a figure."
    assert soaks.columns([msgspec.structs.replace(run, samples_ns=())]) == {}


def test_several_soaks_of_a_case_are_their_median_and_a_count() -> None:
    case = soak_session.two_cases()[0]
    plan = soak_session.plan_of((case,))
    runs = [soak_session.run_of(plan, case, place, held=place != 1) for place in range(3)]
    found = soaks.columns(runs)
    assert (found["runs"], found["throttled_runs"]) == (3, 2)
    assert found["throttle_s"] == pytest.approx(195, abs=5)
    assert found["throttle_evidence"] == soaks.of_run(runs[0])["throttle_evidence"]
    assert found["slower_by"] == pytest.approx(0.35, abs=0.01)
    assert found["reasons"] == {}, "the one that was not held down does not unsay the others"


def test_calls_that_were_not_kept_count_all_the_same(view: SessionView) -> None:
    run = view.runs[0]
    fourth = msgspec.structs.replace(
        run, samples_ns=run.samples_ns[::4], result={**run.result, "kept_every": 4}
    )
    rows = summarise(view.plan, [fourth, view.runs[1]])
    assert rows[0].throughput_per_s == pytest.approx(view.rows[0].throughput_per_s)
    assert rows[0].soak["calls"] == len(run.samples_ns)
    assert rows[0].soak["throttle_s"] == pytest.approx(view.rows[0].soak["throttle_s"], abs=3)
    assert rows[0].latency_sustained_s == pytest.approx(view.rows[0].latency_sustained_s, rel=0.01)
    assert rows[0].latency_burst_s == pytest.approx(view.rows[0].latency_burst_s, rel=0.01)
    changed = msgspec.structs.replace(view, rows=rows)
    assert "one in 4 kept" in page(changed)


def test_the_samples_of_a_soak_are_told_apart_from_the_memory_of_a_model(view: SessionView) -> None:
    run = view.runs[0]
    many = msgspec.structs.replace(run, samples_ns=run.samples_ns * 10)
    thinned = msgspec.structs.replace(many, result={**run.result, "kept_every": 4})
    told = [summarise(view.plan, [one])[0].notes for one in (run, many, thinned)]
    said = [[note for note in notes if "that a soak keeps" in note] for notes in told]
    assert said == [
        [],
        ["peak memory includes up to 2 MB of samples that a soak keeps"],
        ["peak memory includes up to 4 MB of samples that a soak keeps"],
    ]


def test_power_over_time_may_come_from_outside(view: SessionView) -> None:
    outside = {
        "t_s": [float(at) for at in range(600)],
        "power_w": [12.0] * 600,
        "source": "shelly",
        "scope": "wall",
    }
    run = view.runs[0]
    run = msgspec.structs.replace(run, result={**run.result, "watch_external": outside})
    found = soaks.of_run(run)
    assert (found["power_source"], found["power_burst_w"]) == ("shelly", 12.0)
    assert found["power_sustained_w"] == 12.0
    rows = summarise(view.plan, [run, view.runs[1]])
    notes = heat.grid(msgspec.structs.replace(view, rows=rows), "minilm-l6")[0].notes
    assert notes == (
        "Power over time: the shelly meter, external, scope wall.",
        "Power over time: the board's own source, unknown method, scope unknown.",
    )


def test_power_over_time_that_is_an_estimate_is_called_one_wherever_it_is_shown(
    view: SessionView,
) -> None:
    run = view.runs[0]
    watch = {**run.result["watch"], "power_by": {"method": "estimate", "scope": "module"}}
    run = msgspec.structs.replace(run, result={**run.result, "watch": watch})
    rows = summarise(view.plan, [run])
    assert (rows[0].soak["power_method"], rows[0].soak["power_scope"]) == ("estimate", "module")
    shown = msgspec.structs.replace(view, rows=rows, runs=(run,))
    note = "Power over time: the board's own source, estimate, scope module."
    assert note in table(shown)
    assert note in heat.grid(shown, "minilm-l6")[0].notes


def test_the_terminal_shows_a_line_per_soak_and_what_shows_it(view: SessionView) -> None:
    text = table(view)
    assert "the board was held down in 1 of 2 cases of minilm-l6" in text
    assert "fp32 on onnxruntime ran 34.8 % slower than at the begin" in text.replace("\u00a0", " ")
    (line,) = [one for one in text.splitlines() if "1.80 → 1.20 GHz" in one]
    assert re.search(r"600 s +20 ms +27 ms +34\.8 % +19\d s", line.replace("\u00a0", " "))
    assert "  fp32 on openvino: not held down within 600.1 s\n" in text
    assert "minilm-l6, soak\n" in text


def test_the_page_has_a_section_with_a_picture_per_case(view: SessionView) -> None:
    text = page(view)
    assert text.index('<h2 id="soak">') < text.index('<h2 id="quality">')
    assert '<a href="#soak">' in text
    for gone in ("levels", "tradeoff", "claims"):
        assert f'id="{gone}"' not in text, "nothing of a soak is ranked"
    section = text.split('<h2 id="soak">')[1].split('<h2 id="quality">')[0]
    assert section.count("<svg") == 2
    assert section.count(">held down<") == 1
    assert "No case of" not in text


def test_a_session_without_a_soak_has_no_such_section() -> None:
    text = page(fake_session.view())
    assert 'id="soak"' not in text
    assert "Held down" not in text


def test_a_picture_has_a_panel_per_quantity_and_marks_the_moment(view: SessionView) -> None:
    held, free = soak_charts.pictures(view, "minilm-l6")
    texts = [element.text for element in ET.fromstring(held.markup).iter() if element.text]
    for title in ("latency of one call (ms)", "clock (GHz)", "temperature (°C)", "power (W)"):
        assert title in texts
    assert {"policy0", "policy4", "cpu-thermal", "gpu-thermal"} <= set(texts)
    label = ET.fromstring(held.markup).get("aria-label") or ""
    assert re.search(r"latency from 20\.0 to 27\.\d ms", label)
    assert held.markup.count("stroke-dasharray") == free.markup.count("stroke-dasharray") + 4
    assert "var(--series-1)" in held.markup, "colours are the page's, light and dark"
    assert not re.search(r"#[0-9a-f]{6}\b", held.markup)
    assert (held.caption, free.caption) == ("fp32 on onnxruntime", "fp32 on openvino")


def test_a_picture_leaves_out_what_nobody_read(view: SessionView) -> None:
    run = msgspec.structs.replace(view.runs[0], result={**view.runs[0].result, "watch": {}})
    rows = summarise(view.plan, [run])
    bare = msgspec.structs.replace(view, runs=(run,), rows=rows)
    (picture,) = soak_charts.pictures(bare, "minilm-l6")
    texts = [element.text for element in ET.fromstring(picture.markup).iter() if element.text]
    assert "latency of one call (ms)" in texts
    assert not {"clock (GHz)", "temperature (°C)", "power (W)"} & set(texts)


def test_names_of_sensors_are_only_text(view: SessionView) -> None:
    name = "</svg><script>alert(1)</script>"
    watch = {**view.runs[0].result["watch"], "temperature_c": {name: [50.0] * 2400}}
    watch["cooling"] = {name: [1.0] * 2400}
    run = msgspec.structs.replace(view.runs[0], result={**view.runs[0].result, "watch": watch})
    changed = msgspec.structs.replace(view, runs=(run,), rows=summarise(view.plan, [run]))
    text = page(changed)
    assert "<script" not in text
    assert "&lt;script" in text
    assert "\x1b" not in table(changed)


def test_every_export_carries_the_soak(view: SessionView, tmp_path: Path) -> None:
    wanted = view.rows[0].soak
    assert json.loads(export.to_json(view.rows))[0]["soak"] == wanted
    cell = next(csv.DictReader(io.StringIO(export.to_csv(view.rows), newline="")))["soak"]
    assert json.loads(cell) == wanted
    export.write_parquet(view.rows, tmp_path / "cases.parquet")
    column = pq.read_table(tmp_path / "cases.parquet")["soak"].to_pylist()
    assert json.loads(column[0]) == wanted
    assert next(iter(json.loads(export.to_json(summarise(handmade.plan(), [])))))["soak"] == {}


def test_a_sealed_soak_tells_the_same(view: SessionView, tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    with store.start(view.plan) as journal:
        for run in view.runs:
            journal.append(run)
    store.seal(view.plan.session_id)
    session = sessions.load(store, view.plan.session_id)
    rows = summarise(session.plan, session.runs, session.sealed)
    assert [row.soak for row in rows] == [row.soak for row in view.rows]
