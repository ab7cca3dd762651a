"""NVML, played by a small library that the compiler makes of a few lines of C."""

import shutil
import subprocess

import boards
import pytest

from harness.agent import probes
from harness.agent.probes import nvml
from harness.agent.tree import Unreadable

_GCC = shutil.which("gcc")
pytestmark = pytest.mark.skipif(_GCC is None, reason="no gcc here to compile the library with")

# Two cards; the counter moves by 500 mJ each time it is read, the second card draws twice as much.
_SOURCE = """
static unsigned long long energy[2] = {1000, 2000};
static int cards[2] = {0, 1};
int nvmlInit_v2(void) { return INIT; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = COUNT; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int at, void **card) { *card = &cards[at]; return 0; }
#ifndef NO_ENERGY
int nvmlDeviceGetTotalEnergyConsumption(void *card, unsigned long long *mj) {
    int at = *(int *) card;
    *mj = energy[at] += 500 * (at + 1);
    return ENERGY;
}
#endif
int nvmlDeviceGetPowerUsage(void *card, unsigned int *mw) {
    *mw = 20000 * (*(int *) card + 1);
    return POWER;
}
"""


@pytest.fixture
def card(tmp_path, monkeypatch):
    """Return a function that gives the root of a machine with the driver's library."""
    monkeypatch.setattr(nvml, "_OPENED", {})

    def make(board="vm-x86", **settings):
        root = boards.copy(board, tmp_path)
        folder = root / "usr/lib"
        folder.mkdir(parents=True)
        (tmp_path / "nvml.c").write_text(_SOURCE)
        values = {"INIT": 0, "COUNT": 2, "ENERGY": 0, "POWER": 0, **settings}
        defined = [f"-D{name}={value}" for name, value in values.items()]
        library = folder / "libnvidia-ml.so.1"
        command = [_GCC, "-shared", "-fPIC", *defined, "-o", library, tmp_path / "nvml.c"]
        subprocess.run(command, check=True)
        return str(root)

    return make


def test_the_energy_of_all_cards_is_differenced(card):
    probe, _ = probes.choose(card())
    facts = probes.describe(probe)
    assert (facts["name"], facts["method"], facts["scope"]) == ("nvml", "counter", "gpu")
    assert facts["window_s_needed"] == pytest.approx(10.0), "the counter moves ten times a second"
    probe.start()
    probe._t_ns[0] -= 4_000_000_000  # as if four seconds had passed
    result = probe.stop()
    assert result["energy_j"] == pytest.approx(1.5)
    assert result["power_w"] == pytest.approx(1.5 / result["window_s"])


def test_a_window_of_few_steps_is_no_measurement(card):
    probe = nvml.find(card())
    probe.start()
    assert "too short" in probe.stop()["reason"]


@pytest.mark.parametrize("settings", [{"ENERGY": 3}, {"NO_ENERGY": 1}])
def test_cards_without_a_counter_are_sampled(card, settings):
    probe = nvml.find(card(**settings))
    assert probes.describe(probe)["method"] == "sampled"
    assert probe.moment() == pytest.approx(60.0)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"INIT": 9}, "nvmlInit_v2 gives error 9"),
        ({"COUNT": 0}, "knows no graphics card"),
        ({"ENERGY": 3, "POWER": 3}, "nvmlDeviceGetPowerUsage gives error 3"),
    ],
)
def test_a_driver_that_cannot_tell_says_which_call_failed(card, settings, reason):
    with pytest.raises(Unreadable, match=reason):
        nvml.find(card(**settings))


def test_a_jetson_is_not_asked(card):
    with pytest.raises(Unreadable, match="Jetson"):
        nvml.find(card("orin-nano"))


def test_no_library_and_a_file_that_is_none(tmp_path):
    root = boards.copy("vm-x86", tmp_path)
    with pytest.raises(Unreadable, match=r"libnvidia-ml.so.1 cannot be loaded"):
        nvml.find(str(root))
    (root / "usr/lib").mkdir(parents=True)
    (root / "usr/lib/libnvidia-ml.so.1").write_text("no library")
    with pytest.raises(Unreadable, match=r"libnvidia-ml.so.1 cannot be loaded"):
        nvml.find(str(root))


def test_package_and_card_are_two_figures(card):
    probe, others, _ = probes.survey(card("n5105"))
    assert probe.facts.name == "rapl"
    assert [facts["name"] for facts in others] == ["nvml"]
