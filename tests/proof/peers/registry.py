"""Every tool of the comparison; the bare loops come first because the others are held to them."""

from __future__ import annotations

from . import (
    bare,
    litert_benchmark,
    loadgen,
    openvino_app,
    optimum,
    ours,
    pytest_bench,
    torch_timer,
)
from .records import Peer

_ORT, _OV, _LITERT = "bare onnxruntime", "bare openvino", "bare litert"
_TORCH, _HUB = "bare torch", "bare transformers"

PEERS = (
    Peer(_ORT, "onnxruntime", bare, "onnxruntime", None),
    Peer(_OV, "openvino", bare, "openvino", None),
    Peer(_LITERT, "litert", bare, "litert", None),
    Peer(_TORCH, "torchscript", bare, "torch", None),
    Peer(_HUB, "torch eager", bare, "transformers", None),
    Peer("boardmark", "onnxruntime", ours, "onnxruntime", _ORT),
    Peer("benchmark_app", "openvino", openvino_app, "", _OV),
    Peer("litert-benchmark", "litert", litert_benchmark, "own", _LITERT),
    Peer("litert-benchmark, other ids", "litert", litert_benchmark, "ids", _LITERT),
    Peer("torch.utils.benchmark", "torchscript", torch_timer, "", _TORCH),
    Peer("pytest-benchmark", "onnxruntime", pytest_bench, "", _ORT),
    Peer("LoadGen SingleStream", "onnxruntime", loadgen, "SingleStream", _ORT),
    Peer("LoadGen Offline", "onnxruntime", loadgen, "Offline", _ORT),
    Peer("optimum-benchmark", "torch eager", optimum, "", _HUB),
)
