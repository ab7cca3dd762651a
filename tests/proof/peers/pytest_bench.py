"""pytest-benchmark on an ONNX Runtime session, each start compared with the one before."""

from __future__ import annotations

import json
import os
from pathlib import Path

from .implied import from_iqr
from .records import Bench, Command, Reading, Unusable

TEST = Path(__file__).parent / "scripts" / "session_benchmark.py"
REPORT = "benchmark.json"
REGRESSED = "Performance has regressed"


def command(bench: Bench, word: str) -> Command:
    """Run the test; fail if its median is more than 5 % above that of the previous start."""
    storage = bench.shelf / "pytest-benchmark"
    earlier = storage.is_dir() and any(storage.rglob("*.json"))
    compare = ("--benchmark-compare", "--benchmark-compare-fail=median:5%") if earlier else ()
    return Command(
        argv=(
            *(str(bench.python), "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-p", "pytest_benchmark.plugin"),
            *("-c", "pytest.ini", "--rootdir", ".", f"--benchmark-max-time={bench.seconds}"),
            *(f"--benchmark-json={REPORT}", "--benchmark-save=start"),
            *(f"--benchmark-storage=file://{storage}", *compare, "test_session.py"),
        ),
        environment={
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PEER_MODEL": str(bench.artifacts["onnx"]),
            "PEER_THREADS": str(bench.threads),
            "PEER_INPUTS": os.pathsep.join(f"{k}={v}" for k, v in bench.inputs.items()),
        },
        # away from this project's own pytest settings
        files={"pytest.ini": "[pytest]\n", "test_session.py": TEST.read_text("utf-8")},
        good_codes=(0, 1),
    )


def read(folder: Path, word: str) -> Reading:
    """Read its JSON, and whether it said that the median regressed."""
    printed = "".join((folder / name).read_text("utf-8") for name in ("stdout.txt", "stderr.txt"))
    report = folder / REPORT
    if not report.is_file():
        raise Unusable(f"it wrote no {REPORT}: {printed.strip()[-200:]}")
    stats = json.loads(report.read_text("utf-8"))["benchmarks"][0]["stats"]
    compared = "--benchmark-compare-fail" in (folder / "command.txt").read_text("utf-8")
    return Reading(
        median_s=stats["median"],
        n=stats["rounds"] * stats["iterations"],
        half_width=from_iqr(stats["median"], stats["iqr"], stats["rounds"]),
        interval="implied by its median, IQR and count",
        alarm=REGRESSED in printed if compared else None,
    )
