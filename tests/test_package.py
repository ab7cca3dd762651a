"""The board's side in one file: small, reproducible, without the desk."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from harness.errors import StoreError, UsageError
from harness.transport.package import agent_bytes, cached_agent, write_agent


def test_the_agent_is_small_and_holds_nothing_of_the_desk(tmp_path: Path) -> None:
    agent = write_agent(tmp_path / "agent.pyz")
    assert agent.stat().st_size < 200_000
    names = zipfile.ZipFile(agent).namelist()
    assert "harness/agent/supervisor.py" in names
    assert "backends/null.py" in names
    wrong = [name for name in names if not name.startswith(("harness/agent/", "backends/"))]
    assert wrong == ["__main__.py", "harness/__init__.py"]


def test_the_same_sources_give_the_same_bytes_and_the_cache_is_named_by_them(
    tmp_path: Path,
) -> None:
    assert agent_bytes() == agent_bytes()
    assert cached_agent(tmp_path) == cached_agent(tmp_path)


def test_it_runs_from_anywhere_without_the_project_on_the_path(tmp_path: Path) -> None:
    agent = write_agent(tmp_path / "agent.pyz")
    answer = subprocess.run(
        [sys.executable, "-I", str(agent)],
        input='{"op": "probe", "backend": "null", "id": 1}\n',
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert json.loads(answer.stdout)["result"]["version"] == "1"


def test_a_wrong_argument_gets_a_usage_line(tmp_path: Path) -> None:
    agent = write_agent(tmp_path / "agent.pyz")
    answer = subprocess.run(
        [sys.executable, str(agent), "--help"], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 2
    assert "requests as JSON lines" in answer.stderr


def test_an_unwritable_target_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write"):
        write_agent(tmp_path / "file" / "agent.pyz")


def test_a_cache_that_takes_no_agent_is_an_unusable_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="BOARDMARK_CACHE"):
        cached_agent(tmp_path / "file")


def test_before_the_runtime_is_imported_the_child_costs_under_4_mb(tmp_path: Path) -> None:
    """Measured beside a bare interpreter in the same moment, three times each; medians compared."""
    agent = write_agent(tmp_path / "agent.pyz")
    code = "print([l for l in open('/proc/self/status') if l.startswith('VmHWM')][0].split()[1])"
    bare, ours = [], []
    for _ in range(3):
        answer = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        bare.append(int(answer.stdout) * 1024)
        run = {
            "op": "run", "backend": "null", "artifact": "/nowhere", "inputs": [], "seed": 0,
            "sampling": {}, "options": {},
        }  # fmt: skip
        answer = subprocess.run(
            [sys.executable, str(agent)],
            input=json.dumps(run) + "\n",
            capture_output=True,
            text=True,
            check=True,
        )
        result = json.loads(answer.stdout.splitlines()[-1])["result"]
        ours.append(result["memory"]["baseline"]["hwm_bytes"])
    assert sorted(ours)[1] - sorted(bare)[1] < 4_000_000
