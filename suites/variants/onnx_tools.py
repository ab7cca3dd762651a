"""ONNX variants by ONNX Runtime's own quantization tools.

Weights are int8 per channel, activations asymmetric uint8 (U8S8, what ONNX Runtime advises for x86
with VNNI and for Arm; x86 without VNNI may saturate, which the measured quality then shows). The
outputs of matrix products stay float where a model has attention: their outliers would cost most of
the quality. Embedding tables are int8 in every integer variant.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from suites.variants import Built, Material, Unsupported
from suites.variants.calibration import samples
from suites.variants.quiet import first_line, quietly

FORMAT = "onnx"
PACKAGES = ("onnx", "onnxruntime")
REVISION = 2

BLOCK = 32
QUANTIZED = {"QuantizeLinear", "DequantizeLinear", "MatMulInteger", "ConvInteger", "MatMulNBits"}
DYNAMIC_OPS = ["MatMul", "Gemm", "Gather", "LSTM", "Attention", "EmbedLayerNormalization"]
ATTENTION_OPS = ["MatMul", "Gemm", "Conv", "Gather"]
LIMIT_BYTES = 1_900_000_000  # protobuf ends at 2 GB; larger weights go beside the file


def build(variant: str, material: Material, out: Path) -> Built:
    """Write `model.onnx`, `model.onnx.data` above 1.9 GB; raises Unsupported with the reason."""
    if material.onnx is None:
        raise Unsupported("this model has no ONNX form to start from")
    path = out / "model.onnx"
    with quietly():
        model = _checked(material.onnx)
        if variant == "fp32":
            return Built(path, _copy(model, material.onnx, path))
        if QUANTIZED & {node.op_type for node in model.graph.node}:
            raise Unsupported("the model is quantized already; give its float32 form")
        try:
            return Built(path, MAKERS[variant](material, path))
        except (NotImplementedError, ValueError) as error:
            raise Unsupported(
                f"ONNX Runtime's tools refuse this model: {first_line(error)}"
            ) from error


def _checked(path: Path) -> Any:
    import onnx

    try:
        onnx.checker.check_model(str(path))
        return onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf, onnx and the file system each have their own types
        raise UsageError(
            f"cannot read the ONNX model '{path}': {first_line(error)}", "export it again"
        ) from error


def _copy(model: Any, source: Path, path: Path) -> tuple[str, ...]:
    import onnx

    if _has_outside(model):
        _save(onnx.load(str(source)), path)
    else:
        shutil.copyfile(source, path)
    held = sorted(QUANTIZED & {node.op_type for node in model.graph.node})
    return (f"the file as given; it contains {', '.join(held)}",) if held else ()


def _has_outside(model: Any) -> bool:
    """Tell whether weights lie beside the file."""
    return any(tensor.data_location for tensor in model.graph.initializer)


def _save(model: Any, path: Path) -> None:
    import onnx

    outside = sum(len(tensor.raw_data) for tensor in model.graph.initializer) > LIMIT_BYTES
    onnx.save(
        model,
        str(path),
        save_as_external_data=outside,
        location=f"{path.name}.data" if outside else None,
    )


def _prepared(source: Path, directory: str) -> tuple[Path, tuple[str, ...]]:
    """Return the model with shapes inferred and constants folded, where that succeeds."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    ready = Path(directory) / "prepared.onnx"
    if _has_outside(onnx.load(str(source), load_external_data=False)):
        whole = Path(directory) / "whole.onnx"  # its tools look for the weights beside their copy
        _save(onnx.load(str(source)), whole)
        source = whole
    try:
        # symbolic inference fails on what torch exports, and the optimizer's shapes do as well
        quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
    except Exception as error:  # a bare Exception is what it raises
        return source, (f"without ONNX Runtime's preprocessing: {first_line(error)}",)
    _forget_weight_shapes(ready)
    return ready, ()


def _forget_weight_shapes(path: Path) -> None:
    """Drop declared shapes of weights: the quantizer transposes some and would contradict them."""
    import onnx

    model = onnx.load(str(path))
    weights = {tensor.name for tensor in model.graph.initializer}
    kept = [entry for entry in model.graph.value_info if entry.name not in weights]
    if len(kept) < len(model.graph.value_info):
        del model.graph.value_info[:]
        model.graph.value_info.extend(kept)
        _save(model, path)


def _fp16(material: Material, path: Path) -> tuple[str, ...]:
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with tempfile.TemporaryDirectory() as directory:
        ready, notes = _prepared(_onnx(material), directory)
        _save(convert_float_to_float16(onnx.load(str(ready)), keep_io_types=True), path)
    return (
        "weights float16; the CPU provider computes in float32 where it has no FP16 kernel",
        *notes,
    )


def _int8_dynamic(material: Material, path: Path) -> tuple[str, ...]:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as directory:
        ready, notes = _prepared(_onnx(material), directory)
        quantize_dynamic(
            str(ready),
            str(path),
            op_types_to_quantize=DYNAMIC_OPS,
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )
    layers = _count(path, "MatMulInteger", "DynamicQuantizeLSTM", "QAttention")
    if not layers:
        raise Unsupported("no matrix product has constant weights; convolutions need int8-static")
    return (f"{layers} products: weights int8 per channel, inputs quantized at run time", *notes)


def _int8_static(material: Material, path: Path) -> tuple[str, ...]:
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    with tempfile.TemporaryDirectory() as directory:
        ready, notes = _prepared(_onnx(material), directory)
        model = onnx.load(str(ready))
        attention = _has_attention(model)
        data = samples(material, _batches(model))
        options: dict[str, Any] = {"MatMulConstBOnly": True}
        if attention:
            options["OpTypesToExcludeOutputQuantization"] = ["MatMul", "Gemm"]
        quantize_static(
            str(ready),
            str(path),
            _reader(data),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=ATTENTION_OPS if attention else None,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options=options,
        )
    if not _count(path, "QuantizeLinear"):
        raise Unsupported("no layer of this model can be quantized statically")
    kept = ("attention and normalisation float32",) if attention else ()
    return (f"weights int8 per channel, activation ranges from {len(data)} samples", *kept, *notes)


def _int4(material: Material, path: Path) -> tuple[str, ...]:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
    from onnxruntime.quantization.onnx_model import ONNXModel

    with tempfile.TemporaryDirectory() as directory:
        ready, notes = _prepared(_onnx(material), directory)
        model = ONNXModel(onnx.load(str(ready)))
        model.replace_gemm_with_matmul()
        quantizer = MatMulNBitsQuantizer(
            model.model, bits=4, block_size=BLOCK, is_symmetric=False, accuracy_level=4
        )
        quantizer.process()
        narrow = Path(directory) / "int4.onnx"
        _save(quantizer.model.model, narrow)
        layers = _count(narrow, "MatMulNBits")
        if not layers:
            raise Unsupported("no matrix product has constant weights, and int4 is for those alone")
        quantize_dynamic(
            str(narrow), str(path), op_types_to_quantize=["Gather"], weight_type=QuantType.QInt8
        )
    tables = _count(path, "DequantizeLinear")
    kept = (f"{tables} embedding tables int8",) if tables else ()
    return (
        f"{layers} products: weights int4 in blocks of {BLOCK}, computed in int8",
        *kept,
        *notes,
    )


def _onnx(material: Material) -> Path:
    assert material.onnx is not None  # build() looked  # noqa: S101
    return material.onnx


def _count(path: Path, *kinds: str) -> int:
    import onnx

    graph = onnx.load(str(path), load_external_data=False).graph
    return sum(node.op_type in kinds for node in graph.node)


def _has_attention(model: Any) -> bool:
    """Tell whether two computed values are multiplied as matrices, which is what attention does."""
    constant = {tensor.name for tensor in model.graph.initializer}
    constant |= {
        name for node in model.graph.node if node.op_type == "Constant" for name in node.output
    }
    return any(
        node.op_type == "MatMul" and not constant & set(node.input) for node in model.graph.node
    )


def _batches(model: Any) -> dict[str, int]:
    """Return the fixed batch of each input, 1 where it is open."""
    held = {tensor.name for tensor in model.graph.initializer}
    return {
        entry.name: max(1, entry.type.tensor_type.shape.dim[0].dim_value)
        for entry in model.graph.input
        if entry.name not in held and entry.type.tensor_type.shape.dim
    }


def _reader(data: list[dict[str, Any]]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    rows = iter(data)

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime is untyped
        def get_next(self) -> Any:
            return next(rows, None)

    return Reader()


MAKERS = {
    "fp16": _fp16,
    "int8-dynamic": _int8_dynamic,
    "int8-static": _int8_static,
    "int4": _int4,
}
