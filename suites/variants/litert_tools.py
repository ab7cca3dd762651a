"""LiteRT variants: litert-torch converts the torch model, ai-edge-quantizer makes the rest.

The converted graph has the shapes the model is measured with, at batch 1: LiteRT plans its memory
for fixed shapes. A user's `.tflite` is taken as it is. Token ids are int32 in converted files.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.types import Model
from suites.variants import Built, Material, Unsupported
from suites.variants.calibration import samples
from suites.variants.quiet import first_line, quietly
from suites.variants.torch_program import loaded

FORMAT = "tflite"
PACKAGES = ("litert-torch", "ai-edge-quantizer", "ai-edge-litert", "torch")
REVISION = 1

BLOCK = 32
Recipe = list[dict[str, Any]]

# Converting takes seconds and all variants of a model start from the same bytes, so the last ones
# are kept.
_CONVERTED: list[tuple[Model, bytes]] = []


def build(variant: str, material: Material, out: Path) -> Built:
    """Write `model.tflite`; raises Unsupported with the reason."""
    path = out / "model.tflite"
    with quietly():
        content = _read(material.tflite) if material.tflite else _converted(material)
        if variant == "fp32":
            path.write_bytes(content)
            return Built(path)
        kinds = _operators(content)
        try:
            recipe, notes = RECIPES[variant](kinds)
            made = _quantized(content, recipe, material if variant == "int8-static" else None)
        except (NotImplementedError, ValueError) as error:
            reason = f"ai-edge-quantizer refuses this model: {first_line(error)}"
            raise Unsupported(reason) from error
        if _tensor_types(made) == _tensor_types(content):
            raise Unsupported(f"ai-edge-quantizer finds nothing in this model to make {variant}")
        path.write_bytes(made)
    return Built(path, notes)


def _read(path: Path) -> bytes:
    from ai_edge_litert.interpreter import Interpreter

    try:
        Interpreter(model_path=str(path))
    except (ValueError, RuntimeError) as error:
        raise UsageError(
            f"LiteRT cannot read '{path}': {first_line(error)}", "convert the model again"
        ) from error
    return path.read_bytes()


def _converted(material: Material) -> bytes:
    """Return the torch model as a FP32 flatbuffer with the measured shapes, batch 1."""
    if material.torch_program is None:
        raise Unsupported("this model has neither a torch module nor a .tflite file to start from")
    if not _CONVERTED or _CONVERTED[0][0] != material.model:
        _CONVERTED.clear()
        program = loaded(material)
        shapes = {spec.name: spec.shape for spec in material.model.inputs}
        example = {
            name: _example(value, shapes.get(name, value.shape))
            for name, value in program.example.items()
        }
        _CONVERTED.append((material.model, _convert(program.module, example)))
    return _CONVERTED[0][1]


def _example(value: Any, shape: tuple[int, ...]) -> Any:
    """Return the example's values repeated or cut to `shape`, at batch 1."""
    import numpy as np
    import torch

    sizes = (1, *shape[1:])
    return torch.from_numpy(np.resize(value[:1].numpy(), sizes))


def _convert(module: Any, example: dict[str, Any]) -> bytes:
    import tempfile

    import litert_torch
    import torch

    try:
        with torch.no_grad():
            model = litert_torch.convert(module, sample_kwargs=example)
    except (NotImplementedError, RuntimeError, ValueError, TypeError) as error:
        reason = f"litert-torch cannot convert this model: {first_line(error)}"
        raise Unsupported(reason) from error
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model.tflite"
        model.export(str(path))
        return path.read_bytes()


def _quantized(content: bytes, recipe: Recipe, material: Material | None) -> bytes:
    """Run the quantizer; `material` is given where activation ranges are needed."""
    from ai_edge_quantizer.quantizer import Quantizer

    quantizer = Quantizer(content, recipe)
    found = None
    if material is not None:
        found = quantizer.calibrate(_samples(content, material), num_threads=2)
    result = quantizer.quantize(found, enable_progress_bar=False, enable_progress_report=False)
    return bytes(result.quantized_model)


def _samples(content: bytes, material: Material) -> dict[str, list[dict[str, Any]]]:
    """Return {signature: samples} in the file's own dtypes and batch."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content)
    signatures = interpreter.get_signature_list()
    if not signatures:
        raise Unsupported("the .tflite file has no signature, which calibration needs")
    key = next(iter(signatures))
    details = interpreter.get_signature_runner(key).get_input_details()
    rows = [
        {
            name: np.resize(sample[name], tuple(entry["shape"])).astype(entry["dtype"])
            for name, entry in details.items()
        }
        for sample in samples(material, {})
    ]
    return {key: rows}


def _operators(content: bytes) -> set[str]:
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils as flatbuffer

    codes = [code.builtinCode for code in flatbuffer.read_model(content).operatorCodes]
    return {
        flatbuffer.TFL_OP_CODE_TO_NAME[c].name for c in codes if c in flatbuffer.TFL_OP_CODE_TO_NAME
    }


def _tensor_types(content: bytes) -> dict[int, int]:
    """Count the tensors of each element type."""
    from collections import Counter

    from ai_edge_quantizer.utils import tfl_flatbuffer_utils as flatbuffer

    graphs = flatbuffer.read_model(content).subgraphs
    return dict(Counter(tensor.type for graph in graphs for tensor in graph.tensors))


def _fp16(_: set[str]) -> tuple[Recipe, tuple[str, ...]]:
    from ai_edge_quantizer import qtyping
    from ai_edge_quantizer.algorithm_manager import AlgorithmName
    from ai_edge_quantizer.recipe_manager import RecipeManager

    recipes = RecipeManager()
    weights = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
    recipes.add_quantization_config(
        regex=".*",
        operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
        op_config=qtyping.OpQuantizationConfig(
            weight_tensor_config=weights,
            compute_precision=qtyping.ComputePrecision.FLOAT,
            explicit_dequantize=True,
        ),
        algorithm_key=AlgorithmName.FLOAT_CASTING,
    )
    return recipes.get_quantization_recipe(), (
        "weights stored float16, unpacked to float32 unless the CPU has FP16 arithmetic",
    )


def _int8_dynamic(_: set[str]) -> tuple[Recipe, tuple[str, ...]]:
    from ai_edge_quantizer import recipe

    return recipe.dynamic_wi8_afp32(), ("weights int8 per channel, inputs quantized at run time",)


def _int8_static(kinds: set[str]) -> tuple[Recipe, tuple[str, ...]]:
    """Quantize everything, or layers alone where attention's outliers would cost the quality."""
    from ai_edge_quantizer.algorithm_manager import AlgorithmName
    from ai_edge_quantizer.qtyping import TFLOperationName
    from ai_edge_quantizer.recipe_manager import RecipeManager

    attention = "BATCH_MATMUL" in kinds
    layers = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D")
    recipes = RecipeManager()
    for kind in layers if attention else ("ALL_SUPPORTED",):
        recipes.add_static_config(
            regex=".*",
            operation_name=TFLOperationName[kind],
            activation_num_bits=8,
            weight_num_bits=8,
        )
    recipes.add_weight_only_config(
        regex=".*", operation_name=TFLOperationName.EMBEDDING_LOOKUP, num_bits=8
    )
    # callers keep giving and taking float32, as with every other variant
    for edge in (TFLOperationName.INPUT, TFLOperationName.OUTPUT):
        recipes.add_quantization_config(
            regex=".*", operation_name=edge, algorithm_key=AlgorithmName.NO_QUANTIZE
        )
    part = "linear and convolution layers" if attention else "all operators"
    rest = ", attention and normalisation float32" if attention else ""
    return recipes.get_quantization_recipe(), (f"{part} int8, float32 at the edges{rest}",)


def _int4(kinds: set[str]) -> tuple[Recipe, tuple[str, ...]]:
    from ai_edge_quantizer.qtyping import QuantGranularity, TFLOperationName
    from ai_edge_quantizer.recipe_manager import RecipeManager

    if "FULLY_CONNECTED" not in kinds:
        raise Unsupported("LiteRT's int4 is for linear layers, and this model has none")
    recipes = RecipeManager()
    recipes.add_dynamic_config(
        regex=".*",
        operation_name=TFLOperationName.FULLY_CONNECTED,
        num_bits=4,
        granularity=QuantGranularity.BLOCKWISE_32,
    )
    recipes.add_weight_only_config(
        regex=".*", operation_name=TFLOperationName.EMBEDDING_LOOKUP, num_bits=8
    )
    tables = ("embedding tables int8",) if "EMBEDDING_LOOKUP" in kinds else ()
    return recipes.get_quantization_recipe(), (
        f"linear layers: weights int4 in blocks of {BLOCK}, inputs quantized at run time",
        *tables,
    )


RECIPES: dict[str, Callable[[set[str]], tuple[Recipe, tuple[str, ...]]]] = {
    "fp16": _fp16,
    "int8-dynamic": _int8_dynamic,
    "int8-static": _int8_static,
    "int4": _int4,
}
