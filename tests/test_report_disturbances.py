"""What disturbed a session: counts per signal, what helps, and the warning of a noisy night."""

from __future__ import annotations

import fake_session
import msgspec
import pytest

from reports.cases import cases, doubtful
from reports.disturbances import banner, disturbances, grid, lines, sentences
from reports.html import page
from reports.relations import Relations, comparable
from reports.session import SessionView
from reports.tables import ROW_TONES, tables
from reports.text import table
from results.cases import summarise
from results.row import COMPARABLE


@pytest.fixture(scope="module")
def view() -> SessionView:
    return fake_session.view()


@pytest.fixture(scope="module")
def noisy(view) -> SessionView:
    return fake_session.disturbed(view, 3)


def test_a_little_steal_is_flagged_and_rejects_nothing(view):
    found = disturbances(view)
    assert (found.rejected, found.share, found.read) == (0, 0.0, True)
    assert list(found.signals) == ["steal"]
    assert {flag.severity for flag in found.signals["steal"]} == {"flag"}
    assert banner(found) is None
    assert sentences(found)[0].startswith(f"None of {found.runs} runs was disturbed")


def test_a_third_of_the_runs_disturbed_is_a_noisy_night(noisy):
    found = disturbances(noisy)
    hit = [run for run in noisy.runs if run.status == "ok" and run.seq % 3 == 0]
    assert found.rejected == len(hit)
    assert found.share > 0.2
    told = banner(found)
    assert told is not None
    assert f"{len(hit)} of {found.runs} runs" in told
    assert "most of all by steal" in told
    assert page(noisy).count('class="banner"') == 1
    assert "The machine was noisy" in table(noisy)


def test_a_fifth_is_not_yet_a_noisy_night(view):
    found = disturbances(fake_session.disturbed(view, 5))
    assert found.rejected
    exact = msgspec.structs.replace(found, rejected=20, runs=100)
    assert banner(exact) is None
    assert banner(msgspec.structs.replace(exact, rejected=21)) is not None
    assert 'class="banner"' not in page(view)


def test_the_table_counts_by_severity_and_says_what_helps(noisy):
    (one,) = grid(disturbances(noisy))
    rows = {row.head: row for group in one.groups for row in group.rows}
    steal = rows["steal"].cells
    found = disturbances(noisy).signals["steal"]
    assert steal[0].text == str(sum(flag.severity == "invalid" for flag in found))
    assert steal[1].text == str(sum(flag.severity == "flag" for flag in found))
    assert "took 8.0% of the cores' time" in steal[3].text
    assert "neighbours" in steal[4].text


def test_the_worst_signal_comes_first(view):
    seen = fake_session.disturbed(view, 4, steal_share=0.0, foreign_share=0.3)
    found = disturbances(seen)
    assert list(found.signals) == ["foreign cpu", "steal"]
    assert lines(found)[0].startswith("foreign cpu: ")
    assert "30.0%" in lines(found)[0]
    told = banner(msgspec.structs.replace(found, rejected=90, runs=100)) or ""
    assert "most of all by foreign cpu. " in told, "steal was no more than flagged"


def test_the_worst_run_of_a_signal_speaks_for_it(view):
    seen = fake_session.disturbed(fake_session.disturbed(view, 7), 40, steal_share=0.6)
    assert "60.0% of the cores' time" in lines(disturbances(seen))[0]


def test_repeated_blocks_are_named(view):
    again = [
        msgspec.structs.replace(
            run, run_id=f"again{number}", block=number, result={**run.result, "repeats": planned}
        )
        for run in view.runs[:2]
        for number, planned in ((5, 1), (6, 1), (7, 3))
    ]
    seen = msgspec.structs.replace(view, runs=(*view.runs, *again))
    found = disturbances(seen)
    assert found.repeated == {1: 2, 3: 1}
    assert sentences(found)[1] == "Blocks 2 (2 times) and 4 were repeated, at least in part."


def test_a_session_that_read_nothing_of_the_host_does_not_call_it_quiet(view):
    runs = tuple(
        msgspec.structs.replace(run, result={k: v for k, v in run.result.items() if k != "host"})
        for run in view.runs
    )
    seen = msgspec.structs.replace(view, runs=runs, rows=summarise(view.plan, runs))
    found = disturbances(seen)
    assert sentences(found) == ("No run of this session tells what else the machine did.",)
    assert grid(found) == ()
    assert "Disturbances:" not in table(seen)
    assert "tells what else the machine did" in page(seen)


def test_every_new_verdict_has_its_badge_and_its_place(view):
    for verdict in ("noisy", "throttled", "fallback"):
        rows = [
            msgspec.structs.replace(row, verdict=verdict, reason="why: what helps")
            if row.verdict == "valid"
            else row
            for row in view.rows
        ]
        seen = msgspec.structs.replace(view, rows=rows)
        (grid_,) = tables(seen, "minilm-l6", "single-stream")
        badges = {b.text for g in grid_.groups for r in g.rows for b in r.cells[-1].badges}
        assert verdict in badges
        (listed,) = doubtful(seen.rows)
        assert verdict in {row.cells[0].badges[0].text for g in listed.groups for row in g.rows}
        assert all(
            comparable(row) == (verdict in COMPARABLE) for row in rows if row.verdict == verdict
        )
        assert ROW_TONES[verdict] == "warn"


def test_ratios_leave_out_the_blocks_in_which_one_side_was_disturbed():
    view = fake_session.view(9)
    rows = {(r.variant, r.backend): r for r in view.rows if r.scenario == "single-stream"}
    int8, fp32 = rows["int8-dynamic", "openvino"], rows["fp32", "openvino"]
    runs = [
        msgspec.structs.replace(
            run,
            samples_ns=tuple(value * 3 for value in run.samples_ns),
            result={**run.result, "host": {"window_s": 2.0, "ticks": 400, "steal_share": 0.5}},
        )
        if run.case_key == int8.case_key and run.block in (2, 5)
        else run
        for run in view.runs
    ]
    hit = msgspec.structs.replace(view, runs=tuple(runs))
    clean = Relations(hit).ratio("latency", fp32, int8)
    assert clean.n == 7
    assert clean.ratio == pytest.approx(1 / 1.74, rel=0.03)
    few = msgspec.structs.replace(hit, runs=tuple(run for run in runs if run.block < 6))
    assert Relations(few).ratio("latency", fp32, int8).n == 6, "too few clean ones: all count"


def test_cold_burst_and_sustained_stand_apart(view):
    grid_ = cases(view, "minilm-l6")
    titles = [header.text for header in grid_.headers]
    assert titles[4:7] == ["Cold", "Burst", "Sustained"]
    assert {header.unit for header in grid_.headers[1:7]} == {"ms"}
    first = grid_.groups[0].rows[0].cells
    assert "—" not in (first[3].text, first[4].text)
    assert first[5].text == "—"
    assert any("--sample 3m" in note for note in grid_.notes)
    warm = [msgspec.structs.replace(row, latency_sustained_s=0.025) for row in view.rows]
    grid_ = cases(msgspec.structs.replace(view, rows=warm), "minilm-l6")
    assert grid_.groups[0].rows[0].cells[5].text == "25.0"
    assert not any("--sample 3m" in note for note in grid_.notes)


def test_p99_has_its_interval_where_it_is_known(view):
    rows = [
        msgspec.structs.replace(
            row, latency_p99_s=0.03, latency_p99_lo_s=0.028, latency_p99_hi_s=0.035
        )
        for row in view.rows
    ]
    cell = cases(msgspec.structs.replace(view, rows=rows), "minilm-l6").groups[0].rows[0].cells[2]
    assert (cell.text, cell.detail) == ("30.0", "28.0\u00a0–\u00a035.0")


def test_a_case_tells_why_its_runs_ended_and_how_many_were_disturbed(view):
    rows = [
        msgspec.structs.replace(
            row, stop_reasons={"budget": 1, "precise": 4}, runs_disturbed=2, verdict="valid"
        )
        for row in view.rows
    ]
    row = cases(msgspec.structs.replace(view, rows=rows), "minilm-l6").groups[0].rows[0]
    assert "; ended: 1 budget, 4 precise; 2 disturbed" in (row.detail or "")
