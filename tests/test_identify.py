import json
import os
import platform

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
    "tx2": (
        "tegra186",
        "aarch64",
        f"{A57} + Denver 2",
        [(A57, [0, 3, 4, 5], 2.0352e9), ("Denver 2", [1, 2], 2.0352e9)],
    ),
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
        ("pi5", ["asimd", "fphp", "asimdhp", "asimddp"]),
        ("nano", ["asimd"]),
        ("tx2", ["asimd"]),
        ("agx-orin", ["asimd", "fphp", "asimdhp", "asimddp"]),
        ("orin-nano", ["asimd", "fphp", "asimdhp", "asimddp"]),
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
        ("tx2", "R32.7.1", "4.6.1"),
        ("agx-xavier", "R32.7.1", "4.6.1"),
        ("agx-orin", "R35.4.1", "5"),
        ("orin-nano", "R36.3.0", "6"),
        ("pi4", None, None),
    ],
)
def test_jetpack(board, l4t, jetpack):
    facts = identify(boards.root(board))
    assert (facts["l4t"], facts["jetpack"]) == (l4t, jetpack)


@pytest.mark.parametrize(
    ("release", "jetpack"),
    [
        ("R32 (release), REVISION: 6.1", "4.6"),
        ("R32 (release), REVISION: 7.1", "4.6.1"),
        ("R32 (release), REVISION: 7.6", "4.6.6"),
        ("R32 (release), REVISION: 5.1", "4"),
        ("R34 (release), REVISION: 1.1", "5"),
        ("R35 (release), REVISION: 6.1", "5"),
        ("R36 (release), REVISION: 4.3", "6"),
        ("R38 (release), REVISION: 2.0", "7"),
        ("R39 (release), REVISION: 1.0", "7"),
        ("R99 (release), REVISION: 1.0", None),
        ("something else", None),
    ],
)
def test_every_known_release_of_jetson_linux(release, jetpack, tmp_path):
    changed = boards.copy("nano", tmp_path)
    (changed / "etc/nv_tegra_release").write_text(f"# {release}, GCID: 1, BOARD: t186ref\n")
    facts = identify(str(changed))
    assert facts["jetpack"] == jetpack
    assert bool(jetpack) != bool(facts["unknown"].get("jetpack"))


@pytest.mark.parametrize(
    ("board", "module", "libc", "power_mode"),
    [
        ("nano", "p3448-0000", "glibc 2.27", {"id": 0, "name": "MAXN"}),
        ("tx2", "p3310-1000", "glibc 2.27", {"id": 0, "name": "MAXN"}),
        ("agx-xavier", "p2888-0004", "glibc 2.27", {"id": 2, "name": "MODE_15W"}),
        ("agx-orin", "p3701-0005", "glibc 2.31", {"id": 0, "name": "MAXN"}),
        ("orin-nano", "p3767-0005", "glibc 2.35", {"id": 0, "name": "15W"}),
        ("pi4", None, "glibc 2.36", None),
        ("pi5", None, "glibc 2.36", None),
        ("orange-pi-5", None, "glibc 2.36", None),
        ("n5105", None, "glibc 2.39", None),
        ("vm-x86", None, None, None),
    ],
)
def test_module_libc_and_power_mode(board, module, libc, power_mode):
    facts = identify(boards.root(board))
    assert (facts["module"], facts["libc"], facts["power_mode"]) == (module, libc, power_mode)


@pytest.mark.parametrize(
    ("status", "conf", "expected"),
    [
        ("pmode:0003 fmode:quiet", None, {"id": 3, "name": None}),
        ("pmode:0001", "# < POWER_MODEL ID=1 NAME=NOTE >\n<POWER_MODEL ID=1 NAME=10W>", "10W"),
        ("pmode:0001", "< POWER_MODEL ID=11 NAME=OTHER >", {"id": 1, "name": None}),
        ("nothing", "< POWER_MODEL ID=0 NAME=MAXN >", None),
    ],
)
def test_a_power_mode_without_a_name_or_a_number(status, conf, expected, tmp_path):
    changed = boards.copy("nano", tmp_path)
    (changed / "var/lib/nvpmodel/status").write_text(status)
    (changed / "etc/nvpmodel.conf").unlink()
    if conf:
        (changed / "etc/nvpmodel.conf").write_text(conf)
    facts = identify(str(changed))
    wanted = {"id": 1, "name": expected} if isinstance(expected, str) else expected
    assert facts["power_mode"] == wanted
    assert bool(wanted) != bool(facts["unknown"].get("power_mode"))


def test_a_musl_system_says_so_and_this_one_tells_its_libc(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/ld-musl-aarch64.so.1").write_bytes(b"")
    assert identify(str(tmp_path))["libc"] == "musl"
    assert identify()["libc"] == " ".join(platform.libc_ver())


@pytest.mark.parametrize(
    ("flags", "isa"),
    [
        ("fp asimd fphp asimdhp sve asimddp i8mm bf16 sve2",
         ["asimd", "fphp", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2"]),
        ("sse2 lm avx fma avx2 avx512f avx512_vnni avx_vnni amx_tile amx_int8 avx512bw",
         ["avx", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "amx_tile",
          "amx_int8"]),
    ],
)  # fmt: skip
def test_what_kernels_dispatch_on_weakest_first(flags, isa, tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(f"processor : 0\nflags : {flags}\n")
    assert identify(str(tmp_path))["isa"] == isa


def test_only_what_every_core_has_is_usable(tmp_path):
    changed = boards.copy("orange-pi-5", tmp_path)
    text = (changed / "proc/cpuinfo").read_text()
    (changed / "proc/cpuinfo").write_text(text.replace(" asimddp", "", 1))
    assert identify(str(changed))["isa"] == ["asimd", "fphp", "asimdhp"]


@pytest.mark.parametrize(
    ("implementer", "part", "name"),
    [
        (0x41, 0xD03, "Cortex-A53"),
        (0x41, 0xD05, "Cortex-A55"),
        (0x41, 0xD07, "Cortex-A57"),
        (0x41, 0xD08, "Cortex-A72"),
        (0x41, 0xD09, "Cortex-A73"),
        (0x41, 0xD0B, "Cortex-A76"),
        (0x41, 0xD0C, "Neoverse-N1"),
        (0x41, 0xD0D, "Cortex-A77"),
        (0x41, 0xD40, "Neoverse-V1"),
        (0x41, 0xD41, "Cortex-A78"),
        (0x41, 0xD42, "Cortex-A78AE"),
        (0x41, 0xD44, "Cortex-X1"),
        (0x41, 0xD49, "Neoverse-N2"),
        (0x4E, 0x003, "Denver 2"),
        (0x4E, 0x004, "Carmel"),
        (0x51, 0x804, "Kryo 4xx Gold"),
        (0x61, 0x023, "Firestorm (M1)"),
    ],
)
def test_the_names_of_arm_cores(implementer, part, name):
    assert core_name(implementer, part) == name


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
