"""The first program on a board, as ssh would start it: over pipes, in a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.agent import arrive
from harness.transport.package import agent_bytes
from harness.transport.ssh.transport import command

DIGEST = "d" * 64


class Arrival:
    """One start of the program, up to an agent that answers."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", str(Path(arrive.__file__))],
            env={**os.environ, "HOME": str(home), "XDG_CACHE_HOME": ""},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdin
        assert self.process.stdout
        self.to, self.back = self.process.stdin, self.process.stdout

    def ask(self, payload: bytes = b"", **request: Any) -> dict[str, Any]:
        self.to.write(json.dumps({"id": 1, **request}).encode() + b"\n" + payload)
        self.to.flush()
        line = self.back.readline()
        answer: dict[str, Any] = json.loads(line if line.strip() else self.back.readline())
        return answer

    def arrive(self, token: str = "ours") -> dict[str, Any]:
        who = {"token": token, "epoch": 0, "interpreter": "python3", "what": "a test"}
        return self.ask(op="arrive", sha256=DIGEST, **who)

    def bring(self) -> dict[str, Any]:
        packed = agent_bytes()
        return self.ask(packed, op="agent", id=2, bytes=len(packed))

    def end(self) -> int:
        self.to.close()
        self.back.close()
        return self.process.wait(timeout=10)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    started: list[Arrival] = []

    def now() -> Arrival:
        started.append(Arrival(tmp_path))
        return started[-1]

    yield now
    for arrival in started:
        arrival.process.kill()
        arrival.end()


def test_the_agent_is_taken_in_once_and_started(start: Any, tmp_path: Path) -> None:
    first = start()
    assert first.arrive()["missing"] is True
    answer = first.bring()
    assert answer["id"] == 2
    assert answer["cache"] == str(tmp_path / ".cache" / "boardmark")
    assert first.ask(op="ping", id=3) == {"event": "finished", "id": 3, "status": "ok"}
    assert first.end() == 0
    again = start().arrive()
    assert "missing" not in again
    assert again["outputs"].endswith("outputs")


def test_an_agent_that_lost_some_of_its_files_is_brought_again(start: Any, tmp_path: Path) -> None:
    first = start()
    first.arrive()
    first.bring()
    first.end()
    agent = tmp_path / ".cache/boardmark/agent" / DIGEST
    (agent / "harness/agent/child.py").write_text("")
    second = start()
    assert second.arrive()["missing"] is True
    assert "cache" in second.bring()
    assert (agent / "harness/agent/child.py").stat().st_size
    second.end()
    (agent / "sizes.json").write_text("")
    assert start().arrive()["missing"] is True


def test_two_that_bring_the_same_agent_do_not_disturb_each_other(
    start: Any, tmp_path: Path
) -> None:
    one, two = start(), start()
    assert one.arrive()["missing"]
    assert two.arrive("ours")["missing"]
    assert "cache" in one.bring()
    (agent,) = (tmp_path / ".cache/boardmark/agent").iterdir()
    before = agent.stat().st_ino
    one.end()
    assert "cache" in two.bring()
    assert agent.stat().st_ino == before
    assert list(agent.parent.iterdir()) == [agent]


def test_a_desk_that_leaves_in_the_middle_leaves_nothing(start: Any, tmp_path: Path) -> None:
    arrival = start()
    arrival.arrive()
    arrival.to.write(b'{"op": "agent", "id": 2, "bytes": 1000}\nhalf')
    assert arrival.end() == 0
    assert not list((tmp_path / ".cache/boardmark/agent").iterdir())


def test_the_cache_is_where_the_variable_says_if_it_is_a_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache")
    assert arrive.cache() == "/var/cache/boardmark"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/pi")
    assert arrive.cache() == "/home/pi/.cache/boardmark"


def test_what_lies_in_the_home_folder_is_not_imported(start: Any, tmp_path: Path) -> None:
    """Where `python -c` is started is where it would import from first."""
    (tmp_path / "json.py").write_text("raise SystemExit('mine')\n")
    program = b"import json; print('ok')"
    told = subprocess.run(
        ["sh", "-c", command(sys.executable)],
        cwd=tmp_path,
        input=b"%d\n%s" % (len(program), program),
        capture_output=True,
        check=False,
    )
    assert (told.stdout, told.stderr) == (b"ok\n", b"")
