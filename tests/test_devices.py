import math
import re
import shutil
import subprocess
from pathlib import Path

import boards
import msgspec
import pytest

import devices
from devices import catalog
from devices.schema import Device
from harness.agent.identify import identify
from harness.agent.probes import ina3221
from harness.errors import UsageError

PROFILES = {
    "pi4": "raspberry-pi-4b",
    "pi5": "raspberry-pi-5",
    "nano": "jetson-nano",
    "tx2": "jetson-tx2",
    "agx-xavier": "jetson-agx-xavier",
    "orin-nano": "jetson-orin-nano",
    "agx-orin": "jetson-agx-orin",
    "orange-pi-5": "orange-pi-5",
    "n5105": "n5105",
}
# What N2 and G1 say of a board; the other boards are in neither.
DOCUMENTED = {"raspberry-pi-4b", "raspberry-pi-5", "jetson-nano", "orange-pi-5", "n5105"}


@pytest.fixture(scope="module")
def identities():
    return {board: identify(boards.root(board)) for board in boards.BOARDS}


@pytest.mark.parametrize("board", boards.BOARDS)
def test_a_machine_is_its_own_profile_and_no_other(board, identities):
    found = devices.match(identities[board])
    assert (found and found.name) == PROFILES.get(board)


def test_every_profile_has_a_tree():
    assert sorted(PROFILES.values()) == list(devices.names())


@pytest.mark.parametrize(("board", "name"), PROFILES.items())
def test_the_profile_agrees_with_what_the_board_says(board, name, identities):
    device, facts = devices.load(name), identities[board]
    ids = sorted(number for cluster in device.clusters for number in cluster.ids)
    assert ids == sorted([row["id"] for row in facts["cores"]] + facts["offline"])
    named = {(cluster.core, cluster.ids) for cluster in device.clusters}
    if device.arch == "aarch64" and not facts["offline"]:
        assert named == {(row["core"], tuple(row["ids"])) for row in facts["clusters"]}
    assert list(device.isa) == facts["isa"]
    assert device.arch == facts["arch"]
    assert 0.85 * device.ram_bytes < facts["ram_bytes"] < device.ram_bytes
    zones = {zone["type"] for zone in facts["thermal_zones"]}
    assert zones & set(device.thermal.use)
    assert not set(device.thermal.use) & set(device.thermal.ignore)
    assert facts["libc"] == f"glibc {device.glibc}" or facts["l4t"]


@pytest.mark.parametrize(("board", "name"), PROFILES.items())
def test_the_profile_names_the_sensor_and_the_total_that_the_board_has(board, name, identities):
    device = devices.load(name)
    sensor = identities[board]["power"]["source"]
    if device.power.probe in ("external", "pmic"):  # a tree cannot answer what is asked of firmware
        assert sensor is None
        return
    assert (sensor["name"], sensor["scope"]) == (device.power.probe, device.power.scope)
    assert (sensor["method"] == "estimate") == device.power.total_is_estimate
    if sensor["name"] == "ina3221":
        chosen, _, _ = ina3221.total(device.power.rails)
        assert sorted(chosen) == sorted(device.power.total)


@pytest.mark.parametrize(("board", "name"), PROFILES.items())
def test_the_power_mode_of_a_board_is_one_of_its_profile(board, name, identities):
    device, mode = devices.load(name), identities[board]["power_mode"]
    modes = {mode.id: mode.name for mode in device.power_modes}
    assert bool(modes) == (mode is not None)
    if mode:
        assert modes[mode["id"]] == mode["name"]


@pytest.mark.parametrize("name", devices.names())
def test_a_profile_is_complete(name):
    device = devices.load(name)
    needed = (
        "soc arch clusters caches ram_bytes bandwidth_formula peaks power emulation os glibc python"
        " wheels notes"
    )
    assert [key for key in needed.split() if not getattr(device, key)] == []
    assert {row.table for row in device.documented} <= {"N2", "G1"}
    assert bool(device.documented) == (name in DOCUMENTED)
    told = {note.about for note in device.notes}
    assert device.power_modes or "power_modes" in told
    assert device.usable_bytes or "usable_bytes" in told
    assert told <= {field.name for field in msgspec.structs.fields(Device)}
    assert set(device.power.total) <= set(device.power.rails)
    assert device.power.idle_w or device.power.total or device.power.probe == "external"
    assert device.emulation.arch == device.arch


def product(formula):
    """Return what the numbers of a formula multiply to, remarks in brackets left out."""
    plain = re.sub(r"\([^)]*\)", "", formula)
    return math.prod(float(word) for word in re.findall(r"\d[\d.]*(?:e\d+)?", plain))


@pytest.mark.parametrize("name", devices.names())
def test_a_figure_is_what_its_formula_gives(name):
    device = devices.load(name)
    _, _, formula = device.bandwidth_formula.partition(": ")
    assert device.bandwidth_bytes_per_s == pytest.approx(product(formula), rel=5e-3)
    known = {(peak.unit, peak.precision): peak.per_s for peak in device.peaks}
    for peak in device.peaks:
        twice, _, other = peak.formula.partition("twice ")
        if other and not twice:
            expected = 2 * known[peak.unit, other]
        else:
            expected = product(peak.formula) / (2 if peak.formula.endswith("halved") else 1)
        assert peak.per_s == pytest.approx(expected, rel=2e-3), peak


def test_aliases_are_unique_and_work():
    seen = [name for own in devices.names() for name in (own, *devices.load(own).aliases)]
    assert len(seen) == len(set(seen))
    assert devices.LOCAL not in seen
    assert devices.load("jetson").name == "jetson-nano"


def test_an_unknown_device_names_its_neighbours():
    with pytest.raises(UsageError, match="unknown device 'jetson-nanoo'; did you mean jetson-nano"):
        devices.load("jetson-nanoo")


@pytest.mark.parametrize(
    "name", ["raspberry-pi-4b", "pi4b", "jetson", "local", "orange-pi-5", "n5105"]
)
def test_on_the_board_itself_its_name_works(name, identities):
    boards_by_device = {own: board for board, own in PROFILES.items()}
    own = "n5105" if name == "local" else devices.load(name).name
    assert devices.resolve(name, identities[boards_by_device[own]]).name == own


def test_another_board_says_what_this_is_and_how_to_go_on(identities):
    with pytest.raises(UsageError) as caught:
        devices.resolve("jetson", identities["vm-x86"])
    assert caught.value.exit_code == 2
    text = str(caught.value)
    assert "this host is not a Jetson Nano 4GB: it is AMD EPYC, 2 cores, 8.2 GB RAM" in text
    assert "DEVICE=local" in text
    assert "on the board itself" in text
    assert "lab file" in text


def test_a_board_of_the_same_soc_is_another_board(identities):
    facts = dict(identities["pi4"])
    facts["board"] = dict(
        facts["board"], dt_model="Raspberry Pi 400", compatible=["raspberrypi,400", "brcm,bcm2711"]
    )
    assert devices.match(facts) is None
    assert devices.local(facts).name == "raspberry-pi-400"


def test_the_vendors_own_kernel_is_recognised(identities):
    facts = dict(identities["orange-pi-5"])
    names = ["rockchip,rk3588s-orangepi-5", "rockchip,rk3588"]
    facts.update(soc="rk3588", board={"dt_model": "Orange Pi 5", "compatible": names})
    assert devices.match(facts).name == "orange-pi-5"


@pytest.mark.parametrize(
    ("board", "name"),
    [
        ("vm-x86", "amd-epyc"),
    ],
)
def test_a_host_without_a_profile_is_named_after_itself(board, name, identities):
    device = devices.local(identities[board])
    assert device.name == name
    assert devices.resolve(name, identities[board]) == device


def test_a_host_that_tells_nothing_still_has_a_name(tmp_path):
    facts = identify(str(tmp_path))
    assert devices.local(facts).name == "unknown-machine"
    assert devices.describe_host(facts) == "a processor without a name"


GOOD = 'name = "toy"\ntitle = "Toy"\n'


def profile(folder: Path, text: str) -> Path:
    path = folder / "toy.toml"
    path.write_text(text)
    return path


def test_the_smallest_profile(tmp_path):
    assert devices.read(profile(tmp_path, GOOD)).title == "Toy"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "speed = 3\n", "unknown key 'speed'"),
        (GOOD + '[power]\nprobe = "rapl"\nscope = "package"\nwatts = 3\n', "'power.watts'"),
        (GOOD + '[[clusters]]\ncore = "A"\nids = [0]\nmhz = 3\n', "unknown key 'clusters[0].mhz'"),
        ('title = "Toy"\n', "missing key 'name'"),
        (GOOD + 'ram_bytes = "8 GB"\n', "key 'ram_bytes': expected `int | null`, got `str`"),
        (GOOD + "aliases = ['-x']\n", "line 3: key 'aliases[0]': expected"),
        (GOOD + "ram_bytes = 0\n", "line 3: key 'ram_bytes'"),
        (
            GOOD
            + "[[clusters]]\ncore = 'A'\nids = [0]\n[[clusters]]\ncore = 'B'\nids = [1, 'x']\n",
            "line 8: key 'clusters[1].ids[1]'",
        ),
        (GOOD + "\n[emulation]\narch = 'aarch64'\ncpu = '-cpu'\n", "line 6: key 'emulation.cpu'"),
        (GOOD + "identity = 3\n", "line 3: key 'identity': expected a table, got `int`"),
        (GOOD + '[power]\nprobe = "magic"\nscope = "board"\n', "key 'power.probe': invalid enum"),
        ('name = "other"\ntitle = "Toy"\n', "'name' is 'other'"),
        ("name = \n", "line 1: not TOML"),
    ],
)
def test_a_wrong_profile_names_file_and_key(text, message, tmp_path):
    path = profile(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        devices.read(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_a_missing_profile_names_the_file(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read the device profile .*toy\.toml"):
        devices.read(tmp_path / "toy.toml")


def test_a_file_that_is_no_text_or_far_too_large_is_refused(tmp_path):
    path = tmp_path / "toy.toml"
    path.write_bytes(b'name = "toy"\n\xff\n')
    with pytest.raises(UsageError, match=r"toy\.toml line 2: not UTF-8"):
        devices.read(path)
    path.write_text("# filler\n" * 3000)
    with pytest.raises(UsageError, match="larger than 64 kB or 2000 lines"):
        devices.read(path)


@pytest.fixture
def user_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("BOARDMARK_DEVICES", str(tmp_path))
    return tmp_path


def test_a_user_adds_a_board_by_adding_a_file(user_folder):
    profile(user_folder, GOOD + "aliases = ['mine']\n")
    assert "toy" in devices.names()
    assert devices.load("mine").title == "Toy"
    assert devices.origin(devices.load("mine")) == "user"
    assert devices.origin(devices.load("pi4b")) == "shipped"


def test_what_an_editor_leaves_beside_a_profile_is_no_profile(user_folder):
    profile(user_folder, GOOD)
    (user_folder / ".#toy.toml").symlink_to("me@desk.1234")
    (user_folder / "._toy.toml").write_bytes(b"\0\5\x16\7")
    assert devices.load("toy").title == "Toy"


def test_the_users_folder_is_in_their_configuration(tmp_path, monkeypatch):
    monkeypatch.delenv("BOARDMARK_DEVICES", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert catalog.user_folder() == tmp_path / "boardmark" / "devices"
    folder = tmp_path / "boardmark" / "devices"
    folder.mkdir(parents=True)
    profile(folder, GOOD)
    assert devices.load("toy").title == "Toy"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("aliases = ['pi4b']", "line 3: key 'aliases': 'pi4b' already means Raspberry Pi 4B"),
        ("aliases = ['n5105']", "line 3: key 'aliases': 'n5105' already means Intel N5105 mini PC"),
        ("aliases = ['local']", "'local' already means this host"),
        ("aliases = ['toy']", "'toy' already means Toy"),
    ],
)
def test_a_users_file_cannot_take_a_known_name(text, message, user_folder):
    path = profile(user_folder, GOOD + text + "\n")
    with pytest.raises(UsageError) as caught:
        devices.load("pi4b")
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_a_users_file_with_a_shipped_name_is_refused(user_folder):
    shutil.copy(Path(devices.__file__).parent / "n5105.toml", user_folder / "n5105.toml")
    with pytest.raises(UsageError, match="line 1: key 'name': 'n5105' already means Intel N5105"):
        devices.names()


def test_a_users_own_board_goes_before_the_shipped_one_it_is_a_case_of(user_folder, identities):
    text = "[identity]\nsoc = ['bcm2711']\ncompatible = ['raspberrypi,4-model-b']\n"
    profile(user_folder, GOOD + text)
    assert devices.match(identities["pi4"]).name == "toy"
    assert devices.resolve("pi4b", identities["pi4"]).name == "raspberry-pi-4b"


@pytest.mark.parametrize("name", devices.names())
def test_the_emulator_knows_the_processor_of_the_profile(name):
    wanted = devices.load(name).emulation
    program = shutil.which(f"qemu-{wanted.arch}-static") or shutil.which(f"qemu-{wanted.arch}")
    if not program:
        pytest.skip(f"qemu-{wanted.arch} is not installed")
    # It ends with 1, as it does without any program to run.
    known = subprocess.run([program, "-cpu", "help"], capture_output=True, text=True, check=False)
    assert wanted.cpu in known.stdout.split()


@pytest.mark.parametrize(
    ("board", "model", "compatible", "name"),
    [
        ("tx2", "quill", ["nvidia,quill", "nvidia,tegra186"], "jetson-tx2"),
        ("agx-xavier", "NVIDIA Jetson AGX Xavier Developer Kit",
         ["nvidia,p2972-0000", "nvidia,tegra194"], "jetson-agx-xavier"),
        ("orin-nano", "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
         ["nvidia,p3768-0000+p3767-0005-super", "nvidia,p3767-0005", "nvidia,tegra234"],
         "jetson-orin-nano"),
        ("nano", "NVIDIA Jetson Nano Developer Kit", ["nvidia,p3450-0000", "nvidia,tegra210"],
         "jetson-nano"),
        ("pi5", "Raspberry Pi 500", ["raspberrypi,500", "brcm,bcm2712"], None),
        ("orin-nano", "Somebody's carrier", ["somebody,carrier", "nvidia,tegra234"], None),
    ],
)  # fmt: skip
def test_other_kernels_of_the_same_board(board, model, compatible, name, identities):
    facts = dict(identities[board], board={"dt_model": model, "compatible": compatible})
    found = devices.match(facts)
    assert (found and found.name) == name
