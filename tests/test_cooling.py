"""Runs start as cool as the session began: what the driver asks of the board."""

from __future__ import annotations

from handmade import FP32

from harness.session import cooling
from harness.stats.heat import start_c
from harness.types import Json, Run


def run(**result: object) -> Run:
    return Run(
        run_id="r", session_id="s", seq=0, block=0, case_key=FP32.key, status="ok", reason=None,
        started_unix_s=0.0, duration_s=1.0, result=dict(result),
    )  # fmt: skip


def zones(**readings: list[float]) -> Json:
    return {"temperature_c": readings}


def test_the_hottest_zone_at_the_start_of_a_run_counts() -> None:
    assert start_c({"host": zones(cpu=[41.5, 60.0], gpu=[43.0, 44.0])}) == 43.0
    assert start_c({"host": {}}) is None
    assert start_c({"host": zones(cpu=[])}) is None


def test_the_first_reading_of_a_session_is_what_later_runs_wait_for() -> None:
    assert cooling.wanted([]) is None
    assert cooling.wanted([run()]) is None
    told = cooling.wanted([run(), run(host=zones(cpu=[40.0, 70.0])), run(host=zones(cpu=[65, 80]))])
    assert told is not None
    assert told["below_c"] == 43.0
    assert told["timeout_s"] > 0
