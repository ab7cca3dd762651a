"""What a board's runtimes turn out to be, as the session hears it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.session.boards import Board
from harness.transport.local import LocalTransport

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
