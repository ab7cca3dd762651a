"""Modules that stand in for float ones where a model is traced or exported; imported with torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from suites.variants.torch_layers import Range, int8_channels

LEVELS = 127  # 7 bits: a script cannot ask its CPU whether int8 products overflow 16 bits there


class Edges(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """A float16 model that takes and gives float32."""

    def __init__(self, module: Any) -> None:
        """Wrap a module whose parameters are float16."""
        super().__init__()
        self.module = module

    def forward(self, *values: Any) -> Any:
        """Return the outputs of the inputs, cast at both edges."""
        inputs = [v.half() if v.is_floating_point() else v for v in values]
        result = self.module(*inputs)
        many = isinstance(result, tuple | list)
        cast = tuple(
            v.float() if v.is_floating_point() else v for v in (result if many else [result])
        )
        return cast if many else cast[0]


class DynamicLinear(torch.nn.Module):  # type: ignore[misc]
    """A linear layer with int8 weights that quantizes its input as it comes."""

    def __init__(self, layer: Any) -> None:
        """Pack the weights of `layer`."""
        super().__init__()
        self.packed = torch.ops.quantized.linear_prepack(channels(layer), layer.bias)

    def forward(self, x: Any) -> Any:
        """Return the products in float32."""
        return torch.ops.quantized.linear_dynamic(x, self.packed, True)


class StaticLinear(torch.nn.Module):  # type: ignore[misc]
    """A linear layer with int8 weights and a calibrated input range."""

    def __init__(self, layer: Any, inputs: Range) -> None:
        """Pack the weights of `layer`; `inputs` is the range seen in calibration."""
        super().__init__()
        self.packed = torch.ops.quantized.linear_prepack(channels(layer), layer.bias)
        self.scale, self.zero_point = quantization(inputs)

    def forward(self, x: Any) -> Any:
        """Return the products in float32."""
        call = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32
        return call(x, self.scale, self.zero_point, self.packed)


class StaticConv2d(torch.nn.Module):  # type: ignore[misc]
    """A 2-D convolution with int8 weights and calibrated ranges of input and output."""

    def __init__(self, layer: Any, inputs: Range, outputs: Range) -> None:
        """Pack the weights of `layer`; the ranges are those seen in calibration."""
        super().__init__()
        geometry = layer.stride, layer.padding, layer.dilation, layer.groups
        pack = torch.ops.quantized.conv2d_prepack
        self.packed = pack(channels(layer), layer.bias, *geometry)
        self.inputs, self.outputs = quantization(inputs), quantization(outputs)

    def forward(self, x: Any) -> Any:
        """Return the convolution in float32."""
        x = torch.quantize_per_tensor(x, self.inputs[0], self.inputs[1], torch.quint8)
        return torch.ops.quantized.conv2d(x, self.packed, *self.outputs).dequantize()


class Int8Embedding(torch.nn.Module):  # type: ignore[misc]
    """An embedding table of int8 rows with a scale each."""

    def __init__(self, layer: Any) -> None:
        """Quantize the rows of `layer`."""
        super().__init__()
        rows, scales = int8_channels(layer.weight)
        self.register_buffer("rows", rows)
        self.register_buffer("scales", scales.float()[:, None])

    def forward(self, indices: Any) -> Any:
        """Return the rows in float32."""
        rows = torch.nn.functional.embedding(indices, self.rows).float()
        return rows * torch.nn.functional.embedding(indices, self.scales)


def channels(layer: Any) -> Any:
    """Return the weight of `layer` as torch's int8 tensor with a scale per output channel."""
    weight, scales = int8_channels(layer.weight)
    zeros = torch.zeros(len(scales), dtype=torch.long)
    return torch._make_per_channel_quantized_tensor(weight, scales, zeros, 0)


def quantization(span: Range) -> tuple[float, int]:
    """Return (scale, zero point) of quint8 in 7 bits for values in `span`, zero included."""
    low, high = min(span[0], 0.0), max(span[1], 0.0)
    scale = max((high - low) / LEVELS, 1e-8)
    return scale, int(min(max(round(-low / scale), 0), LEVELS))


def swap(module: Any, make: Callable[[str, Any], Any | None], prefix: str = "") -> int:
    """Put what `make(name, child)` returns, unless None, in each child's place; counts them."""
    count = 0
    for name, child in list(module.named_children()):
        path = f"{prefix}{name}"
        made = make(path, child)
        if made is None:
            count += swap(child, make, f"{path}.")
        else:
            setattr(module, name, made)
            count += 1
    return count
