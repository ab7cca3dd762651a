"""TorchScript: the same variants, traced.

`model.ts` is torch's own archive; the JSON of torch_program.manifest lies in it as an extra file
named MANIFEST. Layers are found by their class (nn.Linear, nn.Conv2d, nn.Embedding), because a
trace of the exported graph would freeze its batch.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from suites.variants import Built, Material, TorchProgram, Unsupported
from suites.variants.quiet import first_line, quietly
from suites.variants.torch_program import (
    MANIFEST,
    exported,
    half_program,
    loaded,
    manifest_text,
    tensors,
)

FORMAT = "torchscript"
PACKAGES = ("torch",)
REVISION = 1
NO_LAYER = "torch quantizes {} here, and this model has none"


def build(variant: str, material: Material, out: Path) -> Built:
    """Write `model.ts`; raises Unsupported with the reason."""
    path = out / "model.ts"
    with quietly():
        import torch

        program = loaded(material)
        module, precision, notes = MAKERS[variant](program, material)
        try:
            with torch.no_grad():
                # check_trace runs the model again, and again for its error message: seconds
                traced = torch.jit.trace(
                    module, tuple(program.example.values()), check_trace=False, strict=False
                )
        except RuntimeError as error:
            raise Unsupported(f"torch.jit cannot trace this model: {first_line(error)}") from error
        detail = {"variant": variant, "precision": precision}
        text = manifest_text(exported(material), detail)
        torch.jit.save(traced, str(path), _extra_files={MANIFEST: text})
    return Built(path, notes)


Made = tuple[Any, str, tuple[str, ...]]


def _fp32(program: TorchProgram, _: Material) -> Made:
    return program.module, "f32", ()


def _fp16(_: TorchProgram, material: Material) -> Made:
    from suites.variants.torch_modules import Edges

    module = Edges(half_program(material).module)
    return module, "f16", ("weights and arithmetic float16; slow without FP16 arithmetic",)


def _int8_dynamic(program: TorchProgram, _: Material) -> Made:
    import torch

    from suites.variants.torch_modules import DynamicLinear, swap

    module = copy.deepcopy(program.module)
    linear = torch.nn.Linear
    layers = swap(module, lambda _, child: DynamicLinear(child) if type(child) is linear else None)
    if not layers:
        raise Unsupported(NO_LAYER.format("nn.Linear layers at run time"))
    return (
        module,
        "int8",
        (
            f"{layers} linear layers: weights int8 per channel, inputs 7 bits at run time",
            *_tables(module),
        ),
    )


def _int8_static(program: TorchProgram, material: Material) -> Made:
    module = copy.deepcopy(program.module)
    batch = None if program.dynamic_shapes else len(next(iter(program.example.values())))
    data = tensors(material, tuple(program.example), batch)
    layers = _swap_static(module, _ranges(module, data))
    if not layers:
        raise Unsupported(NO_LAYER.format("nn.Linear and nn.Conv2d layers"))
    return (
        module,
        "int8",
        (
            f"{layers} linear and convolution layers int8, ranges from {len(data)} samples, 7 bits",
            "float outputs of linear layers need fbgemm: x86 only",
            *_tables(module),
        ),
    )


def _int4(_: TorchProgram, __: Material) -> Made:
    raise Unsupported(
        "torch's int4 kernel wants weights laid out for one CPU, and a saved script "
        "cannot lay them out where it is loaded; the eager artifact does"
    )


def _swap_static(module: Any, seen: dict[str, Any]) -> int:
    import torch

    from suites.variants.torch_modules import StaticConv2d, StaticLinear, swap

    def make(name: str, child: Any) -> Any | None:
        if name not in seen:
            return None
        inputs, outputs = seen[name]
        if type(child) is torch.nn.Linear:
            return StaticLinear(child, inputs)
        return StaticConv2d(child, inputs, outputs)

    return swap(module, make)


def _ranges(module: Any, data: list[tuple[Any, ...]]) -> dict[str, Any]:
    """Return {layer's name: (input range, output range)} over the samples."""
    import torch

    seen: dict[str, Any] = {}

    def watch(name: str) -> Any:
        def hook(_: Any, inputs: Any, output: Any) -> None:
            spans = [[float(edge) for edge in value.aminmax()] for value in (inputs[0], output)]
            for span, before in zip(spans, seen.get(name, spans), strict=True):
                span[:] = min(span[0], before[0]), max(span[1], before[1])
            seen[name] = spans

        return hook

    hooks = [
        child.register_forward_hook(watch(name))
        for name, child in module.named_modules()
        if type(child) is torch.nn.Linear
        or (type(child) is torch.nn.Conv2d and not isinstance(child.padding, str))
    ]
    with torch.no_grad():
        for sample in data:
            module(*sample)
    for hook in hooks:
        hook.remove()
    return seen


def _tables(module: Any) -> tuple[str, ...]:
    import torch

    from suites.variants.torch_modules import Int8Embedding, swap

    table = torch.nn.Embedding
    count = swap(module, lambda _, child: Int8Embedding(child) if type(child) is table else None)
    return (f"{count} embedding tables int8 per row",) if count else ()


MAKERS = {
    "fp32": _fp32,
    "fp16": _fp16,
    "int8-dynamic": _int8_dynamic,
    "int8-static": _int8_static,
    "int4": _int4,
}
