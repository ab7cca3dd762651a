"""What the torch toolchains share: the loaded program, its one export, its inputs and samples."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.types import Json, Model
from suites.variants import Material, TorchProgram, Unsupported
from suites.variants.calibration import samples
from suites.variants.quiet import first_line

MANIFEST = "boardmark.json"


@dataclass(frozen=True)
class Exported:
    """An exported graph with the names its inputs and outputs carry in the artifact."""

    program: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    batch: int | None


# Loading and exporting cost seconds and every variant of a model asks for them in turn, so the last
# model's program is kept; an older one is dropped before the next is loaded.
_Key = tuple[Model, Path | None]
_PROGRAM: list[tuple[_Key, TorchProgram]] = []
_EXPORT: list[tuple[_Key, Exported]] = []


def loaded(material: Material) -> TorchProgram:
    """Return the model's torch program, in eval mode; do not change it, it is shared."""
    if material.torch_program is None:
        raise Unsupported("this model has no torch module to start from")
    if not _PROGRAM or _PROGRAM[0][0] != _key(material):
        _PROGRAM.clear()
        program = material.torch_program()
        program.module.eval()
        _PROGRAM.append((_key(material), program))
    return _PROGRAM[0][1]


def exported(material: Material) -> Exported:
    """Return the FP32 graph: exported from the torch module, or read from the user's `.pt2`."""
    if not _EXPORT or _EXPORT[0][0] != _key(material):
        _EXPORT.clear()
        graph = _read(material) if material.torch_program is None else export(loaded(material))
        _EXPORT.append((_key(material), graph))
    return _EXPORT[0][1]


def export(program: TorchProgram) -> Exported:
    """Run torch.export on `program`; a model it cannot follow is Unsupported."""
    import torch

    example = tuple(program.example.values())
    try:
        with torch.no_grad():
            graph = torch.export.export(
                program.module, example, dynamic_shapes=program.dynamic_shapes
            )
    except (torch._dynamo.exc.TorchDynamoException, ValueError, RuntimeError) as error:
        raise Unsupported(f"torch.export cannot follow this model: {first_line(error)}") from error
    batch = None if program.dynamic_shapes else int(example[0].shape[0])
    return Exported(graph, tuple(program.example), program.output_names, batch)


def half_program(material: Material) -> TorchProgram:
    """Return the model's program in float16: a copy of the module, examples in its dtype."""
    if material.torch_program is None:
        raise Unsupported("an exported program has its float32 casts written into its graph")
    program = loaded(material)
    example = {
        name: value.half() if value.is_floating_point() else value
        for name, value in program.example.items()
    }
    module = copy.deepcopy(program.module).half()
    return TorchProgram(module, example, program.dynamic_shapes, program.output_names)


def _key(material: Material) -> _Key:
    return material.model, material.pt2


def _read(material: Material) -> Exported:
    import torch

    if material.pt2 is None:
        raise Unsupported("this model has neither a torch module nor an exported program")
    try:
        graph = torch.export.load(material.pt2)
    except Exception as error:  # torch.load answers a broken archive with half a dozen types
        raise UsageError(
            f"cannot read the exported program '{material.pt2}': {first_line(error)}",
            "save it with torch.export.save of this torch version",
        ) from error
    signature = graph.graph_signature
    first = next(node for node in graph.graph.nodes if node.name == signature.user_inputs[0])
    size = first.meta["val"].shape[0] if first.meta["val"].shape else 1
    return Exported(
        graph,
        tuple(str(name) for name in signature.user_inputs),
        tuple(str(name) for name in signature.user_outputs),
        size if isinstance(size, int) else None,
    )


def input_specs(graph: Exported) -> list[Json]:
    """Return [{name, dtype, shape}] of the graph's inputs in call order; -1 is open."""
    nodes = {node.name: node for node in graph.program.graph.nodes if node.op == "placeholder"}
    specs = []
    for name, inner in zip(graph.inputs, graph.program.graph_signature.user_inputs, strict=True):
        value = nodes[inner].meta["val"]
        shape = [size if isinstance(size, int) else -1 for size in value.shape]
        specs.append(
            {"name": name, "dtype": str(value.dtype).removeprefix("torch."), "shape": shape}
        )
    return specs


def manifest(graph: Exported, detail: Json) -> Json:
    """Return what a loader must know: inputs in order, output names, `detail` for the evidence."""
    return {"inputs": input_specs(graph), "outputs": list(graph.outputs), "detail": detail}


def manifest_text(graph: Exported, detail: Json) -> str:
    """Return the manifest as the JSON that lies inside `.ts` and `.pt2` files under MANIFEST."""
    return json.dumps(manifest(graph, detail))


def tensors(material: Material, names: tuple[str, ...], batch: int | None) -> list[tuple[Any, ...]]:
    """Return calibration samples as tensors in the order of `names`; `batch` if it is fixed."""
    import torch

    fixed = dict.fromkeys(names, batch or 1)
    rows = samples(material, fixed)
    return [tuple(torch.from_numpy(row[name]) for name in names) for row in rows]
