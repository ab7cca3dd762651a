"""MLPerf LoadGen (mlcommons-loadgen): SingleStream and Offline over an ONNX Runtime session."""

from __future__ import annotations

import re
from pathlib import Path

from .records import Bench, Command, Reading, Unusable

SCRIPT = Path(__file__).parent / "scripts" / "loadgen_sut.py"
SUMMARY = "mlperf_log_summary.txt"


def command(bench: Bench, word: str) -> Command:
    """Run the scenario `word`, its minimum duration cut from a submission's minutes to seconds."""
    if bench.peers_python is None:
        raise Unusable("its environment is missing: make install-peers")
    return Command(
        argv=(
            *(str(bench.peers_python), str(SCRIPT), word, str(bench.artifacts["onnx"])),
            *(str(bench.threads), str(bench.seconds)),
            *(f"{name}={path}" for name, path in bench.inputs.items()),
        )
    )


def read(folder: Path, word: str) -> Reading:
    """Read its summary: the 50th percentile, or the inverse of Offline's throughput."""
    facts = parse((folder / SUMMARY).read_text("utf-8"))
    if word == "Offline":
        value = 1 / _number(facts, "Samples per second")
        note = "none: one throughput, shown as its inverse"
    else:
        value = _number(facts, "50.00 percentile latency (ns)") / 1e9
        note = "none: percentiles without a count or spread"
    return Reading(median_s=value, n=None, half_width=None, interval=note)


def parse(text: str) -> dict[str, str]:
    """Return the `key : value` lines of a summary; some have no space before the colon."""
    found = (re.fullmatch(r"\s*(.+?)\s*: +(.+?)\s*", line) for line in text.splitlines())
    return {match[1]: match[2] for match in found if match}


def _number(facts: dict[str, str], key: str) -> float:
    try:
        value = float(facts[key])
    except (KeyError, ValueError) as error:
        raise Unusable(f"{SUMMARY} has no number for {key!r}") from error
    if value <= 0:
        raise Unusable(f"{SUMMARY} says {key} : {value}")
    return value
