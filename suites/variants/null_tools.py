"""Variants without a runtime: the script that the null backend plays.

The artifacts differ the way real variants do, in time and in size, so that every report and test
has something to order. They answer with their inputs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from suites.variants import Built, Material

FORMAT = "null"
PACKAGES = ()
REVISION = 1


@dataclass(frozen=True)
class Script:
    """What one variant plays: the pause of a call, and how many bytes stand for weights."""

    latency_us: int
    weights_bytes: int


SCRIPTS = {
    "fp32": Script(2000, 40_000),
    "fp16": Script(1600, 20_000),
    "int8-dynamic": Script(1000, 10_000),
    "int8-static": Script(900, 10_000),
    "int4": Script(800, 5_000),
}


def build(variant: str, material: Material, out: Path) -> Built:
    """Write `model.json`, the null backend's script for `variant`; always the same bytes."""
    script = SCRIPTS[variant]
    inputs = [
        {"name": spec.name, "dtype": spec.dtype, "shape": [-1, *spec.shape[1:]]}
        for spec in material.model.inputs
    ]
    content = {
        "latency_us": script.latency_us,
        "jitter_us": script.latency_us // 40,
        "inputs": inputs,
        "weights": "0" * script.weights_bytes,
    }
    path = out / "model.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return Built(path, ("no model: pauses, and answers with its inputs",))
