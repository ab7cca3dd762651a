"""What `gate` and `calibrate` share when something is in their way: outputs, readers, Ctrl-C."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import main
from harness.commands.progress import Progress
from harness.types import Case, Run
from results import sessions
from results.store import Store

LEVELS = ["--model", "null-model", "--backends", "null", "--blocks", "5"]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agent_cache: Path) -> Path:
    monkeypatch.setenv("BOARDMARK_CACHE", str(agent_cache))
    return tmp_path / "store"


def gate(store: Path, *words: str) -> int:
    return main(["gate", *words, "--store", str(store)])


def test_a_verdict_that_cannot_be_written_is_refused_before_anything_is_measured(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for target in (tmp_path, tmp_path / "no" / "gate.xml"):
        assert gate(store, "--self-test", "--blocks", "5", "-o", str(target)) == 2
        told = capsys.readouterr().err
        assert "name another -o FILE" in told
        assert told.count("\n") == 1
    assert not store.exists()


def test_a_reader_that_leaves_makes_no_regression_a_pass(store: Path, tmp_path: Path) -> None:
    words = ["--base", "int8-dynamic", "--candidate", "fp32", *LEVELS, "--store", str(store)]
    policy = tmp_path / "gate.toml"
    policy.write_text("[budgets]\nlatency_p50 = '1 us'\n")
    ended = subprocess.run(
        [sys.executable, "-c", _DEAF, "gate", *words, "--policy", str(policy)],
        capture_output=True, check=False,
    )  # fmt: skip
    session = sessions.load(Store.open(store), "latest")
    assert session.sealed
    planned = {key for keys in session.plan.order for key in keys}
    assert {run.case_key for run in session.runs} == planned, "measured all the same"
    assert ended.returncode in (1, 3), "over its budget, or too noisy to tell"


# Runs the command with both outputs a pipe that nobody reads any more.
_DEAF = """
import os, sys
reader, writer = os.pipe()
os.close(reader)
os.dup2(writer, 1)
os.dup2(writer, 2)
from harness.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_an_interrupted_gate_says_what_is_kept(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finished = Progress.finished

    def stop(self: Progress, case: Case, run: Run) -> None:
        finished(self, case, run)
        if run.seq == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "finished", stop)
    assert gate(store, "--self-test", "--blocks", "5") == 130
    session = sessions.load(Store.open(store), "latest")
    assert session.sealed
    assert len(session.runs) == 4
    told = capsys.readouterr().err
    assert "interrupted: 4 runs are kept" in told
    assert session.plan.session_id in told


def test_a_side_without_a_name_is_none(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gate(store, "--base", "", "--candidate", "") == 2
    assert "two sides" in capsys.readouterr().err


def test_a_gate_that_was_killed_is_not_offered_to_be_resumed(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Store, "seal", lambda *_: ())  # as if killed before that

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "finished", stop)
    gate(store, "--self-test", "--blocks", "5")
    capsys.readouterr()
    assert main(["list", "sessions", "--store", str(store)]) == 0
    assert "--resume" not in capsys.readouterr().out
    assert main(["run", "--resume", "--store", str(store)]) == 2
    assert "no unfinished session to resume" in capsys.readouterr().err
    session = sessions.load(Store.open(store), "latest").plan.session_id
    assert main(["run", "--resume", session, "--store", str(store)]) == 2
    assert "one stretch of time" in capsys.readouterr().err
