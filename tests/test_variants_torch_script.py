"""TorchScript and exported programs: torch's own loaders take them, near FP32."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from variants_material import cosine, inputs, material, reference

from suites.variants import Unsupported, torch_export, torch_script
from suites.variants.torch_program import MANIFEST

pytestmark = [
    pytest.mark.toolchain,
    # what a future torch will do without is no fault of an artifact for this one
    pytest.mark.filterwarnings("ignore:`torch.jit.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning"),
]

NEAR = {"fp32": 0.999999, "fp16": 0.9999, "int8-dynamic": 0.99, "int8-static": 0.98}


def run(call: Any, given: dict[str, Any]) -> Any:
    import torch

    with torch.no_grad():
        result = call(*(torch.from_numpy(array) for array in given.values()))
    return (result[0] if isinstance(result, tuple) else result).numpy()


@pytest.mark.parametrize("kind", ["cnn", "attention"])
@pytest.mark.parametrize("variant", sorted(NEAR))
def test_script_is_near_fp32_at_any_batch(kind: str, variant: str, tmp_path: Path) -> None:
    import torch

    built = torch_script.build(variant, material(kind), tmp_path)
    extra = {MANIFEST: ""}
    script = torch.jit.load(built.path, _extra_files=extra)
    facts = json.loads(extra[MANIFEST])
    assert [entry["name"] for entry in facts["inputs"]] == list(inputs(kind, 1))
    assert facts["detail"]["variant"] == variant
    for batch in (1, 3):
        given = inputs(kind, batch, seed=99)
        assert cosine(run(script, given), reference(kind, given)) > NEAR[variant]


def test_quantized_script_calls_integer_kernels(tmp_path: Path) -> None:
    import torch

    built = torch_script.build("int8-dynamic", material("attention"), tmp_path)
    graph = str(torch.jit.load(built.path).inlined_graph)
    assert graph.count("quantized::linear_dynamic") == 4
    assert "aten::linear" not in graph
    assert any("1 embedding table" in note for note in built.notes)


def test_building_a_quantized_script_leaves_the_shared_module_alone(tmp_path: Path) -> None:
    import torch

    given = material("attention")
    torch_script.build("int8-static", given, tmp_path)
    built = torch_script.build("fp32", given, tmp_path)
    sample = inputs("attention", 1)
    answer = run(torch.jit.load(built.path), sample)
    assert cosine(answer, reference("attention", sample)) > NEAR["fp32"]


def test_script_refuses_int4_and_models_without_torch(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="laid out for one CPU"):
        torch_script.build("int4", material("cnn"), tmp_path)
    with pytest.raises(Unsupported, match="no torch module"):
        torch_script.build("fp32", material("cnn", torch_program=None), tmp_path)


@pytest.mark.parametrize("kind", ["cnn", "attention"])
@pytest.mark.parametrize("variant", ["fp32", "fp16"])
def test_export_is_near_fp32_and_takes_float32(kind: str, variant: str, tmp_path: Path) -> None:
    import torch

    built = torch_export.build(variant, material(kind), tmp_path)
    extra = {MANIFEST: ""}
    program = torch.export.load(built.path, extra_files=extra).module()
    assert json.loads(extra[MANIFEST])["detail"]["variant"] == variant
    for batch in (1, 3):
        given = inputs(kind, batch, seed=99)
        answer = run(program, given)
        assert str(answer.dtype) == "float32"
        assert cosine(answer, reference(kind, given)) > NEAR[variant]


@pytest.mark.parametrize("variant", sorted(torch_export.REASONS))
def test_export_refuses_what_it_cannot_save(variant: str, tmp_path: Path) -> None:
    with pytest.raises(Unsupported) as refusal:
        torch_export.build(variant, material("cnn"), tmp_path)
    assert str(refusal.value) == torch_export.REASONS[variant]


def test_users_program_is_copied_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    first = torch_export.build("fp32", material("cnn"), tmp_path).path
    users = material("cnn", torch_program=None, pt2=first)
    built = torch_export.build("fp32", users, tmp_path / "made")
    assert built.path.read_bytes() == first.read_bytes()
