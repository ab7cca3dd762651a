"""Exported programs: the variants that survive torch.export.save.

`model.pt2` carries the JSON of torch_program.manifest as an extra file named MANIFEST, unless it is
the user's own file, which is copied as it is.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from suites.variants import Built, Material, TorchProgram, Unsupported
from suites.variants.quiet import quietly
from suites.variants.torch_program import (
    MANIFEST,
    Exported,
    export,
    exported,
    half_program,
    manifest_text,
)

FORMAT = "pt2"
PACKAGES = ("torch",)
REVISION = 1

REASONS = {
    "int8-dynamic": "torch.export does not save torch's packed int8 layers, "
    "and torchao's form of them needs torchao to load it",
    "int8-static": "torch.export does not save torch's packed int8 layers, "
    "and the pt2e form computes in float32 until a compiler runs over it",
    "int4": "torch's int4 kernel wants weights laid out for one CPU, and an exported program "
    "cannot lay them out where it is loaded; the eager artifact does",
}


def build(variant: str, material: Material, out: Path) -> Built:
    """Write `model.pt2`; raises Unsupported with the reason."""
    path = out / "model.pt2"
    if variant in REASONS:
        raise Unsupported(REASONS[variant])
    with quietly():
        import torch

        described = exported(material)
        if variant == "fp32" and material.torch_program is None and material.pt2 is not None:
            shutil.copyfile(material.pt2, path)
            return Built(path, ("the file as given",))
        half = variant == "fp16"
        graph = _half(material) if half else described
        detail = {"variant": variant, "precision": "f16" if half else "f32"}
        extra = {MANIFEST: manifest_text(described, detail)}
        torch.export.save(graph.program, path, extra_files=extra)
    notes = ("weights and arithmetic float16; slow without FP16 arithmetic",) if half else ()
    return Built(path, notes)


def _half(material: Material) -> Exported:
    """Export the float16 module between casts, so that it takes and gives float32."""
    from suites.variants.torch_modules import Edges

    program = half_program(material)
    shapes = program.dynamic_shapes
    named = {"values": tuple(shapes[name] for name in program.example)} if shapes else None
    example = {
        name: value.float() if value.is_floating_point() else value
        for name, value in program.example.items()
    }
    return export(TorchProgram(Edges(program.module), example, named, program.output_names))
