"""The command line: help, unknown words, the one handler of errors, start-up imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import cli
from harness.commands.progress import Progress
from harness.errors import DeviceError, StoreError, UsageError
from suites.build import BuildEvent


def test_help_names_every_command_and_every_command_has_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["--help"]) == 0
    overview = capsys.readouterr().out
    for name in cli.COMMANDS:
        assert f"\n  {name}" in overview
        with pytest.raises(SystemExit) as leaving:
            cli.main([name, "--help"])
        assert leaving.value.code == 0
        assert "--" in capsys.readouterr().out


def test_every_command_is_a_module_with_a_summary() -> None:
    files = {path.stem for path in Path(cli.__file__).with_name("commands").glob("*.py")}
    for name in cli.COMMANDS:
        assert cli.command(name).__doc__
    shared = {"__init__", "contest", "dry_run", "options", "outcome", "progress"}
    shared |= {"driving", "emulate", "fit", "reach", "request", "resume", "several", "shelf"}
    modules = {cli.command(name).__name__.rpartition(".")[2] for name in cli.COMMANDS}
    assert files - shared == modules


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rnu"], "unknown command 'rnu'; did you mean run?"),
        (["run", "--suite", "quantisation"], "did you mean quantization?"),
        (["run", "--variants", "int8-dynamc"], "did you mean int8-dynamic"),
        (["run", "--backends", "onxruntime"], "did you mean onnxruntime or"),
        (["run", "--budget", "soon"], "write it like 20s, 3m or 500ms"),
        (["run", "--precision", "200%"], "write it like 1% or 0.01"),
        (["run", "--suite", "quick", "--device", "jetsn"], "unknown device 'jetsn'"),
        (["run", "--model", "no-such.onnx"], "no-such.onnx"),
        (["run", "--suite", "quick", "--cores", "77"], "no core 77 here"),
        (["run", "--interpreter", "torch=/no/python"], "no such interpreter"),
        (["run", "--interpreter", "torhc=/bin/sh"], "did you mean torch"),
        (["run", "--interpreter", "torch="], "no such interpreter"),
        (["run", "--suite", "quick", "--shape", "x=1x2"], "belong to one model"),
        (["run", "--suite", "quick", "--labels", "none.npy"], "belong to one model"),
        (["run", "--resume", "--threads", "2"], "not with --threads"),
        (["show", "--store", "/nowhere/at/all"], "/nowhere/at/all"),
        (["export", "--store", "/nowhere/at/all"], "/nowhere/at/all"),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--seed", "-1"], "from 0 to 2^32 - 1"),
        (["run", "--seed", str(2**32)], "from 0 to 2^32 - 1"),
        (["run", "--cores", "1-0"], "write 0-1"),
        (["run", "--cores", "0-99999999999"], "core ids like 0-3,6, up to 8191"),
        (["run", "--threads", "0"], "from 1 to 2147483647"),
        (["run", "--batch", "1,99999999999"], "from 1 to 2147483647"),
    ],
)
def test_a_number_out_of_range_is_refused(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as leaving:
        cli.main(words)
    assert leaving.value.code == 2
    assert said in capsys.readouterr().err


def test_output_that_cannot_be_written_is_one_sentence() -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "harness.cli", "list", "suites"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr == "boardmark: cannot read or write the output: No space left on device\n"


def test_a_reader_that_leaves_is_no_failure() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "list", "suites"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as program:  # fmt: skip
        assert program.stdout is not None
        program.stdout.close()
        assert program.stderr is not None
        assert program.stderr.read() == b""
    assert program.returncode == 0


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_what_comes_closed_is_no_failure_and_no_file_takes_its_place(closed: str) -> None:
    program = (
        "import os, sys; from harness import cli; code = cli.main(['list', 'suites']); "
        "sys.exit(code or os.open(os.devnull, os.O_RDONLY) < 3)"
    )
    ended = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, program],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_moving_line_never_wraps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    Progress().built(BuildEvent("start", "a-model-of-some-length", "onnx", "int8-static", 0, 9))
    assert len(capsys.readouterr().err) == len("\r\033[K") + 29


def test_an_ascii_terminal_is_told_too() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "harness.cli", "run", "--model", "caf\u00e9"],
        env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "unknown model 'caf\\xe9'" in ended.stderr


@pytest.mark.parametrize("error", [UsageError("a"), StoreError("b"), DeviceError("c", "do this")])
def test_errors_become_their_exit_codes(
    error: UsageError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(_: object) -> int:
        raise error

    monkeypatch.setattr("harness.commands.show.run", fails)
    assert cli.main(["show"]) == error.exit_code
    assert str(error) in capsys.readouterr().err


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from harness.cli import main; main(['--help'])\n"
        "heavy = {'numpy', 'pandas', 'pyarrow', 'matplotlib', 'msgspec', 'torch', 'jinja2'}\n"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("boardmark 0.")


def test_a_control_character_in_an_error_is_spelled_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(words: list[str]) -> int:
        raise UsageError("device \x1b[31mred\nand µ differ")

    monkeypatch.setattr(cli, "_run", fail)
    assert cli.main([]) == 2
    assert capsys.readouterr().err == "boardmark: device \\x1b[31mred\\nand µ differ\n"
