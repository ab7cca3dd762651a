"""The test that pytest-benchmark runs: one ONNX Runtime session, one call."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import onnxruntime


def test_infer(benchmark: Any) -> None:
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = int(os.environ["PEER_THREADS"])
    settings.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        os.environ["PEER_MODEL"], settings, providers=["CPUExecutionProvider"]
    )
    pairs = (word.split("=", 1) for word in os.environ["PEER_INPUTS"].split(os.pathsep))
    feed = {name: np.load(path) for name, path in pairs}
    benchmark(session.run, None, feed)
