from pathlib import Path

import boards
import pytest

from harness.agent import probes
from harness.agent.probes import hwmon, ina3221, rapl, recorder
from harness.agent.tree import Unreadable

ORIN = ["VDD_CPU_CV", "VDD_GPU_SOC", "VDDQ_VDD2_1V8AO", "VIN_SYS_5V0"]


@pytest.fixture
def clock(monkeypatch):
    """A monotonic clock that the test moves; reading it costs 2 ms."""

    class Clock:
        now_ns = 1_000_000_000

        def __call__(self):
            self.now_ns += 2_000_000
            return self.now_ns

        def advance(self, seconds):
            self.now_ns += round(seconds * 1e9)

    found = Clock()
    monkeypatch.setattr(recorder, "monotonic_ns", found)
    return found


def write(root, path, value):
    (root / path.lstrip("/")).write_text(f"{value}\n")


@pytest.mark.parametrize(
    ("board", "name", "method", "scope"),
    [
        ("nano", "ina3221", "sampled", "module"),
        ("tx2", "ina3221", "sampled", "module"),
        ("agx-xavier", "ina3221", "sampled", "module"),
        ("agx-orin", "ina3221", "estimate", "module"),
        ("orin-nano", "ina3221", "sampled", "module"),
        ("n5105", "rapl", "counter", "package"),
    ],
)
def test_the_sensor_of_each_board(board, name, method, scope):
    probe, _ = probes.choose(boards.root(board))
    facts = probes.describe(probe)
    assert (facts["name"], facts["method"], facts["scope"]) == (name, method, scope)


@pytest.mark.parametrize("board", ["pi4", "pi5", "orange-pi-5", "vm-x86"])
def test_a_board_without_a_sensor_gives_every_reason(board):
    probe, reasons = probes.choose(boards.root(board))
    assert probe is None
    assert [line.split(":")[0] for line in reasons] == [name for name, _ in probes.REGISTRY]


@pytest.mark.parametrize(
    ("board", "total_w"),
    [
        ("nano", 5.08 * 0.4),
        ("tx2", 2.860),
        ("orin-nano", 4.984 * 1.0),
        ("agx-orin", 19.984 * (0.16 + 0.08 + 0.04) + 5.0 * 0.9),
        ("agx-xavier", sum(int(19.08 * ma) / 1000 for ma in (60, 110, 90, 0, 40, 120))),
    ],
)
def test_jetson_totals(board, total_w, clock):
    probe, _ = probes.choose(boards.root(board))
    result = drive(probe, clock, samples=20)
    assert result["power_w"] == pytest.approx(total_w)
    assert result["energy_j"] == pytest.approx(total_w * result["window_s"])
    assert sum(result["rails_w"].values()) == pytest.approx(total_w)


def drive(probe, clock, samples, step_s=0.1):
    probe.start()
    for _ in range(samples - 2):
        clock.advance(step_s)
        probe.sample()
    clock.advance(step_s)
    return probe.stop()


def test_shunt_and_sum_channels_are_never_rails():
    root = boards.root("agx-orin")
    assert sorted(ina3221._rails(root)) == sorted(ORIN)


def test_a_rail_inside_another_is_not_added():
    assert ina3221.total(["POM_5V_CPU", "POM_5V_GPU", "POM_5V_IN"])[0] == ["POM_5V_IN"]
    assert ina3221.total(["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"])[0] == ["VDD_IN"]


def test_unknown_rails_have_no_total():
    with pytest.raises(Unreadable, match="which of these rails is the total: A, B"):
        ina3221.total(["B", "A"])


def test_a_second_link_to_a_meter_is_the_same_meter(tmp_path):
    root = boards.copy("nano", tmp_path)
    meter = root / "sys/bus/i2c/drivers/ina3221x/6-0040"
    (meter / "iio_device").symlink_to("iio:device0")
    assert len(ina3221._rails(str(root))) == 3


def test_samples_that_fail_are_gaps(tmp_path, clock):
    root = boards.copy("nano", tmp_path)
    file = "/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input"
    probe = ina3221.find(str(root))
    probe.start()
    for value in [2000] * 9 + ["-11 EAGAIN"] * 5 + [2000] * 5:
        clock.advance(0.1)
        write(root, file, value)
        probe.sample()
    result = probe.stop()
    assert (result["n"], result["missed"]) == (16, 5)
    assert result["gap_max_s"] == pytest.approx(0.6, abs=0.05)
    assert result["power_w"] == pytest.approx(2.0, rel=0.01)
    assert min(result["series"]["w"]) > 1.9


def test_too_few_samples_are_no_energy(clock):
    probe, _ = probes.choose(boards.root("nano"))
    result = drive(probe, clock, samples=9)
    assert result["energy_j"] is None
    assert result["power_w"] is None
    assert result["reason"] == "9 power samples where 10 are needed"
    assert len(result["series"]["w"]) == 9


def test_a_sensor_that_vanishes_says_so(tmp_path, clock):
    root = boards.copy("nano", tmp_path)
    file = "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input"
    probe = ina3221.find(str(root))
    (root / file).unlink()
    result = drive(probe, clock, samples=20)
    assert (result["energy_j"], result["series"], result["n"]) == (None, None, 0)
    assert f"/{file} does not exist" in result["reason"]


def test_rapl_differences_the_package_alone(tmp_path, clock):
    root = boards.copy("n5105", tmp_path)
    write(root, "/sys/class/powercap/intel-rapl:0/energy_uj", 1_000_000)
    probe = rapl.find(str(root))
    probe.start()
    clock.advance(2.0)
    probe.sample()
    write(root, "/sys/class/powercap/intel-rapl:0/energy_uj", 21_000_000)
    for part in ("intel-rapl:0:0", "intel-rapl:0:1", "intel-rapl-mmio:0"):
        write(root, f"/sys/class/powercap/{part}/energy_uj", 999_000_000)
    result = probe.stop()
    assert result["energy_j"] == pytest.approx(20.0)
    assert result["power_w"] == pytest.approx(20.0 / result["window_s"])
    assert result["window_s"] == pytest.approx(2.0, abs=0.01)
    assert result["source"] == "/sys/class/powercap/intel-rapl:0"
    assert result["series"]["j"] == pytest.approx([1.0, 1.0, 21.0])


def test_rapl_wraps_once(tmp_path, clock):
    root = boards.copy("n5105", tmp_path)
    probe = rapl.find(str(root))
    probe.start()  # 262143000000, 999938 below its range
    clock.advance(1.0)
    write(root, "/sys/class/powercap/intel-rapl:0/energy_uj", 4_000_062)
    assert probe.stop()["energy_j"] == pytest.approx(5.0)


def test_rapl_may_wrap_again_between_two_reads_of_one_window(tmp_path, clock):
    root = boards.copy("n5105", tmp_path)
    write(root, "/sys/class/powercap/intel-rapl:0/max_energy_range_uj", 1_000_000)
    probe = rapl.find(str(root))
    write(root, "/sys/class/powercap/intel-rapl:0/energy_uj", 900_000)
    probe.start()
    for count in (400_000, 900_000, 100_000, 800_000):  # 0.5 J, 0.5 J, 0.2 J, 0.7 J
        clock.advance(0.2)
        write(root, "/sys/class/powercap/intel-rapl:0/energy_uj", count)
        probe.sample()
    result = probe.stop()
    assert result["energy_j"] == pytest.approx(1.9)
    assert result["series"]["j"] == pytest.approx([0.9, 1.4, 1.9, 2.1, 2.8, 2.8])
    assert recorder.powers_w(result["series"]) == pytest.approx([2.5, 2.5, 1.0, 3.5], rel=0.05)


def test_the_power_of_a_moment_needs_a_moment_before_it(tmp_path, clock):
    root = boards.copy("n5105", tmp_path)
    write(root, "/sys/class/powercap/intel-rapl:0/energy_uj", 0)
    probe = rapl.find(str(root))
    assert probe.moment() is None
    clock.advance(0.5)
    write(root, "/sys/class/powercap/intel-rapl:0/energy_uj", 4_000_000)
    assert probe.moment() == pytest.approx(8.0, rel=0.01)
    clock.advance(0.5)
    with pytest.raises(Unreadable, match="shows 0 W"):
        probe.moment()


def test_a_counter_that_leaps_is_no_measurement(tmp_path, clock):
    root = boards.copy("n5105", tmp_path)
    probe = rapl.find(str(root))
    write(root, "/sys/class/powercap/intel-rapl:0/energy_uj", 0)
    probe.start()
    clock.advance(1.0)
    write(root, "/sys/class/powercap/intel-rapl:0/energy_uj", 200_000_000_000)
    assert "faster than any board draws power" in probe.stop()["reason"]


def test_a_failed_read_between_its_ends_does_not_spoil_a_counter(tmp_path, clock):
    root = boards.copy("n5105", tmp_path)
    write(root, "/sys/class/powercap/intel-rapl:0/energy_uj", 0)
    probe = rapl.find(str(root))
    probe.start()
    for text in (1_000_000, "busy", 3_000_000):
        clock.advance(0.2)
        write(root, "/sys/class/powercap/intel-rapl:0/energy_uj", text)
        probe.sample()
    result = probe.stop()
    assert (result["energy_j"], result["missed"], result["n"]) == (pytest.approx(3.0), 1, 4)
    assert result["gap_max_s"] == pytest.approx(0.4, abs=0.02)


def test_rapl_adds_every_package(tmp_path, clock):
    root = boards.copy("n5105", tmp_path)
    second = root / "sys/class/powercap/intel-rapl:1"
    second.mkdir()
    for name, value in (("name", "package-1"), ("energy_uj", 0), ("max_energy_range_uj", 1000)):
        write(second, name, value)
    write(root, "/sys/class/powercap/intel-rapl:0/energy_uj", 0)
    probe = rapl.find(str(root))
    probe.start()
    clock.advance(1.0)
    write(root, "/sys/class/powercap/intel-rapl:0/energy_uj", 3_000_000)
    write(second, "energy_uj", 500)
    assert probe.stop()["energy_j"] == pytest.approx(3.0005)


def test_rapl_without_permission_gives_the_command(monkeypatch):
    def refuse(path, mode="r", buffering=-1):
        if str(path).endswith("energy_uj"):
            raise PermissionError(13, "Permission denied", path)
        return Path(path).open(mode, buffering)

    monkeypatch.setattr("harness.agent.tree.open", refuse, raising=False)
    probe, reasons = probes.choose(boards.root("n5105"))
    assert probe is None
    reason = next(line for line in reasons if line.startswith("rapl"))
    assert "/sys/class/powercap/intel-rapl:0/energy_uj: permission denied" in reason
    assert "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj" in reason


def test_rapl_needs_every_package(tmp_path):
    root = boards.copy("n5105", tmp_path)
    second = root / "sys/class/powercap/intel-rapl:1"
    second.mkdir()
    write(second, "name", "package-1")
    with pytest.raises(Unreadable, match="intel-rapl:1/energy_uj does not exist"):
        rapl.find(str(root))


def test_the_platform_zone_is_not_a_package(tmp_path):
    root = boards.copy("n5105", tmp_path)
    write(root, "/sys/class/powercap/intel-rapl:0/name", "psys")
    with pytest.raises(Unreadable, match="no processor package"):
        rapl.find(str(root))


def test_a_counter_that_stands_still_is_no_measurement(tmp_path, clock):
    probe = rapl.find(boards.root("n5105"))
    probe.start()
    clock.advance(3.0)
    result = probe.stop()
    assert result["energy_j"] is None
    assert "did not move" in result["reason"]


def test_a_short_window_is_no_measurement(tmp_path, clock):
    root = boards.copy("n5105", tmp_path)
    probe = rapl.find(str(root))
    probe.start()
    clock.advance(0.05)
    write(root, "/sys/class/powercap/intel-rapl:0/energy_uj", 262143900000)
    assert "too short" in probe.stop()["reason"]


def test_a_counter_that_cannot_be_read_at_the_end_says_so(tmp_path, clock):
    root = boards.copy("n5105", tmp_path)
    probe = rapl.find(str(root))
    probe.start()
    clock.advance(1.0)
    boards.unreadable(root / "sys/class/powercap/intel-rapl:0/energy_uj")
    result = probe.stop()
    assert result["energy_j"] is None
    assert "energy_uj is not a file" in result["reason"]


def meter(root, number, chip, **attributes):
    folder = root / f"sys/class/hwmon/hwmon{number}"
    folder.mkdir(parents=True)
    write(folder, "name", chip)
    for name, value in attributes.items():
        write(folder, name, value)
    return folder


def test_hwmon_samples_a_shunt_monitor(tmp_path, clock):
    meter(tmp_path, 0, "cpu_thermal", temp1_input=40000)
    meter(tmp_path, 3, "ina226", power1_input=7_500_000)
    probe, reasons = probes.choose(str(tmp_path))
    assert [line.partition(":")[0] for line in reasons] == ["ina3221", "pmic", "rapl"]
    result = drive(probe, clock, samples=12)
    assert result["power_w"] == pytest.approx(7.5)
    assert (result["method"], result["scope"]) == ("sampled", "rail")
    assert result["source"] == "/sys/class/hwmon/hwmon3/power1_input"


def test_the_kernels_acpi_meter_is_a_slow_mean(tmp_path):
    meter(tmp_path, 0, "power_meter", power1_average=42_000_000)
    probe = hwmon.find(str(tmp_path))
    assert (probe.period_s, probe.window_s, probe.facts.scope) == (1.0, 15.0, "board")
    assert probe.moment() == pytest.approx(42.0)


def test_hwmon_prefers_energy_and_differences_it(tmp_path, clock):
    folder = meter(tmp_path, 0, "ina228", power1_input=7_500_000, energy1_input=1_000_000)
    probe = hwmon.find(str(tmp_path))
    probe.start()
    clock.advance(1.0)
    write(folder, "energy1_input", 9_000_000)
    assert probe.stop()["energy_j"] == pytest.approx(8.0)


def test_hwmon_counter_of_unknown_range_that_falls_is_doubted(tmp_path, clock):
    folder = meter(tmp_path, 0, "ina228", energy1_input=1_000_000)
    probe = hwmon.find(str(tmp_path))
    probe.start()
    clock.advance(1.0)
    write(folder, "energy1_input", 5)
    result = probe.stop()
    assert result["energy_j"] is None
    assert "went backwards" in result["reason"]


def test_hwmon_does_not_take_a_component_for_the_machine(tmp_path):
    meter(tmp_path, 0, "amdgpu", power1_average=12_000_000)
    with pytest.raises(Unreadable, match=r"single components: amdgpu \(/sys/class/hwmon/hwmon0"):
        hwmon.find(str(tmp_path))


def test_hwmon_does_not_choose_between_two_meters(tmp_path):
    meter(tmp_path, 0, "ina226", power1_input=1)
    meter(tmp_path, 1, "ina226", power1_input=2)
    with pytest.raises(Unreadable, match="several supply meters"):
        hwmon.find(str(tmp_path))


def test_a_probe_can_be_started_again(clock):
    probe, _ = probes.choose(boards.root("nano"))
    first = drive(probe, clock, samples=12)
    second = drive(probe, clock, samples=12)
    assert first["n"] == second["n"] == 12
