"""Sensor files that vanish, say nothing or what cannot be: a gap with its reason, never a 0."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import boards
import pytest

from harness.agent import probes
from harness.agent.probes import clock, host, thermal, throttle
from harness.agent.tree import Unreadable


def vanish(path: Path) -> None:
    path.unlink()


NONSENSE: dict[str, Callable[[Path], object]] = {
    "missing": vanish,
    "a folder": boards.unreadable,
    "empty": lambda path: path.write_text(""),
    "text": lambda path: path.write_text("<unsupported>\n"),
    "two numbers": lambda path: path.write_text("17 18\n"),
    "no text at all": lambda path: path.write_bytes(b"\xff\xfe\x00\x80"),
    "a huge number": lambda path: path.write_text("9" * 60 + "\n"),
    "a huge file": lambda path: path.write_text("9" * 3_000_000),
}
POWER = {
    "nano": "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input",
    "orin-nano": "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon*/curr1_input",
    "n5105": "sys/class/powercap/intel-rapl:0/energy_uj",
}


@pytest.fixture(params=sorted(NONSENSE))
def spoil(request: pytest.FixtureRequest) -> Callable[[Path], object]:
    return NONSENSE[request.param]


@pytest.mark.parametrize("board", sorted(POWER))
def test_power(board: str, spoil: Callable[[Path], object], tmp_path: Path) -> None:
    root = boards.copy(board, tmp_path)
    probe, _ = probes.choose(str(root))
    assert probe is not None
    probe.start()
    (file,) = root.glob(POWER[board])
    spoil(file)
    for _ in range(12):
        probe.sample()
    result = probe.stop()
    assert (result["energy_j"], result["power_w"]) == (None, None)
    assert result["reason"]
    assert result["missed"] == 13
    assert not result["series"] or 0 not in result["series"]["w"]
    again, reasons = probes.choose(str(root))
    if again is not None:
        with pytest.raises(Unreadable):
            again.moment()
    else:
        assert any(line.startswith(probe.facts.name) for line in reasons)


def test_a_source_that_ends_in_the_middle_is_no_energy(tmp_path: Path) -> None:
    """Enough samples, and nothing for most of the window: what was missed is not made up."""
    root = boards.copy("nano", tmp_path)
    probe, _ = probes.choose(str(root))
    assert probe is not None
    probe.start()
    probe._begin_ns -= 10_000_000_000
    for _ in range(12):
        probe.sample()
    result = probe.stop()
    assert result["energy_j"] is None
    assert result["gap_max_s"] == pytest.approx(10.0, abs=0.5)
    assert "no power sample for 10." in result["reason"]


def test_temperature(spoil: Callable[[Path], object], tmp_path: Path) -> None:
    root = boards.copy("orange-pi-5", tmp_path)
    whole = thermal.temperature(str(root))
    spoil(root / "sys/class/thermal/thermal_zone0/temp")
    left = thermal.temperature(str(root))
    assert set(whole) - set(left) == {"soc-thermal"}
    assert all(left[name] == whole[name] for name in left)


def test_a_zone_without_a_type_is_none(spoil: Callable[[Path], object], tmp_path: Path) -> None:
    root = boards.copy("orange-pi-5", tmp_path)
    spoil(root / "sys/class/thermal/thermal_zone0/type")
    assert "soc-thermal" not in thermal.temperature(str(root))


@pytest.mark.parametrize("millidegrees", ["-256000", "999000", "-274000"])
def test_a_temperature_that_no_processor_has(tmp_path: Path, millidegrees: str) -> None:
    root = boards.copy("nano", tmp_path)
    (root / "sys/class/thermal/thermal_zone1/temp").write_text(millidegrees)
    (name,) = set(thermal.temperature(boards.root("nano"))) - set(thermal.temperature(str(root)))
    assert name == "CPU-therm"


def test_zones_of_one_type_are_all_read(tmp_path: Path) -> None:
    """PCs have two zones called acpitz, of which the later hid the first."""
    root = boards.copy("orange-pi-5", tmp_path)
    for number, celsius in ((0, 40), (1, 90), (2, 50)):
        zone = root / f"sys/class/thermal/thermal_zone{number}"
        (zone / "type").write_text("acpitz\n")
        (zone / "temp").write_text(f"{celsius}000\n")
    found = thermal.temperature(str(root))
    assert (found["acpitz"], found["acpitz 2"], found["acpitz 3"]) == (40.0, 90.0, 50.0)


def test_frequency(spoil: Callable[[Path], object], tmp_path: Path) -> None:
    root = boards.copy("orange-pi-5", tmp_path)
    spoil(root / "sys/devices/system/cpu/cpufreq/policy4/scaling_cur_freq")
    assert set(clock.frequency(str(root))) == {"policy0", "policy6"}


def test_a_clock_that_stands_still_is_none(tmp_path: Path) -> None:
    root = boards.copy("pi4", tmp_path)
    (root / "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq").write_text("0\n")
    with pytest.raises(Unreadable, match="no readable policy"):
        clock.frequency(str(root))


def test_cooling(spoil: Callable[[Path], object], tmp_path: Path) -> None:
    root = boards.copy("orange-pi-5", tmp_path)
    (root / "sys/class/thermal/cooling_device0/cur_state").write_text("2\n")
    spoil(root / "sys/class/thermal/cooling_device1/cur_state")
    assert throttle.cooling(str(root)) == {"thermal-cpufreq-0": 2}


def test_counts(spoil: Callable[[Path], object], tmp_path: Path) -> None:
    root = boards.copy("orin-nano", tmp_path)
    before = host.snapshot(str(root))
    spoil(root / "sys/class/hwmon/hwmon2/oc3_event_cnt")
    events = host.delta(before, host.snapshot(str(root)))["throttle_events"]
    assert events == {"oc1_event_cnt": 0, "oc2_event_cnt": 0}
