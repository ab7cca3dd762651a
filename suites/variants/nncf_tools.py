"""OpenVINO variants: IR written by OpenVINO, compressed and quantized by NNCF."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from suites.variants import Built, Material, Unsupported
from suites.variants.calibration import samples
from suites.variants.quiet import first_line, quietly

FORMAT = "xml"
PACKAGES = ("openvino", "nncf")
REVISION = 2

GROUP = 32
# what a constant passes on its way into a product without ceasing to be one
_THROUGH = {"Convert", "Reshape", "Transpose", "Multiply", "Subtract", "Unsqueeze", "FakeQuantize"}


def build(variant: str, material: Material, out: Path) -> Built:
    """Write `model.xml` and `model.bin`; raises Unsupported with the reason."""
    path = out / "model.xml"
    with quietly():
        os.environ["NNCF_CI"] = "1"  # read when nncf is imported: it then reports to nobody
        import openvino

        model, notes = MAKERS[variant](_read(material), material)
        openvino.save_model(model, str(path), compress_to_fp16=variant == "fp16")
    return Built(path, notes)


def _read(material: Material) -> Any:
    import openvino

    source = material.xml or material.onnx
    if source is None:
        raise Unsupported("this model has neither an OpenVINO nor an ONNX form to start from")
    try:
        return openvino.Core().read_model(str(source))
    except RuntimeError as error:
        if material.xml is None:
            raise Unsupported(f"OpenVINO cannot read the ONNX model: {_reason(error)}") from error
        raise UsageError(
            f"OpenVINO cannot read '{source}': {_reason(error)}", "export the model again"
        ) from error


def _fp32(model: Any, _: Material) -> tuple[Any, tuple[str, ...]]:
    return model, ()


def _fp16(model: Any, _: Material) -> tuple[Any, tuple[str, ...]]:
    return model, ("weights stored float16",)


def _int8_dynamic(model: Any, _: Material) -> tuple[Any, tuple[str, ...]]:
    import nncf

    compressed = _compress(model, mode=nncf.CompressWeightsMode.INT8_SYM)
    layers = _constants(compressed, "i8", "u8")
    if not layers:
        raise Unsupported("NNCF found no weights to compress in this model")
    return compressed, (
        f"{layers} weights int8 per channel",
        "the CPU plugin quantizes inputs of matrix products at run time where the CPU supports it "
        "(DYNAMIC_QUANTIZATION_GROUP_SIZE), else computes in float",
    )


def _int8_static(model: Any, material: Material) -> tuple[Any, tuple[str, ...]]:
    import nncf

    data = samples(material, _batches(model))
    attention = _has_attention(model)
    kind = nncf.ModelType.TRANSFORMER if attention else None
    try:
        quantized = nncf.quantize(model, nncf.Dataset(data), subset_size=len(data), model_type=kind)
    except (nncf.UnsupportedModelError, nncf.ValidationError) as error:
        raise Unsupported(f"NNCF refuses this model: {_reason(error)}") from error
    if not any(op.get_type_name() == "FakeQuantize" for op in quantized.get_ops()):
        raise Unsupported("NNCF found no layer to quantize in this model")
    scheme = "transformer scheme" if attention else "default scheme"
    return quantized, (f"int8, ranges from {len(data)} samples, {scheme}",)


def _int4(model: Any, _: Material) -> tuple[Any, tuple[str, ...]]:
    import nncf
    from nncf.quantization.advanced_parameters import (
        AdvancedCompressionParameters,
        GroupSizeFallbackMode,
    )

    compressed = _compress(
        model,
        mode=nncf.CompressWeightsMode.INT4_ASYM,
        group_size=GROUP,
        ratio=1.0,
        advanced_parameters=AdvancedCompressionParameters(
            group_size_fallback_mode=GroupSizeFallbackMode.ADJUST, min_adjusted_group_size=16
        ),
    )
    layers = _constants(compressed, "i4", "u4")
    if not layers:
        raise Unsupported(
            "no layer of this model takes int4 weights: NNCF keeps the last one and tables in int8"
        )
    return compressed, (f"{layers} weights int4 in groups of {GROUP}, the others int8",)


def _batches(model: Any) -> dict[str, int]:
    """Return the fixed batch of each input, 1 where it is open."""
    shapes = {value.any_name: value.partial_shape for value in model.inputs}
    return {
        name: shape[0].get_length()
        for name, shape in shapes.items()
        if shape.rank.is_static and len(shape) and shape[0].is_static
    }


def _compress(model: Any, **options: Any) -> Any:
    import nncf

    try:
        return nncf.compress_weights(model, **options)
    except (nncf.UnsupportedModelError, nncf.ValidationError, nncf.InvalidGroupSizeError) as error:
        raise Unsupported(f"NNCF refuses this model: {_reason(error)}") from error


def _constants(model: Any, *types: str) -> int:
    """Count the weights of these element types, without their zero points."""
    return sum(
        op.get_type_name() == "Constant"
        and op.get_element_type().get_type_name() in types
        and len(op.get_output_shape(0)) > 1
        and "zero_point" not in op.get_friendly_name()
        for op in model.get_ops()
    )


def _has_attention(model: Any) -> bool:
    """Tell whether two computed values are multiplied as matrices, which is what attention does."""
    return any(
        op.get_type_name() == "ScaledDotProductAttention"
        or (
            op.get_type_name() == "MatMul"
            and all(_computed(value.get_source_output().get_node()) for value in op.inputs())
        )
        for op in model.get_ops()
    )


def _computed(node: Any) -> bool:
    if node.get_type_name() == "Constant":
        return False
    if node.get_type_name() in _THROUGH:
        return any(_computed(value.get_source_output().get_node()) for value in node.inputs())
    return True


def _reason(error: Exception) -> str:
    """Return what OpenVINO means: its exceptions open with the places in its own source files."""
    lines = [
        line for line in str(error).splitlines() if line.strip() and "Exception from" not in line
    ]
    return first_line(RuntimeError("\n".join(lines[-1:] or [str(error)])))


MAKERS = {
    "fp32": _fp32,
    "fp16": _fp16,
    "int8-dynamic": _int8_dynamic,
    "int8-static": _int8_static,
    "int4": _int4,
}
