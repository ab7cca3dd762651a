"""What our own machinery costs, as benchmarks: ratios of interleaved pairs."""

from __future__ import annotations

import gc
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backends
from harness.agent import sampling
from harness.transport.local import LocalTransport

# Two identical sessions of one runtime differ by some percent, by where their memory lies.
BUILDS = 9
ROUNDS = 5
CHUNK = 20


def matmul_onnx(folder: Path) -> Path:
    """Write eight chained 512 x 512 products over a 64 x 512 input: a few milliseconds."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(0).normal(0, 0.04, (8, 512, 512)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", [f"h{layer}", f"w{layer}"], [f"h{layer + 1}"])
        for layer in range(8)
    ]
    graph = helper.make_graph(
        nodes,
        "products",
        [helper.make_tensor_value_info("h0", TensorProto.FLOAT, [64, 512])],
        [helper.make_tensor_value_info("h8", TensorProto.FLOAT, [64, 512])],
        [numpy_helper.from_array(weight, f"w{layer}") for layer, weight in enumerate(weights)],
    )
    path = folder / "products.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))
    return path


def matmul_tflite(folder: Path) -> Path:
    """Write the like of it for LiteRT, through its own converter."""
    import litert_torch
    import torch

    torch.manual_seed(0)
    layers = [torch.nn.Linear(512, 512) for _ in range(8)]
    model = torch.nn.Sequential(*layers).eval()
    path = folder / "products.tflite"
    litert_torch.convert(model, (torch.zeros(64, 512),)).export(str(path))
    return path


def bare_onnxruntime(path: Path, value: Any) -> Callable[[], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: value}
    return lambda: session.run(None, feed)


def bare_openvino(path: Path, value: Any) -> Callable[[], Any]:
    import openvino

    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    compiled = openvino.Core().compile_model(str(path), "CPU", settings)
    request = compiled.create_infer_request()
    tensor = openvino.Tensor(value, shared_memory=True)
    return lambda: request.infer({0: tensor}, share_inputs=True)


def bare_tflite(path: Path, value: Any) -> Callable[[], Any]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]

    def infer() -> Any:
        interpreter.set_tensor(source, value)
        interpreter.invoke()
        return interpreter.get_tensor(target)

    return infer


@pytest.mark.parametrize(
    ("name", "build", "bare"),
    [
        ("onnxruntime", matmul_onnx, bare_onnxruntime),
        ("openvino", matmul_onnx, bare_openvino),
        ("tflite", matmul_tflite, bare_tflite),
    ],
)
@pytest.mark.filterwarnings("ignore")  # the converters' own deprecations are not what is measured
def test_our_median_is_within_3_percent_of_a_bare_loop(
    benchmark: Any, tmp_path: Path, name: str, build: Any, bare: Any
) -> None:
    path = build(tmp_path)
    value = np.random.default_rng(1).normal(0, 1, (64, 512)).astype(np.float32)
    options = {"threads": 1, "precision": "f32", "shapes": {}, **backends.TABLE[name]["fixed"]}

    def one_build() -> float:
        session = backends.load(name).open(str(path), options)
        feeds = [session.bind({session.inputs[0]["name"]: value.copy()}) for _ in range(4)]
        call = bare(path, value)
        timed(call, CHUNK)
        sampling.warm_up(session.infer, feeds, CHUNK, 0)
        ratios = []
        for _ in range(ROUNDS):
            rule = sampling.Rule(max_samples=CHUNK, budget_s=60)
            ours = sampling.sample(session.infer, feeds, rule).samples_ns
            ratios.append(statistics.median(ours) / statistics.median(timed(call, CHUNK)))
        session.close()
        return statistics.median(ratios)

    ratios = [one_build() for _ in range(BUILDS)]
    benchmark.extra_info["ratio_to_bare_loop"] = statistics.median(ratios)
    benchmark.pedantic(one_build, rounds=1)
    assert statistics.median(ratios) == pytest.approx(1, abs=0.03)


def timed(call: Callable[[], Any], count: int) -> list[int]:
    durations = []
    gc.disable()
    for _ in range(count):
        start = time.perf_counter_ns()
        call()
        durations.append(time.perf_counter_ns() - start)
    gc.enable()
    return durations


def test_a_timed_iteration_costs_under_a_microsecond(benchmark: Any) -> None:
    def nothing(_: object) -> None:
        pass

    count = 100_000

    def loop() -> float:
        # Always precise enough, never long enough: each look is taken and asks both questions.
        rule = sampling.Rule(max_samples=count, min_s=60, budget_s=60, precision=math.inf)
        began = time.process_time()
        timing = sampling.sample(nothing, [0, 1, 2], rule)
        cpu_s = time.process_time() - began
        return cpu_s / (len(timing.warmup_ns) + len(timing.samples_ns))

    seconds = [loop() for _ in range(5)]
    own_ns = statistics.median(seconds) * 1e9
    benchmark.extra_info["ns_per_iteration"] = own_ns
    benchmark.pedantic(loop, rounds=3)
    assert own_ns < 1000


def test_desk_and_supervisor_sleep_while_samples_are_taken(benchmark: Any, tmp_path: Path) -> None:
    script = tmp_path / "model.null"
    script.write_text(json.dumps({"latency_us": 5000}))
    request = {
        "op": "run", "backend": "null", "artifact": str(script), "options": {}, "seed": 0,
        "inputs": [{"name": "x", "dtype": "float32", "shape": [1]}],
        "sampling": {"warmup_calls": 1, "warmup_s": 0, "min_samples": 5, "budget_s": 5.0},
    }  # fmt: skip
    transport = LocalTransport(tmp_path)
    transport.identify()

    def run() -> float:
        before = cpu_s(os.getpid()) + cpu_s(transport.process.pid)
        start = time.monotonic()
        *_, last = transport.run(request)
        wall_s = time.monotonic() - start
        assert last["status"] == "ok"
        return (cpu_s(os.getpid()) + cpu_s(transport.process.pid) - before) / wall_s

    share = benchmark.pedantic(run, rounds=1)
    transport.close()
    benchmark.extra_info["share_of_one_core"] = share
    assert share < 0.02


def cpu_s(pid: int) -> float:
    """Return user and system seconds of one process, its children not counted."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_help_takes_at_most_three_times_the_import_of_argparse(benchmark: Any) -> None:
    boardmark = [str(Path(sys.executable).with_name("boardmark")), "--help"]
    argparse = [sys.executable, "-c", "import argparse"]

    def wall_s(command: list[str]) -> float:
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start

    ratios = [wall_s(boardmark) / wall_s(argparse) for _ in range(15)]
    benchmark.extra_info["ratio_to_import_argparse"] = statistics.median(ratios)
    benchmark.pedantic(wall_s, args=(boardmark,), rounds=5)
    assert statistics.median(ratios) <= 3
