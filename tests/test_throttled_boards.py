"""From a board's files to the verdict: what holds a processor back on each of them is seen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import boards
import handmade
import pytest

from harness.agent.probes import host
from harness.stats import noise
from harness.types import Json
from results.cases import summarise

PI = "sys/devices/platform/soc/soc:firmware/get_throttled"
POLICY = "sys/devices/system/cpu/cpufreq/policy{}/"
COOLER = "sys/class/thermal/cooling_device{}/cur_state"
COUNT = "sys/devices/system/cpu/cpu{}/thermal_throttle/{}_throttle_count"
OVER_CURRENT = "sys/class/hwmon/hwmon{}/oc{}_event_cnt"


def during(root: Path, changes: Mapping[str, str], cpu_s: float = 2.0) -> Json:
    """Return the report of a run of two seconds in which these files changed."""
    before = host.snapshot(str(root))
    for path, text in changes.items():
        assert (root / path).exists(), path
        (root / path).write_text(text + "\n")
    found = host.delta(before, host.snapshot(str(root)))
    return {"host": found, "timed_host": found, "own": {"cpu_s": cpu_s, "wall_s": 2.0}}


def evidence(result: Json) -> list[str]:
    return [flag.text for flag in noise.flags(result) if noise.throttles(flag)]


@pytest.mark.parametrize(
    ("board", "changes", "told"),
    [
        ("pi4", {PI: "50005"}, "throttled by 1, under_voltage by 1"),
        ("pi4", {PI: "20000"}, "frequency_capped by 1"),
        ("pi4", {COOLER.format(0): "2"}, "thermal-cpufreq-0 in state 2"),
        ("pi5", {PI: "80008"}, "soft_temperature_limit by 1"),
        ("pi5", {COOLER.format(1): "1"}, "thermal-cpufreq-0 in state 1"),
        ("nano", {COOLER.format(2): "3"}, "cpu-balanced in state 3"),
        ("nano", {POLICY.format(0) + "scaling_max_freq": "1224000"}, "cap fell by 17.2%"),
        ("tx2", {POLICY.format(0) + "scaling_max_freq": "1000000"}, "cap fell by"),
        ("agx-xavier", {POLICY.format(0) + "scaling_max_freq": "1000000"}, "cap fell by"),
        ("orange-pi-5", {COOLER.format(3): "4"}, "thermal-devfreq-0 in state 4"),
        ("orange-pi-5", {POLICY.format(4) + "scaling_max_freq": "1200000"}, "cap fell by 50.0%"),
        ("orin-nano", {OVER_CURRENT.format(2, 3): "1037"}, "oc3_event_cnt by 1000"),
        ("agx-orin", {OVER_CURRENT.format(2, 2): "3"}, "oc2_event_cnt by 3"),
        ("agx-orin", {COOLER.format(0): "1"}, "cpufreq-cpu0 in state 1"),
        ("n5105", {COUNT.format(0, "core"): "7"}, "core_throttle_count by 7"),
        ("n5105", {COOLER.format(0): "5"}, "Processor in state 5"),
    ],
)
def test_what_holds_a_board_back_is_evidence(
    tmp_path: Path, board: str, changes: dict[str, str], told: str
) -> None:
    root = boards.copy(board, tmp_path)
    assert evidence(during(root, {})) == [], "a board at rest"
    (text,) = evidence(during(root, changes))
    assert told in text


@pytest.mark.parametrize("board", ["pi4", "pi5"])
def test_what_a_pi_remembers_from_before_is_not_this_runs(tmp_path: Path, board: str) -> None:
    root = boards.copy(board, tmp_path)
    (root / PI).write_text("50000\n")
    assert evidence(during(root, {PI: "50000"})) == []


def test_fans_and_offsets_slow_nothing(tmp_path: Path) -> None:
    root = boards.copy("pi5", tmp_path)
    assert evidence(during(root, {COOLER.format(0): "4"})) == [], "its fan turns"


SLOW = {POLICY.format(0) + "stats/time_in_state": "600000 90100\n1000000 300\n1500000 9650"}


@pytest.mark.parametrize(
    ("governor", "cpu_s", "held"),
    [
        ("ondemand", 2.0, True),
        ("schedutil", 1.9, True),
        ("performance", 7.6, True),
        ("powersave", 2.0, False),  # a person's choice, not the board's
        ("userspace", 2.0, False),
        ("ondemand", 1.0, False),  # it slept half of the time: the clock may follow
    ],
)
def test_a_clock_far_below_its_cap_under_load(
    tmp_path: Path, governor: str, cpu_s: float, held: bool
) -> None:
    """Two thirds of the time at 600 MHz of 1500, and no count or cap tells why."""
    root = boards.copy("pi4", tmp_path)
    (root / POLICY.format(0) / "scaling_governor").write_text(governor + "\n")
    result = during(root, SLOW, cpu_s)
    told = evidence(result)
    assert bool(told) == held
    assert not held or "below its cap under load" in told[0]
    assert "frequency" in {flag.signal for flag in noise.flags(result)}


def test_the_verdict_of_such_a_run_is_throttled(tmp_path: Path) -> None:
    root = boards.copy("pi4", tmp_path)
    result = handmade.result() | during(root, {PI: "50005"})
    runs = [handmade.run(n, handmade.FP32, n, result=result) for n in range(5)]
    (row,) = summarise(handmade.plan(cases=(handmade.FP32,), skipped=()), runs)
    assert row.verdict == "throttled"
    assert "under_voltage by 1" in (row.reason or "")
