"""LiteRT's litert-benchmark, which its wheel ships, on the CPU."""

from __future__ import annotations

import json
from pathlib import Path

from .implied import from_sd
from .records import Bench, Command, Reading, Unusable

SCRIPT = Path(__file__).parent / "scripts" / "litert_tool.py"
REPORT = "result.json"


def command(bench: Bench, word: str) -> Command:
    """Run it as it is ("own"), or with ids drawn from the vocabulary ("ids")."""
    own = (str(bench.python.parent / "litert-benchmark"),)
    start = own if word == "own" else (str(bench.python), str(SCRIPT))
    return Command(
        argv=(
            *start,
            *("--model", str(bench.artifacts["tflite"]), "--num_threads", str(bench.threads)),
            *("--result_json", REPORT),
        )
    )


def read(folder: Path, word: str) -> Reading:
    """Read its JSON; it has the standard deviation of its samples."""
    latency = json.loads((folder / REPORT).read_text("utf-8"))["latency"]
    n = int(latency["num_runs"])
    if latency["median_ms"] <= 0:
        raise Unusable(f"{REPORT} says that the median is {latency['median_ms']} ms")
    return Reading(
        median_s=latency["median_ms"] / 1e3,
        n=n,
        half_width=from_sd(latency["avg_ms"], latency["std_ms"], n),
        interval="implied by its mean, sd and count",
    )
