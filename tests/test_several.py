"""One command for several boards: what costs one of them, and what ends all."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.commands import several
from harness.errors import DeviceError, UsageError

Measured = Callable[[argparse.Namespace], int]


def _told(answers: dict[str, int | Exception], asked: list[str]) -> Measured:
    def measure(args: argparse.Namespace) -> int:
        asked.append(args.device)
        answer = answers[args.device]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return measure


def _each(words: str, answers: dict[str, int | Exception]) -> tuple[int, list[str]]:
    asked: list[str] = []
    args = argparse.Namespace(device=words, lab=None)
    return several.each(args, _told(answers, asked)), asked


def test_ctrl_c_ends_all_of_it() -> None:
    assert _each("local,pi4b,nano", {"local": 0, "pi4b": 130, "nano": 0}) == (
        130,
        ["local", "pi4b"],
    )


def test_a_board_that_fails_costs_only_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    answers: dict[str, int | Exception] = {"local": DeviceError("it is off"), "pi4b": 0}
    assert _each("local,pi4b", answers) == (4, ["local", "pi4b"])
    assert "local: it is off" in capsys.readouterr().err


def test_what_one_board_cannot_do_is_no_end_for_those_behind_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers: dict[str, int | Exception] = {
        "local": 0,
        "pi4b": UsageError("this host is not a Raspberry Pi 4B"),
        "nano": 1,
    }
    assert _each("local,pi4b,nano", answers) == (2, ["local", "pi4b", "nano"])
    assert "pi4b: this host is not" in capsys.readouterr().err


def test_a_wrong_word_ends_it_before_anything_is_measured() -> None:
    with pytest.raises(UsageError, match="no such suite"):
        _each("local,pi4b", {"local": UsageError("no such suite"), "pi4b": 0})


def test_a_word_that_names_nothing_names_the_boards_of_the_lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "lab.toml"
    file.write_text('[boards.bench7]\naddress = "pi@pi.lan"\n')
    monkeypatch.setenv("BOARDMARK_LAB", str(file))
    with pytest.raises(UsageError, match="unknown device 'bnech7'; did you mean bench7"):
        _each("local,bnech7", {})
