"""Energy in a pass of its own: gross, at rest, net, and what stands there without a sensor."""

from pathlib import Path

import boards
import pytest

from harness.agent import beat, metering
from harness.agent.probes import recorder

POWER = "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input"
RAPL = "sys/class/powercap/intel-rapl:0/energy_uj"


@pytest.fixture
def clock(monkeypatch):
    """A monotonic clock that the test moves."""

    class Clock:
        now_ns = 1_000_000_000

        def __call__(self):
            return self.now_ns

    found = Clock()
    monkeypatch.setattr(recorder, "monotonic_ns", found)
    monkeypatch.setattr(beat, "monotonic_ns", found)
    return found


class Child:
    """Plays what a child says of its energy pass, and the time that passes meanwhile."""

    def __init__(self, meter, clock):
        self.meter = meter
        self.clock = clock

    def part(self, name, seconds, meanwhile=lambda step: None, **told):
        self.meter.hear({"say": name + "_begin"})
        for step in range(round(seconds / 0.05)):
            meanwhile(step)
            self.clock.now_ns += 50_000_000
            self.meter.tick()
        self.meter.hear({"say": name + "_end", **told})


def meter(root, tell=None, **request):
    return metering.Meter({"energy_s": 2.0, "root": str(root), **request}, tell)


def test_net_energy_is_gross_less_what_the_board_takes_at_rest(tmp_path, clock):
    root = boards.copy("nano", tmp_path)
    found = meter(root, idle_s=2.0)
    child = Child(found, clock)
    child.part(
        "idle", 2.0, lambda step: (root / POWER).write_text(f"{1900 + 200 * (step % 4 > 1)}")
    )
    child.part(
        "energy", 2.0, lambda step: (root / POWER).write_text("5000"), inferences=100, wall_s=2.0
    )
    power = found.power
    assert power["power_w"] == pytest.approx(5.0, rel=0.05)
    assert power["idle_w"] == pytest.approx(2.0, abs=0.06)
    assert power["idle_sd_w"] == pytest.approx(0.1, abs=0.03)
    assert power["idle_n"] == pytest.approx(21, abs=1)
    assert power["energy_per_inference_j"] == pytest.approx(power["power_w"] / 50)
    net_w = power["power_w"] - power["idle_w"]
    assert power["net_energy_per_inference_j"] == pytest.approx(net_w / 50)
    assert (power["method"], power["scope"]) == ("sampled", "module")
    assert power["n"] >= recorder.MIN_SAMPLES
    assert "advice" not in power


def test_a_counter_tells_how_even_rest_was(tmp_path, clock):
    root = boards.copy("n5105", tmp_path)
    found = meter(root, idle_s=2.0)
    child = Child(found, clock)
    count = [0]

    def drain(watts):
        def meanwhile(step):
            count[0] += round(watts * 0.05e6)
            (root / RAPL).write_text(f"{count[0]}\n")

        return meanwhile

    (root / RAPL).write_text("0\n")
    child.part("idle", 2.0, drain(3.0))
    child.part("energy", 2.0, drain(9.0), inferences=10, wall_s=2.0)
    power = found.power
    assert (power["idle_w"], power["power_w"]) == (pytest.approx(3.0), pytest.approx(9.0))
    assert power["idle_sd_w"] == pytest.approx(0.0, abs=1e-6)
    assert power["idle_n"] == 12, "a read at each end, and one each fifth of a second"
    assert power["net_energy_per_inference_j"] == pytest.approx(1.2)


def test_without_rest_nothing_is_net(tmp_path, clock):
    found = meter(boards.root("nano"))
    Child(found, clock).part("energy", 2.0, inferences=10, wall_s=2.0)
    assert not [key for key in found.power if key.startswith(("idle", "net"))]


def test_rest_that_could_not_be_read_says_why_and_leaves_gross_alone(tmp_path, clock):
    root = boards.copy("nano", tmp_path)
    found = meter(root, idle_s=2.0)
    child = Child(found, clock)
    watts = (root / POWER).read_text()
    child.part("idle", 2.0, lambda step: (root / POWER).write_text("none"))
    (root / POWER).write_text(watts)
    child.part("energy", 2.0, inferences=10, wall_s=2.0)
    assert found.power["energy_per_inference_j"] > 0
    assert "net_energy_per_inference_j" not in found.power
    assert (found.power["idle_w"], found.power["idle_sd_w"]) == (None, None)
    assert "which is not a number" in found.power["idle_reason"]


def test_a_run_that_ends_before_its_pass_does_not_say_that_nobody_asked(clock):
    found = meter(boards.root("nano"))
    assert found.power == {"reason": "the run ended before its pass for power did"}


def test_too_short_a_pass_says_what_this_source_needs(clock):
    found = meter(boards.root("nano"))
    Child(found, clock).part("energy", 0.5, inferences=10, wall_s=0.5)
    assert found.power["power_w"] is None
    assert "power samples where 10 are needed" in found.power["reason"]
    assert found.power["advice"] == "make the energy pass 1.5 s long: this source needs that"
    assert "energy_per_inference_j" not in found.power


def test_other_sources_are_named_and_never_added(tmp_path, clock):
    root = boards.copy("n5105", tmp_path)
    folder = root / "sys/class/hwmon/hwmon9"
    folder.mkdir(parents=True)
    (folder / "name").write_text("ina226\n")
    (folder / "power1_input").write_text("15000000\n")
    found = meter(root)
    (root / RAPL).write_text("0\n")
    child = Child(found, clock)

    def drain(step):
        (root / RAPL).write_text(f"{step * 10**6}\n")

    child.part("energy", 2.0, drain, inferences=1, wall_s=2.0)
    assert found.power["name"] == "rapl"
    (other,) = found.power["others"]
    assert (other["name"], other["scope"]) == ("hwmon", "rail")
    assert found.power["energy_j"] == pytest.approx(39.0)
    names = [line.partition(":")[0] for line in found.power["others_reasons"]]
    assert names == ["ina3221", "pmic", "battery", "nvml"]


def test_without_a_sensor_there_is_no_pass_and_the_way_to_a_figure(clock):
    found = meter(boards.root("orange-pi-5"))
    assert found.request["energy_s"] == 0
    assert "ina3221" in found.power["reason"]
    assert "meter into the board's supply" in found.power["advice"]
    assert "guest" in meter(boards.root("vm-x86")).power["advice"]


def test_a_missing_right_is_the_advice(monkeypatch):
    def refuse(path, mode="r", buffering=-1):
        if str(path).endswith("energy_uj"):
            raise PermissionError(13, "Permission denied", path)
        return Path(path).open(mode, buffering)

    monkeypatch.setattr("harness.agent.tree.open", refuse, raising=False)
    advice = meter(boards.root("n5105")).power["advice"]
    assert advice == "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj"


def test_an_external_meter_has_its_pass_and_hears_when(clock):
    heard = []
    found = meter(
        boards.root("orange-pi-5"),
        lambda event, **facts: heard.append((event, facts)),
        external_meter=True,
        idle_s=1.0,
    )
    assert found.request["energy_s"] == 2.0
    child = Child(found, clock)
    child.part("idle", 1.0)
    child.part("energy", 2.0, inferences=7, wall_s=2.0)
    assert heard == [
        ("phase", {"name": "idle_begin"}),
        ("phase", {"name": "idle_end"}),
        ("phase", {"name": "energy_begin"}),
        ("phase", {"name": "energy_end", "inferences": 7, "wall_s": 2.0}),
    ]
    assert (found.power["inferences"], found.power["workload_wall_s"]) == (7, 2.0)
    assert "no INA3221" in found.power["reason"]


def test_nobody_hears_of_a_pass_without_an_external_meter(clock):
    found = meter(boards.root("nano"), None)
    Child(found, clock).part("energy", 2.0, inferences=7, wall_s=2.0)
    assert found.power["inferences"] == 7


def test_nothing_is_asked_for():
    found = meter(boards.root("nano"), None, energy_s=0)
    assert found.power == {"reason": "not asked for"}
    found.tick()
    assert found.wait_s(0.25) == 0.25


def test_a_real_run_rests_with_its_model_loaded_before_it_works(local, null_request):
    request = {"energy_s": 1.5, "idle_s": 1.5, "root": boards.root("nano"), "external_meter": True}
    *events, last = local.run(null_request(request, latency_us=10_000))
    names = [event["name"] for event in events]
    assert names[-4:] == ["idle_begin", "idle_end", "energy_begin", "energy_end"]
    power = last["result"]["power"]
    assert power["idle_n"] >= 10
    assert power["idle_w"] == pytest.approx(power["power_w"])
    assert power["net_energy_per_inference_j"] == pytest.approx(0.0, abs=1e-9)
    assert last["duration_s"] > 3.3
