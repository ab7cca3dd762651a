"""What a board's runtimes turn out to be, as the session hears it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.errors import BoardLost
from harness.session.boards import Board
from harness.transport.local import LocalTransport
from harness.types import Json

_LOADER = "/lib/aarch64-linux-gnu/{}: version `{}' not found (required by /opt/runtime/binding.so)"


@pytest.mark.parametrize(
    ("file", "version", "needs"),
    [
        ("libc.so.6", "GLIBC_2.34", "glibc 2.34"),
        ("libstdc++.so.6", "GLIBCXX_3.4.29", "libstdc++ with GLIBCXX 3.4.29"),
    ],
)
def test_a_runtime_for_a_newer_system_says_which_one_it_needs(
    agent_cache: Path, tmp_path: Path, file: str, version: str, needs: str
) -> None:
    words = _LOADER.format(file, version)
    (tmp_path / "onnxruntime.py").write_text(f"raise ImportError({words!r})\n")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    with Board(
        lambda interpreter: LocalTransport(agent_cache, interpreter), lambda _: str(python)
    ) as board:
        found = board.runtimes(["onnxruntime"])["onnxruntime"]
    assert found.version is None
    assert found.reason == (
        f"the runtime needs {needs}, newer than this system's;"
        " install an older version of the runtime, or a newer system"
    )


class Flickering(LocalTransport):
    """This host behind a network that is lost during the first probes of all."""

    losses = 1

    def probe(self, backend: str) -> Json:
        if Flickering.losses:
            Flickering.losses -= 1
            raise BoardLost("the connection to board 'x' was lost")
        return super().probe(backend)


@pytest.mark.parametrize(("losses", "version"), [(1, "1"), (2, None)])
def test_a_connection_that_broke_once_leaves_no_runtime_out(
    agent_cache: Path, monkeypatch: pytest.MonkeyPatch, losses: int, version: str | None
) -> None:
    monkeypatch.setattr(Flickering, "losses", losses)
    with Board(lambda python: Flickering(agent_cache, python), lambda _: sys.executable) as board:
        found = board.runtimes(["null"])["null"]
    assert found.version == version
    assert "was lost" in (found.reason or "") or version
