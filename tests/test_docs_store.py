"""The readers that docs/store.md shows need nothing of ours: run them as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import stores

_DOCUMENT = Path(__file__).parents[1] / "docs" / "store.md"
_READERS = re.findall(r"```python\n(.*?)```", _DOCUMENT.read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A place with a store where a checkout has it."""
    root = tmp_path_factory.mktemp("reader")
    stores.sealed(root / "results" / "data")
    return root


def _printed(folder, code):
    # -I: nothing of this checkout lies on its path by chance
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", code],
        cwd=folder, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_document_shows_three_readers():
    assert len(_READERS) == 3
    assert not any("boardmark" in code or "results." in code for code in _READERS)


@pytest.mark.parametrize("code", _READERS, ids=["duckdb", "pandas", "samples"])
def test_a_plain_reader_runs_as_shown_and_finds_the_cases(folder, code):
    out = _printed(folder, code)
    for variant in ("fp32", "int8-dynamic", "int4"):
        assert variant in out
    assert "local" in out


def test_the_plain_figures_are_those_of_the_runs(folder):
    duckdb, pandas, samples = (_printed(folder, code) for code in _READERS)
    assert "0.002004" in duckdb
    assert "0.002004" in pandas
    assert "2.01" in samples
