"""What a network costs: contact, runs and files over a loopback SSH, beside the bare program's."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ssh_server import Server, served

from harness.transport.local import LocalTransport
from harness.transport.ssh import SshTransport, connector

ROUNDS = 7
UPLOAD_BYTES = 200_000_000


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("ssh")) as server:
        yield server


def plain(board: Server, word: str = "true", **options: Any) -> float:
    """Return the seconds that the bare program needs to connect and do `word`."""
    command = ["ssh", "-o", "BatchMode=yes", *board.place.options, board.place.host, word]
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)
    return time.monotonic() - began


def contact(board: Server) -> float:
    """Return the seconds up to a board's identity."""
    began = time.monotonic()
    transport = connector(board.place, "bench")(sys.executable)
    try:
        transport.identify()
        return time.monotonic() - began
    finally:
        transport.close()


@pytest.mark.parametrize("which", ["first", "later"])
def test_contact(benchmark: Any, board: Server, which: str) -> None:
    """The agent is brought in the first one only; most of the rest is the handshake."""
    contact(board)
    took: list[float] = []
    bare: list[float] = []

    def prepare() -> None:
        bare.append(plain(board))
        if which == "first":
            shutil.rmtree(board.cache)

    benchmark.pedantic(lambda: took.append(contact(board)), setup=prepare, rounds=ROUNDS)
    contact_s, bare_s = statistics.median(took), statistics.median(bare)
    benchmark.extra_info["contact_s"] = contact_s
    benchmark.extra_info["bare_ssh_s"] = bare_s
    # Generous beyond the handshake, which is not ours to shorten: the machine may be busy.
    assert contact_s - bare_s < {"first": 2.5, "later": 0.6}[which]


def test_a_run_over_ssh_beside_one_here(
    benchmark: Any, board: Server, agent_cache: Path, null_request: Callable[..., dict[str, Any]]
) -> None:
    transport, local = connector(board.place, "bench")(sys.executable), LocalTransport(agent_cache)
    extra: list[float] = []

    def once(way: SshTransport | LocalTransport) -> float:
        request = null_request()
        began = time.monotonic()
        (request["artifact"],) = way.put([Path(request["artifact"])])
        *_, answer = way.run(request)
        assert answer["status"] == "ok"
        return time.monotonic() - began

    def pair() -> None:
        extra.append(once(transport) - once(local))

    try:
        benchmark.pedantic(pair, rounds=4 * ROUNDS, warmup_rounds=1)
    finally:
        transport.close()
        local.close()
    benchmark.extra_info["extra_s"] = statistics.median(extra)
    assert statistics.median(extra) < 0.15


def test_an_upload(benchmark: Any, board: Server, tmp_path: Path) -> None:
    """Beside the same bytes piped through the bare program."""
    path = tmp_path / "artifact.bin"
    transport = connector(board.place, "bench")(sys.executable)
    took: list[float] = []
    bare: list[float] = []

    def prepare() -> None:
        path.write_bytes(os.urandom(UPLOAD_BYTES))
        with path.open("rb") as stream:
            bare.append(plain(board, f"cat > {board.home}/bare", stdin=stream))
        transport.close()
        transport._open()

    def upload() -> None:
        began = time.monotonic()
        transport.put([path])
        took.append(time.monotonic() - began)

    try:
        benchmark.pedantic(upload, setup=prepare, rounds=3)
    finally:
        transport.close()
    benchmark.extra_info["bytes_per_s"] = UPLOAD_BYTES / statistics.median(took)
    benchmark.extra_info["times_bare_ssh"] = statistics.median(took) / statistics.median(bare)
