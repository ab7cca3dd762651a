"""Who may use a board: real processes that hold it, die, hang and leave things behind."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ssh_server import alive, wait_for

from harness.agent import hold

ROOT = Path(__file__).resolve().parents[1]
Holder = Callable[..., subprocess.Popen[bytes]]
_HOLD = """
import json, signal, subprocess, sys, time
from harness.agent import hold
folder, session, manner = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
if manner == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
hold.take(folder, session)
if manner == "parent":
    subprocess.Popen(["sleep", "60"], start_new_session=True)
print("held", flush=True)
time.sleep(0.5 if manner == "leaving" else 60)
"""


def session(token: str = "ours", interpreter: str = "python3", epoch: int = 0) -> dict[str, Any]:
    return {"token": token, "interpreter": interpreter, "epoch": epoch, "what": f"a {token} one"}


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Holder]:
    """Start processes that hold the board in tmp_path; they are ended."""
    started: list[subprocess.Popen[bytes]] = []

    def start(manner: str = "", **facts: Any) -> subprocess.Popen[bytes]:
        words = [str(tmp_path), json.dumps(session(**facts)), manner]
        process = subprocess.Popen(
            [sys.executable, "-c", _HOLD, *words], cwd=ROOT, stdout=subprocess.PIPE
        )
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


@pytest.fixture
def take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Callable[..., hold.Hold]]:
    """Take the board in this process; it is given back."""
    taken: list[hold.Hold] = []
    monkeypatch.setenv(hold.MARK, "")
    monkeypatch.setattr(hold, "_LEAVING_S", 1.2 if "leave" in request.node.name else 0.3)

    def now(**facts: Any) -> hold.Hold:
        taken.append(hold.take(str(tmp_path), session(**facts)))
        return taken[-1]

    yield now
    for one in taken:
        one.release()


def held(folder: Path) -> int:
    return len(list(folder.glob("*.json")))


def test_a_free_board_is_held_until_it_is_given_back(tmp_path: Path) -> None:
    taken = hold.take(str(tmp_path), session())
    told = json.loads(Path(taken.path).read_text())
    assert told.pop("since_s") <= time.monotonic()
    assert told.pop("boot")
    assert told == {**session(), "pid": os.getpid()}
    assert os.environ.pop(hold.MARK) == Path(taken.path).name
    taken.release()
    assert held(tmp_path) == 0


def test_another_session_is_told_whose_it_is(holder: Holder, take: Callable[..., Any]) -> None:
    process = holder(token="their")
    began = time.monotonic()
    with pytest.raises(hold.Refused) as caught:
        take()
    words = str(caught.value)
    assert words.startswith("a their one holds the board, for ")
    assert words.endswith(f" s (process {process.pid} there)")
    assert process.poll() is None
    assert time.monotonic() - began < 10


def test_one_that_is_about_to_leave_is_waited_for(
    holder: Holder, take: Callable[..., Any], tmp_path: Path
) -> None:
    holder("leaving", token="their")
    take()
    assert held(tmp_path) == 1


def test_a_dead_owner_holds_nothing_and_its_leftovers_are_ended(
    holder: Holder, take: Callable[..., Any], tmp_path: Path
) -> None:
    process = holder("parent", token="their")
    (left,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    process.wait()
    assert alive(int(left))
    take()
    wait_for(lambda: not alive(int(left)))
    assert held(tmp_path) == 1


@pytest.mark.parametrize("manner", ["", "deaf"])
def test_our_own_lost_agent_is_ended(
    holder: Holder, take: Callable[..., Any], tmp_path: Path, manner: str
) -> None:
    process = holder(manner)
    take()
    assert process.wait(timeout=5) == (-signal.SIGKILL if manner else -signal.SIGTERM)
    assert held(tmp_path) == 1


def test_an_agent_under_another_interpreter_is_our_second(
    holder: Holder, take: Callable[..., Any], tmp_path: Path
) -> None:
    process = holder()
    take(interpreter="python3.9")
    assert process.poll() is None
    assert held(tmp_path) == 2


def test_an_agent_of_an_earlier_connection_is_lost_whatever_its_interpreter(
    holder: Holder, take: Callable[..., Any]
) -> None:
    process = holder()
    take(interpreter="python3.9", epoch=1)
    assert process.wait(timeout=5) == -signal.SIGTERM


def test_a_holder_on_another_machine_does_not_count(
    holder: Holder, take: Callable[..., Any], tmp_path: Path
) -> None:
    """A home folder that lies on a network is several boards'."""
    process = holder(token="their")
    (file,) = tmp_path.glob("*.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "boot": "another"}))
    take()
    assert process.poll() is None


def test_a_file_that_tells_nothing_is_still_somebodys(
    holder: Holder, take: Callable[..., Any], tmp_path: Path
) -> None:
    holder(token="their")
    next(tmp_path.glob("*.json")).write_text("")
    with pytest.raises(hold.Refused, match="another session holds the board"):
        take()


def test_two_at_once_do_not_both_get_it(tmp_path: Path) -> None:
    words = [sys.executable, "-c", _HOLD, str(tmp_path)]
    both = [
        subprocess.Popen(
            [*words, json.dumps(session(token=token)), ""],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for token in ("one", "two")
    ]  # fmt: skip
    try:
        wait_for(lambda: any(process.poll() is not None for process in both))
        loser = next(process for process in both if process.poll() is not None)
        assert b"Refused" in loser.communicate()[1]
        assert [process.poll() for process in both].count(None) == 1
    finally:
        for process in both:
            process.kill()
            process.communicate()


def test_one_that_is_taking_the_board_is_waited_for(
    tmp_path: Path, take: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold, "_MUTEX_S", 0.2)
    with (tmp_path / ".mutex").open("w") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        with pytest.raises(hold.Refused, match="about to take the board"):
            take()
    assert take()


def test_how_long_is_told_as_people_say_it() -> None:
    assert [hold._duration(age_s) for age_s in (0.4, 119, 150, 7199, 9000)] == [
        "0 s", "119 s", "2 min", "120 min", "2.5 h",
    ]  # fmt: skip
