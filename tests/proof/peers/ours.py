"""Boardmark itself: one case of `boardmark run`, with its defaults."""

from __future__ import annotations

import json
from pathlib import Path

from .records import Bench, Command, Reading, Unusable

MODEL = "minilm-l6"


def command(bench: Bench, word: str) -> Command:
    """Measure the FP32 model on the backend `word`."""
    return Command(
        argv=(
            *(str(bench.python), "-m", "harness.cli", "run"),
            *("--model", MODEL, "--variants", "fp32", "--backends", word, "--batch", "1"),
            *("--threads", str(bench.threads), "--store", "store", "--no-report", "--json"),
        ),
        patience_s=300.0,  # on a disturbed machine it repeats what was disturbed
    )


def read(folder: Path, word: str) -> Reading:
    """Read the one row; its interval is printed."""
    rows = json.loads((folder / "stdout.txt").read_text("utf-8"))
    if len(rows) != 1 or rows[0]["latency_p50_s"] is None:
        raise Unusable(f"{len(rows)} rows; the first says {rows[0]['reason'] if rows else None}")
    row = rows[0]
    return Reading(
        median_s=row["latency_p50_s"],
        n=row["samples"],
        half_width=half_width(row),
        interval="printed: from the spread between its runs",
    )


def half_width(row: dict[str, float]) -> float | None:
    """Return the larger distance from the center to an end, as a fraction of the center."""
    center, lo, hi = (row[f"latency_p50_{part}s"] for part in ("", "lo_", "hi_"))
    return None if lo is None or hi is None else max(hi - center, center - lo) / center
