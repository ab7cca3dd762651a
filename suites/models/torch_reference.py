"""What every torch model of the zoo shares: the base ONNX export and the FP32 reference outputs."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

from suites.variants import TorchProgram


def export_onnx(program: TorchProgram, path: Path) -> None:
    """Write `program` as one ONNX file with its open dimensions, by torch's own exporter.

    Raises ImportError where onnx or onnxscript is not installed.
    """
    import onnxscript  # noqa: F401  its absence must show here, not deep inside the exporter
    import torch

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # the exporter warns of torch's own deprecations: nothing to act on
        warnings.simplefilter("ignore")
        exported = torch.onnx.export(
            program.module,
            tuple(program.example.values()),
            dynamo=True,
            dynamic_shapes=program.dynamic_shapes,
            input_names=list(program.example),
            output_names=list(program.output_names),
            external_data=False,
            verbose=False,
        )
    if exported is None:
        raise RuntimeError("the ONNX exporter returned nothing")
    save_onnx(exported, path)


def save_onnx(exported: Any, path: Path) -> None:
    """Write what torch.onnx.export returned as one file, without the shapes it records of weights.

    A quantizer that transposes a weight would contradict such a record, and nothing needs it: a
    weight carries its own shape.
    """
    import onnx

    proto = exported.model_proto
    weights = {tensor.name for tensor in proto.graph.initializer}
    kept = [value for value in proto.graph.value_info if value.name not in weights]
    del proto.graph.value_info[:]
    proto.graph.value_info.extend(kept)
    onnx.save(proto, path)


def run_reference(program: TorchProgram, inputs: dict[str, Any], batch: int = 32) -> dict[str, Any]:
    """Return the FP32 outputs of `inputs`, both {name: array [n, ...]}, computed in batches."""
    import numpy as np
    import torch

    count = len(next(iter(inputs.values())))
    parts: list[list[Any]] = [[] for _ in program.output_names]
    with torch.inference_mode():
        for start in range(0, count, batch):
            feed = [
                torch.from_numpy(np.ascontiguousarray(inputs[name][start : start + batch]))
                for name in program.example
            ]
            result = program.module(*feed)
            outputs = result if isinstance(result, (tuple, list)) else (result,)
            for part, output in zip(parts, outputs, strict=True):
                part.append(output.numpy())
    return {
        name: np.concatenate(part) for name, part in zip(program.output_names, parts, strict=True)
    }
