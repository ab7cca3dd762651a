import json
import os

import boards
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.agent import cpu, tree
from harness.agent.identify import LISTS, QUESTIONS, identify
from harness.agent.midr import core_name

A72, A57, A76, A55, A78AE = (f"Cortex-{part}" for part in ("A72", "A57", "A76", "A55", "A78AE"))
EXPECTED = {
    "pi4": ("bcm2711", "aarch64", A72, [(A72, [0, 1, 2, 3], 1.5e9)]),
    "pi5": ("bcm2712", "aarch64", A76, [(A76, [0, 1, 2, 3], 2.4e9)]),
    "nano": ("tegra210", "aarch64", A57, [(A57, [0, 1, 2, 3], 1.479e9)]),
    "agx-xavier": (
        "tegra194",
        "aarch64",
        "Carmel",
        [("Carmel", [0, 1], 2.2656e9), ("Carmel", [2, 3], 2.2656e9)],
    ),
    "agx-orin": (
        "tegra234",
        "aarch64",
        A78AE,
        [(A78AE, list(range(first, first + 4)), 2.2016e9) for first in (0, 4, 8)],
    ),
    "orin-nano": (
        "tegra234",
        "aarch64",
        A78AE,
        [(A78AE, [0, 1, 2, 3], 1.5104e9), (A78AE, [4, 5], 1.5104e9)],
    ),
    "orange-pi-5": (
        "rk3588s",
        "aarch64",
        f"{A55} + {A76}",
        [(A55, [0, 1, 2, 3], 1.8e9), (A76, [4, 5], 2.4e9), (A76, [6, 7], 2.352e9)],
    ),
    "n5105": (
        None,
        "x86_64",
        "Intel(R) Celeron(R) N5105 @ 2.00GHz",
        [("Intel(R) Celeron(R) N5105 @ 2.00GHz", [0, 1, 2, 3], 2.9e9)],
    ),
    "vm-x86": (None, "x86_64", "AMD EPYC", [("AMD EPYC", [0, 1], None)]),
}


@pytest.fixture(scope="module", params=boards.BOARDS)
def known(request):
    return request.param, identify(boards.root(request.param))


def test_every_board_has_an_expectation():
    assert set(EXPECTED) == set(boards.BOARDS)


def test_processor(known):
    board, facts = known
    soc, arch, model, clusters = EXPECTED[board]
    assert (facts["soc"], facts["arch"], facts["cpu_model"]) == (soc, arch, model)
    found = [(row["core"], row["ids"], row["max_hz"]) for row in facts["clusters"]]
    assert found == clusters
    assert facts["cpu_count"] == sum(len(ids) for _, ids, _ in clusters)


def test_every_key_is_there_and_every_gap_has_a_reason(known):
    _, facts = known
    json.dumps(facts)
    for key, _ in QUESTIONS:
        value = facts[key]
        assert isinstance(value, list) == (key in LISTS), key
        if value is None:
            assert facts["unknown"][key], key
        if key in facts["unknown"]:
            assert value in (None, []), key


def test_no_serial_number_leaves_the_board(known):
    _, facts = known
    assert "0000000000000000" not in json.dumps(facts)
    assert "Serial" not in json.dumps(facts)


@pytest.mark.parametrize(
    ("board", "isa"),
    [
        ("pi4", ["asimd"]),
        ("nano", ["asimd"]),
        ("agx-xavier", ["asimd", "fphp", "asimdhp"]),
        ("orange-pi-5", ["asimd", "fphp", "asimdhp", "asimddp"]),
        ("n5105", ["sse4_1", "sse4_2"]),
        (
            "vm-x86",
            [
                "sse4_1",
                "sse4_2",
                "avx",
                "f16c",
                "fma",
                "avx2",
                "avx512f",
                "avx512bw",
                "avx512_vnni",
                "avx512_bf16",
            ],
        ),
    ],
)
def test_isa(board, isa):
    assert identify(boards.root(board))["isa"] == isa


@pytest.mark.parametrize(
    ("board", "l4t", "jetpack"),
    [
        ("nano", "R32.6.1", "4.6"),
        ("agx-xavier", "R32.7.1", "4.6.1"),
        ("agx-orin", "R35.4.1", "5"),
        ("orin-nano", "R36.3.0", "6"),
        ("pi4", None, None),
    ],
)
def test_jetpack(board, l4t, jetpack):
    facts = identify(boards.root(board))
    assert (facts["l4t"], facts["jetpack"]) == (l4t, jetpack)


def test_details_of_the_n5105():
    facts = identify(boards.root("n5105"))
    assert facts["governors"] == ["powersave"]
    switch = "/sys/devices/system/cpu/intel_pstate/no_turbo"
    assert facts["turbo_off"] == f"echo 1 | sudo tee {switch}"
    assert (facts["turbo"], facts["smt"], facts["hypervisor"]) == (True, False, False)
    assert facts["ram_bytes"] == 8005000 * 1024
    assert facts["caches"][-1] == {
        "level": 3,
        "kind": "unified",
        "size_bytes": 4 << 20,
        "ids": [0, 1, 2, 3],
    }
    assert facts["memory"] == {"vm_hwm": True, "clear_refs": True}


def test_power_mode_shows_as_offline_cores_and_a_lower_limit():
    facts = identify(boards.root("agx-xavier"))
    assert facts["offline"] == [4, 5, 6, 7]
    assert {row["limit_hz"] for row in facts["cores"]} == {1.1904e9}


def test_a_virtual_machine_says_so_and_an_arm_board_does_not():
    assert identify(boards.root("vm-x86"))["hypervisor"] is True
    assert identify(boards.root("pi4"))["hypervisor"] is False


def test_swap_of_zero_is_known_and_no_swap_line_is_not(tmp_path):
    assert identify(boards.root("vm-x86"))["swap_bytes"] == 0
    changed = boards.copy("vm-x86", tmp_path)
    (changed / "proc/meminfo").write_text("MemTotal: 8 kB\n")
    facts = identify(str(changed))
    assert facts["swap_bytes"] is None
    assert facts["unknown"]["swap_bytes"] == "/proc/meminfo has no SwapTotal"


def test_an_empty_tree_is_all_reasons(tmp_path):
    facts = identify(str(tmp_path))
    answered = {key for key, _ in QUESTIONS if facts[key] not in (None, [])}
    assert answered == {"power"}
    assert facts["power"]["source"] is None
    assert facts["unknown"]["ram_bytes"] == "/proc/meminfo does not exist"


def test_an_unknown_core_is_shown_by_its_numbers():
    assert core_name(0x41, 0xFFF) == "core 0x41/0xfff"


def test_this_machine_answers_the_basics():
    facts = identify()
    assert facts["cpu_count"] == len(os.sched_getaffinity(0)) or facts["cpu_count"] >= 1
    assert facts["ram_bytes"] > 1 << 28
    assert facts["arch"] == os.uname().machine


@given(st.sets(st.integers(0, 300)))
def test_cpu_list_reads_what_the_kernel_writes(ids):
    spans, ordered = [], sorted(ids)
    for number in ordered:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    words = ",".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)
    assert tree.cpu_list(words) == ordered


def test_paths_are_ordered_by_number(tmp_path):
    for number in (10, 2, 0):
        (tmp_path / f"sys/policy{number}").mkdir(parents=True)
    found = tree.find(str(tmp_path), "/sys/policy*")
    assert found == ["/sys/policy0", "/sys/policy2", "/sys/policy10"]


def test_a_root_with_glob_characters_is_a_root(tmp_path):
    odd = tmp_path / "a[1]*"
    odd.mkdir()
    tree_root = boards.copy("nano", odd)
    assert identify(str(tree_root))["power"]["source"]["name"] == "ina3221"


def test_nonsense_is_a_reason_not_a_number(tmp_path):
    (tmp_path / "value").write_text("N/A\n")
    with pytest.raises(tree.Unreadable, match="/value holds 'N/A', which is not a number"):
        tree.number(str(tmp_path), "/value")


def test_nonsense_in_a_core_list_is_a_reason(tmp_path):
    changed = boards.copy("pi4", tmp_path)
    (changed / "sys/devices/system/cpu/isolated").write_text("all\n")
    facts = identify(str(changed))
    assert facts["isolated"] == []
    assert "all" in facts["unknown"]["isolated"]


def test_a_missing_cpufreq_leaves_clocks_unknown_and_one_cluster():
    rows = cpu.cores(boards.root("vm-x86"))
    assert [row["max_hz"] for row in rows] == [None, None]
    assert {row["cluster"] for row in rows} == {0}
