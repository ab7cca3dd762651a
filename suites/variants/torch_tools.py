"""Eager torch: each variant as text and tensors that run on a machine with torch alone.

The artifact `model.pt` is a dict: format, source, tensors, inputs, outputs, detail. To run it:

    blob = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    namespace = {}
    exec(compile(blob["source"], path, "exec"), namespace)
    forward = namespace["load"](blob["tensors"])
    outputs = forward(*inputs)        # tensors in the order of blob["inputs"]; a tuple back

The text is executed, so a loader does that only with a file whose SHA-256 it was given by who built
it. Chosen over a pickled module (needs the model's classes, so transformers, on the board),
torch.package (the same classes, interned by the hundred) and torch.export.load (2.5 s for MiniLM,
where this takes 0.01 s), and over torchao's tensor subclasses (1.6 s more of imports, and slower
than FP32 outside a compiler).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.types import Json
from suites.variants import Built, Material, Unsupported
from suites.variants.quiet import quietly
from suites.variants.torch_graph import Rewrite
from suites.variants.torch_layers import (
    GROUP,
    int4_weights,
    int8_dynamic,
    int8_embeddings,
    int8_static,
    ranges,
)
from suites.variants.torch_program import export, exported, half_program, tensors

FORMAT = "torch"
PACKAGES = ("torch",)
REVISION = 2


def build(variant: str, material: Material, out: Path) -> Built:
    """Write `model.pt`, the eager artifact of one variant; raises Unsupported with the reason."""
    path = out / "model.pt"
    with quietly():
        import torch

        blob, notes = MAKERS[variant](material)
        torch.save(blob, path)
    return Built(path, notes)


def _fp32(material: Material) -> tuple[Json, tuple[str, ...]]:
    return Rewrite(exported(material)).blob({"variant": "fp32", "precision": "f32"}), ()


def _fp16(material: Material) -> tuple[Json, tuple[str, ...]]:
    described = exported(material)
    rewrite = Rewrite(export(half_program(material)))
    cast_edges(rewrite)
    blob = rewrite.blob({"variant": "fp16", "precision": "f16"}, described)
    return blob, ("weights and arithmetic float16; slow on a CPU without FP16 arithmetic",)


def cast_edges(rewrite: Rewrite) -> None:
    """Take float32 inputs to float16 on the way in, float16 outputs back on the way out."""
    import torch

    cast = rewrite.ops.aten.to.dtype
    for node in list(rewrite.graph.nodes):
        if node.op == "placeholder" and node not in rewrite.recipes and _half(node):
            with rewrite.graph.inserting_after(node):
                inner = rewrite.graph.call_function(cast, (node, torch.float16))
            node.replace_all_uses_with(
                inner, delete_user_cb=lambda user, kept=inner: user is not kept
            )
        elif node.op == "output":
            with rewrite.graph.inserting_before(node):
                results = [
                    rewrite.graph.call_function(cast, (value, torch.float32))
                    if _half(value)
                    else value
                    for value in node.args[0]
                ]
            node.args = (tuple(results),)


def _half(node: Any) -> bool:
    import torch

    return bool(getattr(node.meta.get("val"), "dtype", None) == torch.float16)


def _int8_dynamic(material: Material) -> tuple[Json, tuple[str, ...]]:
    rewrite = Rewrite(exported(material))
    layers = int8_dynamic(rewrite)
    if not layers:
        raise Unsupported("torch quantizes linear layers at run time, and this model has none")
    tables = int8_embeddings(rewrite)
    blob = rewrite.blob({"variant": "int8-dynamic", "precision": "int8"})
    return blob, (
        f"{layers} linear layers: weights int8 per channel, inputs quantized at run time",
        *_tables_note(tables),
    )


def _int8_static(material: Material) -> tuple[Json, tuple[str, ...]]:
    rewrite = Rewrite(exported(material))
    data = tensors(material, rewrite.exported.inputs, rewrite.exported.batch)
    layers = int8_static(rewrite, ranges(rewrite, data))
    if not layers:
        raise Unsupported(
            "this model has no linear layer and no 2-D convolution with constant weights"
        )
    tables = int8_embeddings(rewrite)
    blob = rewrite.blob({"variant": "int8-static", "precision": "int8"})
    return blob, (
        f"{layers} linear and convolution layers int8, ranges from {len(data)} samples",
        *_tables_note(tables),
    )


def _int4(material: Material) -> tuple[Json, tuple[str, ...]]:
    rewrite = Rewrite(exported(material))
    layers, left = int4_weights(rewrite)
    if not layers:
        raise Unsupported(
            f"torch's int4 kernel needs linear layers with inputs in multiples of {GROUP} "
            "and outputs in multiples of 16, and this model has none"
        )
    tables = int8_embeddings(rewrite)
    blob = rewrite.blob({"variant": "int4", "precision": "bfloat16"})
    return blob, (
        f"{layers} of {layers + left} linear layers: weights int4 in groups of {GROUP}, "
        "products in bfloat16",
        *_tables_note(tables),
    )


def _tables_note(tables: int) -> tuple[str, ...]:
    return (f"{tables} embedding tables int8 per row",) if tables else ()


MAKERS = {
    "fp32": _fp32,
    "fp16": _fp16,
    "int8-dynamic": _int8_dynamic,
    "int8-static": _int8_static,
    "int4": _int4,
}
