"""OpenVINO's benchmark_app, which its wheel installs: one stream, synchronous, FP32."""

from __future__ import annotations

import json
from pathlib import Path

from .records import Bench, Command, Reading, Unusable

REPORT = "benchmark_report.json"


def command(bench: Bench, word: str) -> Command:
    """Run it on the ONNX file with the same inputs, bound to their shapes."""
    shapes = ",".join(f"{name}[1,64]" for name in bench.inputs)
    feed = ",".join(f"{name}:{path}" for name, path in bench.inputs.items())
    return Command(
        argv=(
            *(str(bench.python.parent / "benchmark_app"), "-m", str(bench.artifacts["onnx"])),
            *("-d", "CPU", "-api", "sync", "-hint", "none", "-nstreams", "1"),
            # left alone it computes in bfloat16 wherever the CPU can
            *("-infer_precision", "f32", "-nthreads", str(bench.threads)),
            # it takes whole seconds only
            *("-t", str(max(1, round(bench.seconds))), "-shape", shapes, "-i", feed),
            *("-json_stats", "-report_type", "no_counters", "-report_folder", "."),
        )
    )


def read(folder: Path, word: str) -> Reading:
    """Read its JSON statistics; they hold no spread."""
    report = json.loads((folder / REPORT).read_text("utf-8"))
    results = report["execution_results"]
    median_ms = float(results["latency (ms)"])
    if median_ms <= 0:
        raise Unusable(f"{REPORT} says that the median is {median_ms} ms")
    return Reading(
        median_s=median_ms / 1e3,
        n=int(results["total number of iterations"]),
        half_width=None,
        interval="none: it prints neither a spread nor its samples",
    )
