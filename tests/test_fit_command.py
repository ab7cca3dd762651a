"""`boardmark run --fit`: what it refuses, and one whole session on a board that was made up."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from limited import limits

from harness import cli
from harness.fit import trial

_BOARD = """
name = "matchbox"
title = "Matchbox"
ram_bytes = {ram}
{usable}

[[clusters]]
core = "Cortex-A0"
ids = [0, 1]
"""


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agent_cache: Path) -> Path:
    monkeypatch.setenv("BOARDMARK_DEVICES", str(tmp_path))
    monkeypatch.setenv("BOARDMARK_CACHE", str(agent_cache))
    monkeypatch.setattr(trial, "_ALONE_S", 0.1)
    return tmp_path


def _profile(shelf: Path, ram: int, usable: int | None = None) -> None:
    line = f"usable_bytes = {usable}" if usable else ""
    (shelf / "matchbox.toml").write_text(_BOARD.format(ram=ram, usable=line))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fit", "pi44b", "--model", "null-model"], "unknown device 'pi44b'; did you mean"),
        (["--fit", "local", "--model", "null-model"], "to itself; name a board: jetson-agx-orin"),
        (["--fit", "pi4b"], "--model my.onnx"),
        (["--fit", "pi4b", "--model", "null-model", "--device", "pi4b"], "leave --device out"),
        (["--fit", "pi4b", "--model", "null-model", "--emulate"], "leave --emulate out"),
        (["--fit", "pi4b", "--model", "null-model", "--budget", "3m"], "leave --budget out"),
        (["--fit", "pi4b", "--model", "null-model", "--together", "0"], "whole number"),
        (["--together", "3"], "say where: --fit BOARD"),
        (["--fit", "pi4b", "--model", "no-such.onnx"], "no-such.onnx"),
    ],
)
def test_a_wrong_word_is_one_sentence(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "no-such.onnx" in words:
        limits()
    try:
        code = cli.main(["run", *words])
    except SystemExit as leaving:  # argparse's own
        code = int(str(leaving.code))
    told = capsys.readouterr().err
    assert code == 2
    assert said in told
    assert "Traceback" not in told


def test_a_board_without_memory_or_cores_cannot_be_played(
    shelf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shelf / "matchbox.toml").write_text('name = "matchbox"\ntitle = "Matchbox"\n')
    assert cli.main(["run", "--fit", "matchbox", "--model", "null-model"]) == 2
    assert "add ram_bytes and clusters" in capsys.readouterr().err


def test_what_fits_is_told_kept_and_shown_again(
    shelf: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits()
    monkeypatch.setattr("harness.fit.search.MOST", 4)
    _profile(shelf, 1 << 30, usable=800_000_000)
    words = ["run", "--fit", "matchbox", "--model", "null-model", "--store", str(shelf / "s")]
    assert cli.main([*words, "--json", "--no-report"]) == 0
    seen = capsys.readouterr()
    (row,) = json.loads(seen.out)
    assert (row["verdict"], row["side"], row["threads"]) == ("fits", "fit", 2)
    assert row["fit"]["assumed"] is False
    assert row["fit"]["budget_bytes"] == 800_000_000
    # an interpreter and nothing else
    assert 4e6 < row["fit"]["limit_bytes"] < 60e6
    assert "reference" not in seen.err
    assert cli.main(["show", "--store", str(shelf / "s")]) == 0
    shown = capsys.readouterr().out
    assert "as measured on the board" in shown
    assert "Made by: boardmark run" in shown
    assert "--fit matchbox" in shown
    assert cli.main(["run", "--resume", "latest", "--store", str(shelf / "s")]) == 2
    assert "no unfinished session" in capsys.readouterr().err


def test_what_does_not_fit_is_exit_code_1(
    shelf: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits()
    monkeypatch.setattr("harness.fit.search.MOST", 1)
    _profile(shelf, 8_000_000, usable=7_000_000)
    words = ["run", "--fit", "matchbox", "--model", "null-model", "--store", str(shelf / "s")]
    assert cli.main([*words, "--no-report"]) == 1
    told = capsys.readouterr().out
    assert "does not fit" in told
    assert "with 7 MB oom" in told


def test_a_board_larger_than_this_host_is_said_and_tried(
    shelf: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits()
    monkeypatch.setattr("harness.fit.search.MOST", 1)
    _profile(shelf, 1 << 45)
    words = ["run", "--fit", "matchbox", "--model", "null-model", "--store", str(shelf / "s")]
    assert cli.main([*words, "--no-report"]) == 0
    seen = capsys.readouterr()
    assert "that something fits can be told" in seen.err
    cores = len(os.sched_getaffinity(0))
    assert ("threads all the same" in seen.err) == (cores < 2)
