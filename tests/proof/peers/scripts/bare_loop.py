"""A bare loop: load, warm up, time calls for some seconds, print the median.

python bare_loop.py RUNTIME MODEL THREADS SECONDS NAME=FILE.npy ...

The raw durations go to samples.json in the current folder.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

Feed = dict[str, Any]
Call = Callable[[], Any]

WARMUP_CALLS = 10
WARMUP_S = 0.5


def onnxruntime(model: str, threads: int, feed: Feed) -> Call:
    import onnxruntime as runtime

    settings = runtime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    session = runtime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, feed)


def openvino(model: str, threads: int, feed: Feed) -> Call:
    import openvino as runtime

    core = runtime.Core()
    network = core.read_model(model)
    network.reshape({name: list(array.shape) for name, array in feed.items()})
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = core.compile_model(network, "CPU", settings).create_infer_request()
    return lambda: request.infer(feed, share_inputs=True)


def litert(model: str, threads: int, feed: Feed) -> Call:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=model, num_threads=threads)
    interpreter.allocate_tensors()
    details = sorted(interpreter.get_input_details(), key=lambda entry: entry["name"])
    # the converter numbers the inputs in the order of the program's arguments
    arrays = [
        (entry["index"], array.astype(entry["dtype"]))
        for entry, array in zip(details, feed.values(), strict=True)
    ]
    output = interpreter.get_output_details()[0]["index"]

    def call() -> Any:
        for index, array in arrays:
            interpreter.set_tensor(index, array)
        interpreter.invoke()
        return interpreter.get_tensor(output)

    return call


def torch(model: str, threads: int, feed: Feed) -> Call:
    import torch as runtime

    runtime.set_num_threads(threads)
    runtime.set_grad_enabled(False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        module = runtime.jit.load(model)
    tensors = [runtime.from_numpy(array) for array in feed.values()]
    return lambda: module(*tensors)


def transformers(model: str, threads: int, feed: Feed) -> Call:
    """Load what optimum-benchmark loads, and feed it what that feeds."""
    import torch as runtime
    from transformers import AutoModel

    runtime.set_num_threads(threads)
    runtime.set_grad_enabled(False)
    module = AutoModel.from_pretrained(model, local_files_only=True).eval()
    tensors = {name: runtime.from_numpy(array) for name, array in feed.items()}
    length = tensors["input_ids"].shape[1]
    tensors["token_type_ids"] = runtime.zeros_like(tensors["input_ids"])
    tensors["position_ids"] = runtime.arange(length).unsqueeze(0)
    return lambda: module(**tensors)


RUNTIMES = {
    "onnxruntime": onnxruntime,
    "openvino": openvino,
    "litert": litert,
    "torch": torch,
    "transformers": transformers,
}


def main(words: list[str]) -> None:
    runtime, model, threads, seconds, *inputs = words
    pairs = (word.split("=", 1) for word in inputs)
    feed = {name: np.load(path) for name, path in pairs}
    call = RUNTIMES[runtime](model, int(threads), feed)
    clock = time.perf_counter_ns
    began = time.monotonic()
    calls = 0
    while calls < WARMUP_CALLS or time.monotonic() - began < WARMUP_S:
        call()
        calls += 1
    samples = []
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        before = clock()
        call()
        samples.append(clock() - before)
    with open("samples.json", "w", encoding="utf-8") as stream:  # noqa: PTH123
        json.dump(samples, stream)
    print(f"median {statistics.median(samples) / 1e6:.4f} ms of {len(samples)} calls")


if __name__ == "__main__":
    main(sys.argv[1:])
