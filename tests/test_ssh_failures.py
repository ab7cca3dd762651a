"""What goes wrong on the way to a board: one sentence each, with the next step, exit code 4."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ssh_server import Server, served

from devices.lab import Reachable
from harness.errors import BoardLost, DeviceError, UsageError
from harness.transport.dialogue import Gone
from harness.transport.ssh import Place, Session, SshTransport, connection, connector, failures
from harness.transport.ssh.transport import command


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("ssh")) as server:
        yield server


@pytest.fixture
def board(running: Server) -> Iterator[Server]:
    yield running
    running.trust(running.folder / "host.pub")
    running.log_in_with("user")


def refused(place: Place, python: str = sys.executable) -> DeviceError:
    """Return what keeps an agent from starting there."""
    connect = connector(place, "ours")
    with pytest.raises(DeviceError) as caught:
        connect(python)
    assert caught.value.exit_code == 4
    assert str(caught.value).count("\n") == 0
    return caught.value


def test_an_unknown_host_key_is_not_trusted(board: Server) -> None:
    board.trust(None)
    error = refused(board.place)
    assert str(error) == (
        "cannot reach board 'desk-board': its host key is not known here;"
        f" connect once by hand to check it: {board.place.by_hand}"
    )
    assert not isinstance(error, BoardLost)


def test_a_changed_host_key_is_not_trusted(board: Server) -> None:
    board.trust(board.folder / "other_host.pub")
    error = refused(board.place)
    assert "its host key has changed: another machine may be answering" in str(error)
    assert "ssh-keygen -R" in str(error)
    assert not isinstance(error, BoardLost)


def test_a_refused_key_names_how_to_bring_it(board: Server) -> None:
    board.log_in_with("stranger")
    error = refused(board.place)
    assert (
        "cannot reach board 'desk-board': it refuses the key; bring it yours: ssh-copy-id"
        in str(error)
    )
    assert not isinstance(error, BoardLost)


def test_nothing_listens_there(board: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    error = refused(msgspec.structs.replace(board.place, port=port))
    assert "nothing listens there (connection refused)" in str(error)
    assert isinstance(error, BoardLost)


def test_a_host_that_nobody_knows(board: Server) -> None:
    error = refused(msgspec.structs.replace(board.place, host="no-such-board.invalid"))
    assert "its host name 'no-such-board.invalid' is unknown" in str(error)
    assert isinstance(error, BoardLost)


def test_a_host_that_accepts_and_says_nothing(
    board: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection._OPTIONS, "ConnectTimeout", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = refused(msgspec.structs.replace(board.place, port=silent.getsockname()[1]))
    assert "it does not answer (timed out)" in str(error)
    assert isinstance(error, BoardLost)


def test_an_interpreter_that_is_not_there(board: Server) -> None:
    error = refused(board.place, "python9.9")
    assert str(error) == (
        "board 'desk-board' has no interpreter 'python9.9';"
        " name one that it has as 'python' or among its 'interpreters' in the lab file"
    )


def test_an_interpreter_that_is_too_old(board: Server) -> None:
    """One that says so of itself: a real one is rare by now."""
    old = board.folder / "python3.5"
    lie = "import sys; sys.version_info = (3, 5, 2); exec(sys.argv[1])"
    old.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{lie}" "$3"\n')
    old.chmod(0o755)
    error = refused(board.place, str(old))
    assert (
        f"'{old}' on board 'desk-board' is too old: it is Python 3.5, the agent needs 3.6"
        in str(error)
    )


def test_an_interpreter_that_is_none(board: Server) -> None:
    error = refused(board.place, "/bin/ls")
    assert str(error).startswith(
        "'/bin/ls' on board 'desk-board' does not take the agent in: /bin/ls: cannot access"
    )


def test_a_cache_that_cannot_be_written(board: Server) -> None:
    cache = board.home / ".cache"
    aside = cache.rename(board.home / "aside") if cache.exists() else None
    cache.write_text("a file")
    try:
        error = refused(board.place)
    finally:
        cache.unlink()
        if aside:
            aside.rename(cache)
    assert str(error).startswith(f"board 'desk-board': cannot write {cache}")
    advice = "Not a directory; make room there, or let this user write to it"
    assert str(error).endswith(advice)


def test_without_an_ssh_client(board: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(board.folder))
    error = refused(board.place)
    assert "cannot start ssh to reach 'desk-board'" in str(error)
    assert "openssh-client" in str(error)


def test_nothing_is_left_of_a_failed_connection(board: Server, tmp_path: Path) -> None:
    place = msgspec.structs.replace(board.place, host="no-such-board.invalid")
    way = connection.Connection(place)
    with pytest.raises(BoardLost):
        SshTransport(way, sys.executable, Session(token="ours", what="a test"))
    assert way._folder is None
    assert way._talks == 0


HOSTILE = [
    "-oProxyCommand=id", "pi@-oProxyCommand=id", "-l@host", "pi@host;id", "pi@host id", "pi@$(id)",
    "pi@`id`", "pi@host\n", "pi@host\0", "pi@'host'", "pi@host|id", "pi@host&", "pi@ho{s,}t",
    "pi@host:22;id", "pi@host:-1", "pi@host:0", "pi@[::1]; id", "pi@[::1%$(id)]", "pi@~", "pi@*",
]  # fmt: skip


@pytest.mark.parametrize("address", HOSTILE)
def test_an_address_smuggles_nothing(address: str) -> None:
    with pytest.raises(UsageError):
        Place.of(Reachable(name="pi", address=address))


@given(st.text(max_size=40))
def test_what_is_taken_for_an_address_is_one_plain_word(address: str) -> None:
    try:
        place = Place.of(Reachable(name="pi", address=address))
    except UsageError:
        return
    words = [place.host, *([place.user] if place.user else [])]
    for word in words:
        assert not word.startswith("-")
        assert set(word) <= set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:%"
        )


@given(st.text(st.sampled_from("pyton3/.-;$()`'\"| &<>\n\\!*~{}[]#=%"), max_size=12))
def test_an_interpreter_is_one_plain_word_or_refused(word: str) -> None:
    try:
        line = command(word)
    except UsageError:
        return
    assert line.startswith(f"exec {word} -u -c '")
    assert set(word) <= set("pyton3/.-")
    assert not word.startswith("-")


def test_the_rest_of_the_command_means_the_same_to_every_shell() -> None:
    _, _, program = command("python3").partition(" -c ")
    assert program[0] == program[-1] == "'"
    assert not set(program[1:-1]) & set("'`$!\\\n"), "csh and fish read these in quotes too"


def test_every_meaning_is_a_sentence() -> None:
    place = Place(name="pi", host="pi.local", user="pi", config=Path("/a b"))
    for said in failures._MEANINGS:
        gone = Gone("the agent ended", f"noise\nssh: {said} publickey).")
        error = failures.explained(place, gone, 255, "python3")
        assert str(error).startswith("cannot reach board 'pi': ")
        assert "{" not in str(error)
    lost = failures.explained(place, Gone("x", "client_loop: send disconnect"), 255, "python3")
    assert isinstance(lost, BoardLost)
    assert "was lost: client_loop" in str(lost)
    assert isinstance(failures.explained(place, Gone("x"), None, "python3"), BoardLost)


def test_the_login_name_is_left_to_the_configuration() -> None:
    assert "-l" not in Place.of(Reachable(name="pi", address="pi.local")).options
    assert os.sep not in "".join(Place.of(Reachable(name="pi", address="pi.local")).options)


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("/bin/false", "it ended without a word"),
        ("/bin/cat", "Try '/bin/cat --help' for more information."),
    ],
)
def test_a_program_that_is_no_python_is_named(board: Server, python: str, said: str) -> None:
    error = refused(board.place, python)
    assert str(error) == (
        f"{python!r} on board 'desk-board' does not take the agent in: {said};"
        " name a python3 as 'python' or among its 'interpreters' in the lab file"
    )
    assert not isinstance(error, BoardLost)


def test_an_agent_that_never_answers_is_not_only_the_networks_fault() -> None:
    place = Place.of(Reachable(name="far", address="bench@192.0.2.7"))
    error = failures.explained(place, Gone("x"), None, "python3", arrived=False)
    assert "'python3' on board 'far' does not answer; check that it is on" in str(error)


def test_what_listens_but_is_no_sshd_is_not_called_lost() -> None:
    place = Place.of(Reachable(name="far", address="bench@192.0.2.7"))
    words = "kex_exchange_identification: Connection closed by remote host"
    assert str(failures.explained(place, Gone("x", words), 255, "python3")) == (
        "cannot reach board 'far': what listens there ended the connection before it spoke SSH;"
        " look whether 'address' in the lab file is that of its sshd"
    )
    words = "/home/me/ssh_config: terminating, 2 bad configuration options"
    told = str(failures.explained(place, Gone("x", words), 255, "python3"))
    assert told.startswith("cannot reach board 'far': ssh does not understand its configuration")
