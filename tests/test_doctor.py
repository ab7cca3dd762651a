import json

import boards
import pytest

import backends
from harness.agent.identify import identify
from harness.cli import main
from harness.commands.doctor import look_at_store
from harness.plan.cases import Runtime
from harness.plan.doctor import StoreState, assess

STORE = StoreState(path="results", free_bytes=50_000_000_000)


def findings(board_or_facts, topic, runtimes=(), store=STORE):
    facts = board_or_facts
    if isinstance(facts, str):
        facts = identify(boards.root(facts))
    return [found for found in assess(facts, runtimes, store) if found.topic == topic]


def only(*args, **kwargs):
    found = findings(*args, **kwargs)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize("board", boards.BOARDS)
def test_every_machine_gets_an_assessment(board):
    found = assess(identify(boards.root(board)), [], STORE)
    topics = {finding.topic for finding in found}
    assert {"machine", "power", "memory", "temperature", "clock", "results"} <= topics
    assert all(finding.text for finding in found)


def test_a_machine_that_tells_nothing_is_assessed_too(tmp_path):
    found = assess(identify(str(tmp_path)), [], STORE)
    missing = {finding.topic for finding in found if finding.level == "missing"}
    assert missing == {"clock", "memory", "power", "temperature"}


@pytest.mark.parametrize(
    ("board", "level", "words"),
    [
        ("n5105", "ok", "rapl, counter, scope package"),
        ("nano", "ok", "ina3221, sampled, scope module"),
        ("agx-orin", "warn", "ina3221, estimate, scope module (sum of four rails"),
        ("pi4", "missing", "no readable sensor; ina3221: no INA3221"),
    ],
)
def test_power(board, level, words):
    found = only(board, "power")
    assert found.level == level
    assert words in found.text


def test_power_behind_a_permission_names_the_command(tmp_path):
    facts = identify(boards.root("n5105"))
    command = "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj"
    reason = f"rapl: energy_uj: permission denied; this lets everyone read it: {command}"
    facts["power"] = {"source": None, "reasons": [reason, "hwmon: nothing"]}
    assert only(facts, "power").fix == command


@pytest.mark.parametrize(
    ("board", "fix"),
    [("pi4", "put a meter"), ("vm-x86", "on the machine itself"), ("n5105", "modprobe")],
)
def test_power_without_a_sensor_says_what_would_help(board, fix):
    facts = identify(boards.root(board))
    facts["power"] = {"source": None, "reasons": ["rapl: nothing"]}
    assert fix in only(facts, "power").fix


def test_a_virtual_machine_is_told():
    assert only("vm-x86", "virtual machine").level == "warn"
    assert findings("n5105", "virtual machine") == []


def test_the_governor_and_its_fix():
    found = only("n5105", "clock")
    assert (found.level, found.text.split(":")[0]) == ("warn", "governor powersave")
    assert found.fix.startswith("echo performance | sudo tee /sys/devices/system/cpu/cpufreq/")
    facts = identify(boards.root("n5105"))
    facts["governors"] = ["performance"]
    assert only(facts, "clock").level == "ok"


def test_a_power_mode_that_caps_the_clock_and_the_cores():
    capped = findings("agx-xavier", "clock")[1]
    assert capped.text == "core 0 is limited to 1190 of 2266 MHz"
    assert "nvpmodel" in capped.fix
    cores = findings("agx-xavier", "cores")[1]
    assert cores.text == "switched off: 4, 5, 6, 7"


def test_turbo_names_the_switch():
    found = only("n5105", "turbo")
    assert found.level == "warn"
    assert found.fix == "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo"
    assert findings("pi4", "turbo") == []


@pytest.mark.parametrize(("load", "level"), [(0.49, "ok"), (0.5, "warn")])
def test_load(load, level):
    facts = identify(boards.root("pi4"))
    facts["load_1m"] = load
    assert only(facts, "load").level == level


def test_threads_of_one_core_and_single_cores():
    facts = identify(boards.root("vm-x86"))
    facts.update(smt=True, cpu_count=1)
    assert only(facts, "threads per core").level == "warn"
    assert only(facts, "cores").level == "warn"


def test_memory_without_a_reset_and_without_a_peak():
    facts = identify(boards.root("pi4"))
    facts["memory"] = {"vm_hwm": True, "clear_refs": False}
    assert only(facts, "memory").level == "warn"
    facts["memory"] = {"vm_hwm": False, "clear_refs": False}
    assert only(facts, "memory").level == "missing"


def test_runtimes():
    present = Runtime(backend="onnxruntime", interpreter="python3", version="1.31.1")
    absent = Runtime(backend="torch", interpreter="python3", reason="not there; pip install torch")
    runtimes = [present, absent]
    assert only("pi4", "runtime onnxruntime", runtimes).text == "1.31.1"
    found = only("pi4", "runtime torch", runtimes)
    assert (found.level, found.text) == ("missing", "not there")
    assert found.fix == "pip install torch"


def test_a_32_bit_python_on_a_64_bit_kernel():
    facts = identify(boards.root("pi4"))
    facts["python_bits"] = 32
    assert only(facts, "python").level == "warn"


def test_the_store(tmp_path):
    state = look_at_store(tmp_path / "not" / "yet")
    assert state.reason is None
    assert state.free_bytes > 0
    assert list(tmp_path.iterdir()) == []
    assert only("pi4", "results", store=state).level in ("ok", "warn")


def test_a_store_that_cannot_be_written(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    state = look_at_store(file / "below")
    assert state.reason == f"cannot write to {file}: not a directory"
    found = only("pi4", "results", store=state)
    assert (found.level, found.fix) == ("missing", "name another folder with --store DIR")


def test_little_space_is_a_warning():
    state = StoreState(path="results", free_bytes=1_000_000)
    found = only("pi4", "results", store=state)
    assert (found.level, found.text) == ("warn", "results can be written, 1 MB free")


@pytest.fixture
def null_only(monkeypatch, tmp_path):
    monkeypatch.setattr(backends, "TABLE", {"null": backends.TABLE["null"]})
    monkeypatch.setenv("BOARDMARK_CACHE", str(tmp_path / "cache"))


def test_the_command_prints_findings_and_fixes(null_only, tmp_path, capsys):
    assert main(["doctor", "--store", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "machine" in text
    assert "runtime null" in text
    assert f"{tmp_path} can be written" in text


def test_the_command_prints_json(null_only, tmp_path, capsys):
    assert main(["doctor", "--json", "--store", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["identity"]["cpu_count"] >= 1
    assert {"topic", "level", "text", "fix"} == set(found["findings"][0])
