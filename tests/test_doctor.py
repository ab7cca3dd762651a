import json

import boards
import pytest

import backends
from harness.agent.identify import identify
from harness.cli import main
from harness.commands import doctor
from harness.commands.doctor import look_at_store
from harness.errors import StoreError
from harness.plan.cases import Runtime
from harness.plan.doctor import StoreState, assess, preflight
from harness.session.tuning import Change, Tuned

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


def supplies(root, *rows):
    for number, row in enumerate(rows):
        folder = root / f"sys/class/power_supply/supply{number}"
        folder.mkdir(parents=True)
        for name, value in row.items():
            (folder / name).write_text(f"{value}\n")


MAINS, NO_MAINS = ({"type": "Mains", "online": number} for number in (1, 0))
FULL, EMPTYING = ({"type": "Battery", "status": word} for word in ("Full", "Discharging"))
MOUSE = {"type": "Battery", "scope": "Device", "status": "Discharging"}


@pytest.mark.parametrize(
    ("rows", "level"),
    [
        ((), None),
        ((MOUSE,), None),
        ((MAINS,), "ok"),
        ((NO_MAINS,), "ok"),  # a desktop's adapter that tells nothing: there is no battery
        ((MAINS, EMPTYING), "ok"),
        ((NO_MAINS, {"type": "USB", "online": 1}, FULL), "ok"),
        ((NO_MAINS, EMPTYING), "warn"),
        ((NO_MAINS, FULL), "warn"),
        ((EMPTYING,), "warn"),
        ((FULL,), "ok"),
    ],
)
def test_the_power_source(tmp_path, rows, level):
    root = boards.copy("n5105", tmp_path)
    supplies(root, *rows)
    facts = identify(str(root))
    assert ("on_battery" in facts["unknown"]) == (level is None)
    assert [found.level for found in findings(facts, "supply")] == ([level] if level else [])


@pytest.mark.parametrize(
    ("bits", "level", "words"),
    [
        ("0", "ok", "saw no low voltage"),
        ("50000", "warn", "since power came on it happened that the supply's voltage is too low"),
        ("50005", "warn", "now the supply's voltage is too low, the clock is throttled"),
    ],
)
def test_the_supply_of_a_raspberry_pi(tmp_path, bits, level, words):
    root = boards.copy("pi4", tmp_path)
    (root / "sys/devices/platform/soc/soc:firmware/get_throttled").write_text(bits + "\n")
    found = only(identify(str(root)), "supply")
    assert found.level == level
    assert words in found.text
    assert bool(found.fix) == (level == "warn")


@pytest.mark.parametrize(
    ("size", "used", "level"), [(0, 0, "ok"), (1e9, 0, "info"), (1e9, 5e6, "warn")]
)
def test_swap(size, used, level):
    facts = identify(boards.root("pi4"))
    facts.update(swap_bytes=size, swap_used_bytes=used)
    found = only(facts, "swap")
    assert found.level == level
    assert found.fix == ("sudo swapoff -a" if size else None)


def test_used_swap_is_what_is_not_free(tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("SwapTotal: 1000 kB\nSwapFree: 400 kB\n")
    assert identify(str(tmp_path))["swap_used_bytes"] == 600 * 1024


@pytest.mark.parametrize(("free", "level"), [(99, "warn"), (100, "ok")])
def test_free_memory(free, level):
    facts = identify(boards.root("pi4"))
    facts.update(ram_bytes=1000, available_bytes=free)
    assert only(facts, "free memory").level == level


def test_a_quiet_machine_has_no_line_before_a_session():
    facts = identify(boards.root("pi4"))
    facts["governors"] = ["performance"]
    assert preflight(facts) == ()
    assert preflight(identify(boards.root("vm-x86"))) == ()


def test_before_a_session_each_disturbance_is_one_line_with_its_fix():
    facts = identify(boards.root("n5105"))
    facts.update(on_battery=True, load_1m=2.0, swap_bytes=1e9, swap_used_bytes=1e6, smt=True)
    lines = preflight(facts)
    topics = ("clock", "turbo", "threads per core", "load", "swap", "supply")
    assert tuple(line.split(":")[0] for line in lines) == topics
    assert all(line.endswith(")") and "\n" not in line for line in lines)
    assert "(echo performance | sudo tee /sys/devices/system/cpu/cpufreq/" in lines[0]


def test_before_a_session_a_machine_that_tells_nothing_is_not_complained_about(tmp_path):
    assert preflight(identify(str(tmp_path))) == ()


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


def test_a_cache_that_cannot_be_written_is_a_finding(null_only, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BOARDMARK_CACHE", str(tmp_path / "file"))
    assert main(["doctor", "--json", "--store", str(tmp_path)]) == 0
    rows = json.loads(capsys.readouterr().out)["findings"]
    assert [row["level"] for row in rows if row["topic"] == "runtime null"] == ["ok"]
    found = next(row for row in rows if row["topic"] == "cache")
    assert found["level"] == "missing"
    assert found["text"].startswith(f"cannot write {tmp_path / 'file'}")
    assert "BOARDMARK_CACHE" in found["fix"]


def test_nothing_to_restore_is_fine(null_only, capsys):
    assert main(["doctor", "--tune", "restore"]) == 0
    assert capsys.readouterr().out == "nothing to restore\n"


GOVERNOR = Change(
    what="governor of policy0",
    before="powersave",
    after="performance",
    command="echo performance | sudo tee /sys/x",
    undo="echo powersave | sudo tee /sys/x",
)
SWAP = Change(what="swap /swapfile", before="-2", after="off", command="sudo swapoff /swapfile")
DENIED = Change(
    what="turbo", reason="permission denied", command="do it by sudo", undo="undo it by sudo"
)


@pytest.fixture
def told(null_only, monkeypatch, tmp_path):
    """Say that these settings were set or put back: no test may touch those of this machine."""

    def script(**facts):
        def act(transport, state):
            assert state == tmp_path / "cache" / "tuned.json"
            return Tuned(**facts)

        monkeypatch.setattr(doctor.tuning, "tune", act)
        monkeypatch.setattr(doctor.tuning, "restore", act)

    return script


def test_what_was_tuned_and_what_was_refused_is_said(told, tmp_path, capsys):
    told(done=(GOVERNOR, SWAP), refused=(DENIED,), pending=2)
    assert main(["doctor", "--tune"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "governor of policy0: powersave -> performance",
        "swap /swapfile: off",
        "not changed: turbo: permission denied",
        "  -> do it by sudo",
        f"previous values: {tmp_path}/cache/tuned.json;"
        " boardmark doctor --tune restore puts them back",
    ]


def test_what_was_restored_is_said_and_what_was_not_ends_with_4(told, capsys):
    told(done=(GOVERNOR, SWAP), refused=(DENIED,), pending=1)
    assert main(["doctor", "--tune", "restore"]) == 4
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "governor of policy0: performance -> powersave",
        "swap /swapfile: on again",
        "not changed: turbo: permission denied",
        "  -> undo it by sudo",
    ]
    told(done=(GOVERNOR,), refused=(), pending=0)
    assert main(["doctor", "--tune", "restore", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["done"][0]["what"] == "governor of policy0"


def test_tuning_without_a_place_for_the_previous_values_changes_nothing(
    null_only, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BOARDMARK_CACHE", str(tmp_path / "file"))
    assert main(["doctor", "--tune"]) == StoreError.exit_code
