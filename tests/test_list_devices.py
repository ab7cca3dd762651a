"""`boardmark list devices`: the boards of the lab, this host, the profiles."""

import json
import socket
import time
from pathlib import Path

import pytest
import ssh_server

import devices
from harness import cli
from harness.commands import shelf

EXAMPLE = str(Path(__file__).resolve().parents[1] / "lab.example.toml")


@pytest.fixture(autouse=True)
def no_lab_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.delenv("BOARDMARK_LAB", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("harness.places.checkout", lambda: None)


def listed(capsys, *words):
    assert cli.main(["list", "devices", *words]) == 0
    return capsys.readouterr().out


def test_without_a_lab_it_lists_this_host_and_the_profiles(capsys):
    lines = listed(capsys).splitlines()
    assert lines[0].split() == ["local", "this", "machine,", "detected"]
    assert [line.split()[0] for line in lines[1:]] == list(devices.names())
    assert "pi4b" in next(line for line in lines if line.startswith("raspberry-pi-4b"))


def test_the_boards_of_the_lab_come_first_and_are_not_asked_offline(capsys):
    begin = time.monotonic()
    lines = listed(capsys, "--lab", EXAMPLE, "--offline").splitlines()
    assert time.monotonic() - begin < 3
    assert [line.split()[0] for line in lines[:4]] == ["jetson", "pi4", "orange", "local"]
    assert "bench@192.0.2.7:22" in lines[0]
    assert lines[0].endswith("not asked")


def test_as_json_a_profile_is_whole(capsys):
    rows = json.loads(listed(capsys, "--json", "--offline", "--lab", EXAMPLE))
    assert rows[0] == {
        "device": "jetson",
        "kind": "lab",
        "title": "Jetson Nano 4GB",
        "address": "bench@192.0.2.7:22",
        "profile": "jetson-nano",
        "meter": "shelly",
        "reachable": None,
        "reason": None,
    }
    profiles = {row["device"]: row for row in rows if row["kind"] == "profile"}
    assert set(profiles) == set(devices.names())
    tx2 = profiles["jetson-tx2"]
    assert tx2["clusters"][1] == {"core": "Denver 2", "ids": [1, 2], "max_hz": 2.0352e9}
    assert tx2["emulation"] == {"arch": "aarch64", "cpu": "cortex-a57"}
    assert tx2["usable_bytes"] is None
    assert [note for note in tx2["notes"] if not note["confirmed"]]
    assert {row["origin"] for row in profiles.values()} == {"shipped"}


def test_a_profile_of_the_users_own_is_marked(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("BOARDMARK_DEVICES", str(tmp_path))
    (tmp_path / "toy.toml").write_text('name = "toy"\ntitle = "Toy"\n')
    line = next(line for line in listed(capsys).splitlines() if line.startswith("toy "))
    assert line.endswith("your own profile")


def test_a_wrong_lab_file_is_one_sentence(capsys, tmp_path):
    path = tmp_path / "lab.toml"
    path.write_text("[boards.pi]\naddress = '-oProxyCommand=x'\n")
    assert cli.main(["list", "devices"]) == 2
    told = capsys.readouterr().err
    assert "lab.toml line 2: key 'boards.pi.address'" in told
    assert len(told.splitlines()) <= 2


@pytest.fixture
def silent_port():
    """A port on which somebody listens and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def board(tmp_path):
    with ssh_server.served(tmp_path / "sshd") as server:
        yield server


def entry(name, board, port=None, user=None):
    """Return what a lab file says of a board: the server, or another port of this machine."""
    address = f"{user or board.place.user}@127.0.0.1:{port or board.port}"
    return f"[boards.{name}]\naddress = '{address}'\nssh_config = '{board.place.config}'\n"


def test_boards_are_asked_at_the_same_time(capsys, tmp_path, board, silent_port, monkeypatch):
    monkeypatch.setattr(shelf, "TIMEOUT_S", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = free.getsockname()[1]
    ports = {"there": None, "off": closed, **dict.fromkeys(("silent", "mute", "deaf"), silent_port)}
    text = "".join(entry(name, board, port) for name, port in ports.items())
    (tmp_path / "lab.toml").write_text(text)
    begin = time.monotonic()
    rows = {row["device"]: row for row in json.loads(listed(capsys, "--json"))}
    assert time.monotonic() - begin < 5.5, "two seconds for each that is silent, one after another"
    assert (rows["there"]["reachable"], rows["there"]["reason"]) == (True, None)
    assert rows["off"]["reachable"] is False
    assert "connection refused" in rows["off"]["reason"]
    for name in ("silent", "mute", "deaf"):
        assert rows[name]["reachable"] is False
        assert rows[name]["reason"] == f"board '{name}' does not answer within 2 s"


def test_who_answers_as_a_table_and_nothing_is_left_over_there(capsys, tmp_path, board):
    (tmp_path / "lab.toml").write_text(entry("there", board))
    assert listed(capsys).splitlines()[0].endswith(" answers")
    assert not board.cache.exists()
    ssh_server.wait_for(lambda: not board.connections())


def test_a_stranger_is_not_let_in_and_a_changed_host_key_is_told(capsys, tmp_path, board):
    (tmp_path / "lab.toml").write_text(entry("pi", board))
    board.log_in_with("stranger")
    (row, *_) = json.loads(listed(capsys, "--json"))
    assert "it refuses the key" in row["reason"]
    board.trust(board.folder / "other_host.pub")
    line = listed(capsys).splitlines()[0]
    assert "does not answer: cannot reach board 'pi': its host key has changed" in line
