from dataclasses import dataclass
from pathlib import Path

import boards
import msgspec
import pytest

import devices
from devices.schema import Device
from harness.agent.identify import identify
from harness.errors import UsageError

PROFILES = {
    "pi4": "raspberry-pi-4b",
    "nano": "jetson-nano",
    "orange-pi-5": "orange-pi-5",
    "n5105": "n5105",
}


@dataclass
class Known:
    device: Device
    identity: dict


@pytest.fixture(scope="module")
def identities():
    return {board: identify(boards.root(board)) for board in boards.BOARDS}


@pytest.mark.parametrize("board", boards.BOARDS)
def test_a_machine_is_its_own_profile_and_no_other(board, identities):
    found = devices.match(identities[board])
    assert (found and found.name) == PROFILES.get(board)


@pytest.mark.parametrize(("board", "name"), PROFILES.items())
def test_the_profile_agrees_with_what_the_board_says(board, name, identities):
    device, facts = devices.load(name), identities[board]
    assert sum(len(cluster.ids) for cluster in device.clusters) == facts["cpu_count"]
    assert list(device.isa) == facts["isa"]
    assert device.arch == facts["arch"]
    assert facts["ram_bytes"] < device.ram_bytes * 1.1
    zones = {zone["type"] for zone in facts["thermal_zones"]}
    assert zones & set(device.thermal.use)
    sensor = facts["power"]["source"]
    assert (sensor["name"] if sensor else "external") == device.power.probe
    if sensor and device.power.probe == "ina3221":
        assert [sensor["scope"]] == [device.power.scope]


@pytest.mark.parametrize("name", devices.names())
def test_a_profile_is_complete(name):
    device = devices.load(name)
    needed = "soc arch clusters caches ram_bytes bandwidth_formula peaks power os python wheels"
    assert device.documented
    assert [key for key in needed.split() if not getattr(device, key)] == []
    keys = {field.name for field in msgspec.structs.fields(Device)}
    assert {note.about for note in device.notes} <= keys
    assert set(device.power.total) <= set(device.power.rails)
    for peak in device.peaks:
        assert peak.formula


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
        ("pi5", "raspberry-pi-5-model-b"),
        ("agx-orin", "nvidia-jetson-agx-orin-developer-kit"),
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
