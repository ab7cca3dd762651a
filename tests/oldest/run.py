"""Pack the agent, and let any interpreter run its tests, which know only the standard library."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import boards

from harness.agent.identify import identify
from harness.transport.package import write_agent

_CASES = Path(__file__).with_name("cases.py")


def run(
    python: Path | str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Return the finished tests; stdout says which Python they ran on and what failed."""
    with tempfile.TemporaryDirectory() as folder:
        expected = Path(folder) / "expected.json"
        expected.write_text(json.dumps({board: _identity(board) for board in boards.BOARDS}))
        material = {
            "BOARDMARK_AGENT": str(write_agent(Path(folder) / "agent.pyz")),
            "BOARDMARK_TREES": str(boards.FOLDER),
            "BOARDMARK_EXPECTED": str(expected),
        }
        return subprocess.run(
            [str(python), "-B", str(_CASES)],
            env={**(environment or os.environ), **material},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )


def _identity(board: str) -> dict[str, object]:
    """Return what this interpreter finds in a tree, without what it tells of itself."""
    facts = identify(boards.root(board))
    return {key: value for key, value in facts.items() if not key.startswith("python")}
