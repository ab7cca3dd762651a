"""optimum-benchmark by its command: process launcher, inference scenario, PyTorch.

Its ONNX Runtime backend needs an optimum that does not load beside this torch, so PyTorch it is.
"""

from __future__ import annotations

import json
from pathlib import Path

from .implied import from_sd
from .records import Bench, Command, Reading, Unusable

REPORT = "benchmark_report.json"
SETTINGS = """\
defaults:
  - benchmark
  - launcher: process
  - scenario: inference
  - backend: pytorch
  - _self_
name: peers
backend:
  model: {model}
  processor: {model}
  library: transformers
  task: feature-extraction
  model_type: bert
  device: cpu
  intra_op_num_threads: {threads}
scenario:
  input_shapes: {{batch_size: 1, sequence_length: 64}}
"""


def command(bench: Bench, word: str) -> Command:
    """Run it with its defaults: 10 warm-up runs, at least 10 iterations and 10 seconds."""
    if bench.peers_python is None:
        raise Unusable("its environment is missing: make install-peers")
    tool = bench.peers_python.parent / "optimum-benchmark"
    return Command(
        argv=(str(tool), "--config-dir", ".", "--config-name", "peers", "hydra.run.dir=hydra"),
        environment={"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"},
        files={
            "peers.yaml": SETTINGS.format(
                model=json.dumps(str(bench.encoder)), threads=bench.threads
            )
        },
        patience_s=180.0,
    )


def read(folder: Path, word: str) -> Reading:
    """Read its report; it has a mean, a standard deviation and a count."""
    latency = json.loads((folder / REPORT).read_text("utf-8"))["forward"]["latency"]
    if latency["unit"] != "s" or latency["p50"] <= 0:
        raise Unusable(f"{REPORT} says p50 is {latency['p50']} {latency['unit']}")
    return Reading(
        median_s=latency["p50"],
        n=latency["count"],
        half_width=from_sd(latency["mean"], latency["stdev"], latency["count"]),
        interval="implied by its mean, sd and count",
    )
