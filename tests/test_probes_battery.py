"""Batteries: only their own machine's, only while they discharge, never a negotiated contract."""

import boards
import pytest

from harness.agent import probes
from harness.agent.probes import battery
from harness.agent.tree import Unreadable


def supply(root, name, **attributes):
    folder = root / "sys/class/power_supply" / name
    folder.mkdir(parents=True, exist_ok=True)
    for key, value in {"type": "Battery", "status": "Discharging", **attributes}.items():
        (folder / key).write_text(f"{value}\n")
    return folder


def test_power_as_the_gauge_tells_it(tmp_path):
    supply(tmp_path, "BAT0", power_now=7_500_000)
    probe = battery.find(str(tmp_path))
    assert probe.moment() == pytest.approx(7.5)
    facts = probes.describe(probe)
    assert (facts["method"], facts["scope"]) == ("sampled", "board")
    assert (probe.period_s, facts["window_s_needed"]) == (1.0, 15.0)


@pytest.mark.parametrize("microampere", [1_500_000, -1_500_000])
def test_power_out_of_voltage_and_current_of_either_sign(tmp_path, microampere):
    supply(tmp_path, "BAT0", voltage_now=12_000_000, current_now=microampere)
    assert battery.find(str(tmp_path)).moment() == pytest.approx(18.0)


def test_two_batteries_that_discharge_are_added(tmp_path):
    supply(tmp_path, "BAT0", power_now=2_000_000)
    supply(tmp_path, "BAT1", power_now=3_000_000)
    supply(tmp_path, "BAT2", power_now=9_000_000, status="Full")
    assert battery.find(str(tmp_path)).moment() == pytest.approx(5.0)


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging", "Unknown"])
def test_a_battery_that_does_not_discharge_tells_nothing(tmp_path, status):
    supply(tmp_path, "BAT0", power_now=2_000_000, status=status)
    with pytest.raises(Unreadable, match="no battery discharges"):
        battery.find(str(tmp_path))


def test_plugging_the_machine_in_makes_gaps(tmp_path):
    folder = supply(tmp_path, "BAT0", power_now=2_000_000)
    probe = battery.find(str(tmp_path))
    (folder / "status").write_text("Charging\n")
    with pytest.raises(Unreadable, match="the battery is charging"):
        probe.moment()


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("ucsi-source-psy-USBC000:001", {"type": "USB"}),
        ("ucsi-source-psy-USBC000:001", {}),
        ("tcpm-source-psy-4-0022", {}),
        ("hidpp_battery_0", {"scope": "Device"}),
        ("AC", {"type": "Mains"}),
    ],
)
def test_contracts_mice_and_adapters_are_no_batteries(tmp_path, name, attributes):
    supply(tmp_path, name, voltage_now=5_000_000, current_now=3_000_000, **attributes)
    with pytest.raises(Unreadable, match="no battery of this machine"):
        battery.find(str(tmp_path))


def test_a_gauge_that_shows_nothing_is_not_a_source(tmp_path):
    supply(tmp_path, "BAT0")
    with pytest.raises(Unreadable, match="voltage_now does not exist"):
        battery.find(str(tmp_path))


@pytest.mark.parametrize("board", boards.BOARDS)
def test_no_board_of_ours_has_a_battery(board):
    with pytest.raises(Unreadable, match="no battery"):
        battery.find(boards.root(board))
