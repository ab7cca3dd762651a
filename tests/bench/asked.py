"""Ask a store a question some times in a process of its own, and say what it took.

    python tests/bench/asked.py STORE QUESTION [TIMES]

Prints {"first_s", "seconds", "rows", "peak_rss_bytes"}: the first time includes loading DuckDB and
Arrow and, in a store nobody has asked yet, checking every digest; each time opens the store anew.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from results.query import Filter, History
from results.store import Store

_CASE = Filter(
    device="jetson-nano", model="minilm-l6", variant="int8-static", backend="onnxruntime"
)
_SCAN = (
    "SELECT count(*) AS runs, avg(latency_p50_s) AS p50_s, max(peak_rss_bytes) AS peak FROM runs"
)

QUESTIONS: dict[str, Callable[[History], Any]] = {
    "scan": lambda history: history.sql(_SCAN),
    "latest": lambda history: history.latest_per_case(Filter()),
    "trend": lambda history: history.trend(_CASE),
    "ten nights": lambda history: history.trend(_CASE, nights=10),
}


def asked(where: Path, question: str, times: int = 6) -> dict[str, Any]:
    """Return what a fresh process says of a question."""
    command = [sys.executable, __file__, str(where), question, str(times)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    found["median_s"] = statistics.median(found["seconds"] or [found["first_s"]])
    return found


def listed_s(where: Path, times: int = 6) -> float:
    """Return the median seconds that `boardmark list sessions --json` takes, after the first."""
    boardmark = str(Path(sys.executable).with_name("boardmark"))
    command = [boardmark, "list", "sessions", "--json", "--store", str(where)]
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds[1:])


def main() -> None:
    where, question, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        rows = len(QUESTIONS[question](History(Store.open(where))))
        seconds.append(time.perf_counter() - begin)
    told = {
        "first_s": seconds[0],
        "seconds": seconds[1:],
        "rows": rows,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
