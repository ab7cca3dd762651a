"""What earlier sessions tell of the time a run takes."""

from pathlib import Path

import stores

from harness.cli import main
from results.history import took
from results.store import Store

FIXTURES = Path(__file__).parent / "fixtures" / "imports" / "pytest-benchmark"


def test_what_another_tool_measured_tells_nothing_of_our_own_runs(tmp_path):
    """The two newest sessions here are imports: what they would hide is still found."""
    store = stores.sealed(tmp_path / "store", session_id="20240101T000000Z-0001")
    before = took(store)
    assert before
    files = sorted(str(path) for path in FIXTURES.glob("*.json"))
    assert len(files) >= 2
    assert main(["import", *files, "--model", "m", "--store", str(store.root)]) == 0
    assert took(Store.open(store.root)) == before
