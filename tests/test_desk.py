"""An agent notices that nobody listens any more, and one that nobody asks leaves."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ssh_server import alive, wait_for

from harness.transport.package import write_agent

ROOT = Path(__file__).resolve().parents[1]
Make = Callable[..., dict[str, Any]]
_DESK = """
from harness.agent.desk import Desk
desk = Desk(idle_s=float({idle!r}), attached=True)
for request in desk.requests():
    desk.emit("finished", sizes=[len(block) for block in desk.read(request.get("bytes", 0))])
"""


def desk(idle_s: float = 60.0) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", _DESK.format(idle=idle_s)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


def test_a_long_silence_is_the_end() -> None:
    with desk(idle_s=0.3) as process:
        began = time.monotonic()
        assert process.wait(timeout=10) == 0
        assert time.monotonic() - began >= 0.3


def test_what_follows_a_request_is_its_payload_and_then_the_next_request() -> None:
    with desk() as process:
        sent = (
            b'{"op": "x", "bytes": 300000}\n' + b"\n" * 300000 + b'{"op": "x"}\n{"op": "close"}\n'
        )
        told, _ = process.communicate(sent, timeout=10)
    sizes = [json.loads(line)["sizes"] for line in told.splitlines()]
    assert [sum(each) for each in sizes] == [300000, 0]


@pytest.mark.parametrize("kind", ["pipes", "socket"])
def test_a_run_ends_with_the_desk_that_asked_for_it(
    tmp_path: Path, null_request: Make, kind: str
) -> None:
    """A desk here talks over pipes; an sshd may give the agent one end of a socket."""
    request = null_request({"timeout_s": 60}, latency_us=50_000_000)
    agent = [sys.executable, str(write_agent(tmp_path / "agent.pyz"))]
    who = {"id": 0, "token": "t", "epoch": 0, "interpreter": "p", "what": "w"}
    ours, theirs = socket.socketpair()
    if kind == "socket":
        who["cache"] = str(tmp_path / "cache")
        agent += ["--session", json.dumps(who)]
        process = subprocess.Popen(agent, stdin=theirs, stdout=theirs)
    else:
        process = subprocess.Popen(agent, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    theirs.close()
    to = ours.makefile("wb") if kind == "socket" else process.stdin
    back = ours.makefile("rb") if kind == "socket" else process.stdout
    assert to
    assert back
    to.write(json.dumps(request).encode() + b"\n")
    to.flush()
    while b'"loaded"' not in back.readline():
        pass
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert children
    to.close()
    if kind == "socket":
        ours.shutdown(socket.SHUT_WR)  # what an sshd does when its client's input ends
    else:
        back.close()
    process.wait(timeout=10)
    back.close()
    ours.close()
    wait_for(lambda: not any(alive(int(child)) for child in children))


def test_one_that_is_asked_by_hand_answers_though_its_input_has_ended(
    tmp_path: Path, null_request: Make
) -> None:
    agent = write_agent(tmp_path / "agent.pyz")
    told = subprocess.run(
        [sys.executable, str(agent)],
        input=json.dumps(null_request()).encode(),
        capture_output=True,
        check=True,
    )
    assert json.loads(told.stdout.splitlines()[-1])["status"] == "ok"
