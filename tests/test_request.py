"""The words of a command that are kept with its session: they ask for the same one again."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from devices.lab import Reachable
from harness.commands import request
from harness.commands import run as measuring

PLACE = Reachable(name="pi", address="bench@192.0.2.7")


def _args(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    measuring.prepare(parser)
    return parser.parse_args(words)


def test_the_lab_file_that_was_found_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From another folder, the same name may be another board, or none."""
    monkeypatch.delenv("BOARDMARK_LAB", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab.toml").write_text("")
    words = request.words(_args("--device", "pi"), PLACE)
    assert words[words.index("--lab") + 1] == str(tmp_path / "lab.toml")
    assert _args(*words[1:]).lab == tmp_path / "lab.toml"


def test_this_host_needs_no_lab_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab.toml").write_text("")
    assert "--lab" not in request.words(_args())
