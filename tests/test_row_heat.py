"""What a row says of heat and of power: medians over runs, and why there is nothing."""

from __future__ import annotations

from handmade import FP32

from harness.types import Json, Run
from results import figures, heat


def run(seq: int, **result: object) -> Run:
    return Run(
        run_id=f"r{seq}", session_id="s", seq=seq, block=seq, case_key=FP32.key, status="ok",
        reason=None, started_unix_s=0.0, duration_s=1.0, samples_ns=(1000,), result=dict(result),
    )  # fmt: skip


def surroundings(start_c: float, end_c: float, **found: object) -> Json:
    return {"temperature_c": {"cpu": [start_c, end_c], "gpu": [start_c - 5, end_c - 5]}, **found}


def test_a_row_has_the_median_of_the_hottest_zones_and_of_the_clock() -> None:
    ends = (61.0, 65.0, 90.0)
    runs = [
        run(
            seq,
            host=surroundings(40.0 + seq, end),
            timed_host={"mean_frequency_hz": {"policy0": 1.0e9, "policy4": 2.0e9 + seq}},
        )
        for seq, end in enumerate(ends)
    ]
    found = heat.columns(runs)
    assert found["temperature_start_c"] == 41.0
    assert found["temperature_end_c"] == 65.0
    assert found["clock_hz"] == 2.0e9 + 1
    assert "heat_reason" not in found


def test_nothing_that_can_show_throttling_is_not_the_same_as_no_throttling() -> None:
    assert heat.columns([run(0)])["runs_throttled"] is None
    quiet = run(0, timed_host={"throttle_events": {"core_throttle_count": 0}})
    held = run(1, timed_host={"throttle_events": {"core_throttle_count": 7}})
    assert heat.columns([quiet])["runs_throttled"] == 0
    assert heat.columns([quiet, held])["runs_throttled"] == 1


def test_a_row_without_a_temperature_says_what_the_board_said() -> None:
    blind = run(0, host={"unknown": {"temperature_c": "/sys/class/thermal has no readable zone"}})
    assert heat.columns([blind])["heat_reason"] == "/sys/class/thermal has no readable zone"
    assert heat.columns([run(0)])["heat_reason"] == "no run reports a temperature"


def test_power_is_told_by_the_runs_that_measured_it() -> None:
    measured = {
        "name": "shelly", "method": "external", "scope": "wall", "n": 61, "power_w": 7.5,
        "energy_j": 450.0, "inferences": 900, "idle_w": 3.5, "net_energy_per_inference_j": 0.25,
    }  # fmt: skip
    found = figures.power([run(0, power=measured), run(1, power={"reason": "not asked for"})])
    assert found["power_w"] == 7.5
    assert (found["power_idle_w"], found["energy_net_j"], found["power_samples"]) == (3.5, 0.25, 61)
    assert (found["power_method"], found["power_scope"]) == ("external", "wall")
    assert "power_reason" not in found
    none = {"reason": "no power sensor found", "advice": "put a meter into the supply"}
    told = figures.power([run(0, power=none), run(1, power={"reason": "not asked for"})])
    assert told["power_reason"] == "no power sensor found"
