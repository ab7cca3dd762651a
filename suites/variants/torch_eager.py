"""The part of an eager torch artifact that is the same in all of them: packing, then running.

The text of this file is copied into every artifact in front of the model's own `forward` and runs
on the board with nothing but torch, so it imports nothing else and keeps to old syntax. `STATE` and
`forward`, which the artifact appends, are the model: one recipe per leading argument of `forward`.
"""

import platform
import warnings
from typing import Any, Dict, Tuple  # noqa: UP035  old syntax: this text runs on boards

import torch
from torch import device, inf, nan  # noqa: F401  names the generated text may use

STATE = []  # type: Any


def load(tensors: Dict[str, Any]) -> Any:  # noqa: UP006
    """Return a function from the inputs, in order, to the tuple of outputs; packs weights once."""
    warnings.filterwarnings("ignore", message="torch.quantize_per_tensor", category=UserWarning)
    state = [RECIPES[row[0]](tensors, *row[1:]) for row in STATE]
    body = globals()["forward"]

    def run(*inputs: Any) -> Any:
        return body(*state, *inputs)

    return run


def is_x86() -> bool:
    """Tell whether torch's int8 kernels are fbgemm's here."""
    return platform.machine().lower() in ("x86_64", "amd64", "i686")


def saturates() -> bool:
    """Tell whether int8 products overflow 16 bits here: x86 without VNNI, where 7 bits are safe."""
    has_vnni = getattr(torch.cpu, "_is_vnni_supported", None)
    return is_x86() and not (has_vnni and has_vnni())


def quantization(low: float, high: float) -> Tuple[float, int]:  # noqa: UP006
    """Return (scale, zero point) of quint8 for values in [low, high], zero included."""
    levels = 127 if saturates() else 255
    low, high = min(low, 0.0), max(high, 0.0)
    scale = max((high - low) / levels, 1e-8)
    return scale, int(min(max(round(-low / scale), 0), levels))


def plain(tensors: Any, name: str) -> Any:
    """Take one tensor as it is."""
    return tensors[name]


def reduced(tensors: Any) -> bool:
    """Take whether activations keep to 7 bits on this CPU."""
    return saturates()


def channels(tensors: Any, name: str) -> Any:
    """Join a layer's int8 weights with their scale per output channel."""
    scales = tensors[name + ".scales"]
    zeros = torch.zeros(scales.numel(), dtype=torch.long)
    return torch._make_per_channel_quantized_tensor(tensors[name + ".int8"], scales, zeros, 0)


def linear_int8(tensors: Any, name: str) -> Any:
    """Pack a linear layer for this CPU's int8 kernel."""
    return torch.ops.quantized.linear_prepack(channels(tensors, name), tensors.get(name + ".bias"))


def linear_int4(tensors: Any, name: str) -> Any:
    """Lay 4-bit weights (two per byte, low nibble first) out as this CPU's kernel wants them."""
    packed = tensors[name + ".int4"]
    nibbles = torch.stack([packed & 15, packed >> 4], dim=-1).reshape(packed.shape[0], -1)
    return torch.ops.aten._convert_weight_to_int4pack_for_cpu(nibbles.to(torch.int32), 1)


class StaticLinear:
    """A linear layer with calibrated input range; float32 in and out, int8 between."""

    def __init__(self, tensors: Any, name: str, inputs: Any, outputs: Any) -> None:
        """Pack for this CPU; only fbgemm can leave the products in float32."""
        self.packed = linear_int8(tensors, name)
        self.inputs = quantization(*inputs)
        self.outputs = quantization(*outputs)
        self.run = self.float_out if is_x86() else self.int8_out

    def float_out(self, x: Any) -> Any:
        """Quantize the input; sums of int8 products become float32 at once."""
        call = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32
        return call(x, self.inputs[0], self.inputs[1], self.packed)

    def int8_out(self, x: Any) -> Any:
        """Quantize the input and the output."""
        x = torch.quantize_per_tensor(x, self.inputs[0], self.inputs[1], torch.quint8)
        return torch.ops.quantized.linear(x, self.packed, *self.outputs).dequantize()


class StaticConv2d:
    """A 2-D convolution, with its relu, with calibrated ranges of input and output."""

    def __init__(self, tensors: Any, name: str, ranges: Any, geometry: Any, relu: bool) -> None:
        """Pack for this CPU; `geometry` is stride, padding, dilation, groups."""
        weight, bias = channels(tensors, name), tensors.get(name + ".bias")
        self.packed = torch.ops.quantized.conv2d_prepack(weight, bias, *geometry)
        self.inputs, self.outputs = quantization(*ranges[0]), quantization(*ranges[1])
        self.call = torch.ops.quantized.conv2d_relu if relu else torch.ops.quantized.conv2d

    def run(self, x: Any) -> Any:
        """Quantize the input, convolve in int8, return float32."""
        x = torch.quantize_per_tensor(x, self.inputs[0], self.inputs[1], torch.quint8)
        return self.call(x, self.packed, *self.outputs).dequantize()


RECIPES = {
    "plain": plain,
    "reduced": reduced,
    "linear_int8": linear_int8,
    "linear_int4": linear_int4,
    "static_linear": StaticLinear,
    "static_conv2d": StaticConv2d,
}  # type: Dict[str, Any]
