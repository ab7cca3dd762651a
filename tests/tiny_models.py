"""One dense layer, y = relu(x W + b), in every runtime's format; a fixture for TensorFlow Lite."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FIXTURES = Path(__file__).parent / "fixtures" / "models"
WEIGHTS = np.random.default_rng(0).standard_normal((16, 4)).astype("float32")
BIAS = np.array([0.5, -0.5, 0.25, 0.0], dtype="float32")

_EAGER_TEXT = """
import torch

def load(tensors):
    weights, bias = tensors["weights"], tensors["bias"]

    def forward(x):
        return (torch.relu(torch.addmm(bias, x, weights)),)

    return forward
"""


def expected(x: np.ndarray) -> np.ndarray:
    return np.maximum(x @ WEIGHTS + BIAS, 0)


def onnx_file(folder: Path, batch: str | int = "batch", dtype: str = "float32") -> Path:
    import onnx
    from onnx import helper, numpy_helper

    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["t"], name="product"),
        helper.make_node("Add", ["t", "b"], ["a"], name="add"),
        helper.make_node("Relu", ["a"], ["y"], name="relu"),
    ]
    graph = helper.make_graph(
        nodes,
        "dense",
        [helper.make_tensor_value_info("x", kind, [batch, 16])],
        [helper.make_tensor_value_info("y", kind, [batch, 4])],
        [
            numpy_helper.from_array(WEIGHTS.astype(dtype), "w"),
            numpy_helper.from_array(BIAS.astype(dtype), "b"),
        ],
    )
    path = folder / f"dense-{batch}-{dtype}.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path
    )
    return path


def xml_file(folder: Path) -> Path:
    import openvino
    from openvino import opset13 as ops

    x = ops.parameter([-1, 16], np.float32, name="x")
    x.output(0).set_names({"x"})
    y = ops.relu(ops.add(ops.matmul(x, ops.constant(WEIGHTS), False, False), ops.constant(BIAS)))
    y.output(0).set_names({"y"})
    path = folder / "dense.xml"
    openvino.save_model(openvino.Model([y], [x], "dense"), path, compress_to_fp16=False)
    return path


def tflite_file(folder: Path) -> Path:
    """Return the committed two-layer model: it answers other numbers than `expected`."""
    return FIXTURES / "linear.tflite"


def torch_module() -> Any:
    import torch

    module = torch.nn.Sequential(torch.nn.Linear(16, 4), torch.nn.ReLU()).eval()
    module[0].weight.data = torch.from_numpy(np.ascontiguousarray(WEIGHTS.T))
    module[0].bias.data = torch.from_numpy(BIAS.copy())
    return module


def eager_file(folder: Path) -> Path:
    import torch

    path = folder / "model.pt"
    blob = {
        "format": "boardmark-eager-1",
        "source": _EAGER_TEXT,
        "tensors": {"weights": torch.from_numpy(WEIGHTS.copy()), "bias": torch.tensor(BIAS)},
        "inputs": [{"name": "x", "dtype": "float32", "shape": [-1, 16]}],
        "outputs": ["y"],
        "detail": {"variant": "fp32", "precision": "f32", "quantized_nodes": 0, "nodes": 2},
    }
    torch.save(blob, path)
    return path


def pt2_file(folder: Path) -> Path:
    import torch

    batch = torch.export.Dim("batch")
    exported = torch.export.export(
        torch_module(), (torch.zeros(2, 16),), dynamic_shapes=({0: batch},)
    )
    path = folder / "model.pt2"
    torch.export.save(exported, path)
    return path


def script_file(folder: Path) -> Path:
    import torch

    path = folder / "model.ts"
    note = {"inputs": [{"name": "x", "dtype": "float32", "shape": [-1, 16]}], "outputs": ["y"]}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit\.", DeprecationWarning)
        traced = torch.jit.trace(torch_module(), torch.zeros(2, 16))
        torch.jit.save(traced, path, _extra_files={"boardmark.json": json.dumps(note)})
    return path


def null_file(folder: Path) -> Path:
    path = folder / "model.null"
    path.write_text(json.dumps({"latency_us": 10}))
    return path


# The artifact format of a row -> how to make one.
MAKERS: dict[str, Callable[[Path], Path]] = {
    "onnx": onnx_file,
    "xml": xml_file,
    "tflite": tflite_file,
    "torch": eager_file,
    "pt2": pt2_file,
    "torchscript": script_file,
    "null": null_file,
}
