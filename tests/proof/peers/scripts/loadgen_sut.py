"""MLPerf LoadGen over an ONNX Runtime session, one sample per call.

python loadgen_sut.py SCENARIO MODEL THREADS SECONDS NAME=FILE.npy ...; the logs go to the current
folder.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

import mlperf_loadgen as loadgen  # type: ignore[import-not-found]
import numpy as np
import onnxruntime

WARMUP_CALLS = 20
SAMPLES = 8

scenario, model, threads, seconds, *inputs = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(threads)
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
feed = {name: np.load(path) for name, path in (word.split("=", 1) for word in inputs)}

warm = []
for _ in range(WARMUP_CALLS):
    before = time.perf_counter()
    session.run(None, feed)
    warm.append(time.perf_counter() - before)


def issue(queries: Any) -> None:
    for query in queries:
        session.run(None, feed)
        loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(query.id, 0, 0)])


settings = loadgen.TestSettings()
settings.scenario = getattr(loadgen.TestScenario, scenario)
settings.mode = loadgen.TestMode.PerformanceOnly
settings.min_duration_ms = round(1000 * float(seconds))
settings.min_query_count = 1
settings.offline_expected_qps = 1 / statistics.median(warm)
settings.single_stream_expected_latency_ns = round(1e9 * statistics.median(warm))

sut = loadgen.ConstructSUT(issue, lambda: None)
library = loadgen.ConstructQSL(SAMPLES, SAMPLES, lambda _: None, lambda _: None)
loadgen.StartTest(sut, library, settings)
loadgen.DestroyQSL(library)
loadgen.DestroySUT(sut)
