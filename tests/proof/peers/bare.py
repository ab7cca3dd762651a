"""The bare loop of a runtime: what every tool of the same runtime is held against."""

from __future__ import annotations

import json
from pathlib import Path

from harness.stats.summary import within_run

from .records import Bench, Command, Reading, Unusable

SCRIPT = Path(__file__).parent / "scripts" / "bare_loop.py"
FORMATS = {"onnxruntime": "onnx", "openvino": "onnx", "litert": "tflite", "torch": "torchscript"}


def command(bench: Bench, word: str) -> Command:
    """Start the loop of the runtime `word`."""
    python: Path | None = bench.python
    model = bench.encoder
    if word == "transformers":
        python = bench.peers_python
    else:
        model = bench.artifacts[FORMATS[word]]
    if python is None:
        raise Unusable("its environment is missing: make install-peers")
    feed = (f"{name}={path}" for name, path in bench.inputs.items())
    return Command(
        argv=(
            str(python),
            str(SCRIPT),
            word,
            str(model),
            str(bench.threads),
            str(bench.seconds),
            *feed,
        ),
        environment={"HF_HUB_OFFLINE": "1"},
    )


def read(folder: Path, word: str) -> Reading:
    """Read the samples; the interval is that of order statistics, as if they were independent."""
    samples = json.loads((folder / "samples.json").read_text("utf-8"))
    if not samples:
        raise Unusable("the loop timed no call")
    summary = within_run([value / 1e9 for value in samples])
    if summary.center is None:
        raise Unusable(summary.warnings[0])
    return Reading(
        median_s=summary.center,
        n=len(samples),
        half_width=summary.relative_half_width,
        interval="order statistics of its samples",
    )
