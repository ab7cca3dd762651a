"""Eager artifacts: what they hold, how near they are to FP32, and that torch alone runs them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from variants_material import cosine, inputs, material, reference

from backends import pytorch
from harness.errors import UsageError
from suites.variants import VARIANTS, Unsupported, torch_tools

pytestmark = pytest.mark.toolchain

# worst cosine allowed on inputs never calibrated with; measured values lie well above
NEAR = {"fp32": 0.999999, "fp16": 0.9999, "int8-dynamic": 0.995, "int8-static": 0.99, "int4": 0.95}
CALLS = {
    "int8-dynamic": "quantized.linear_dynamic",
    "int8-static": "static_linear",
    "int4": "_weight_int4pack_mm_for_cpu",
}


def load(path: Path) -> tuple[dict[str, Any], Any]:
    """Load an artifact the way the recipe in torch_tools says."""
    import torch

    blob = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    namespace: dict[str, Any] = {}
    exec(compile(blob["source"], str(path), "exec"), namespace)
    return blob, namespace["load"](blob["tensors"])


def run(path: Path, given: dict[str, Any]) -> Any:
    import torch

    with torch.inference_mode():
        return load(path)[1](*(torch.from_numpy(array) for array in given.values()))[0].numpy()


@pytest.mark.parametrize("kind", ["cnn", "attention"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_variant_is_near_fp32_at_any_batch(kind: str, variant: str, tmp_path: Path) -> None:
    built = torch_tools.build(variant, material(kind), tmp_path)
    for batch in (1, 3):
        given = inputs(kind, batch, seed=99)
        answer = run(built.path, given)
        assert answer.dtype == np.float32
        assert cosine(answer, reference(kind, given)) > NEAR[variant]


@pytest.mark.parametrize("variant", sorted(CALLS))
def test_quantized_variants_call_torchs_integer_kernels(variant: str, tmp_path: Path) -> None:
    blob, _ = load(torch_tools.build(variant, material("attention"), tmp_path).path)
    model = blob["source"].split("STATE = [")[-1]
    assert CALLS[variant] in model
    assert "aten.linear.default" not in model
    assert blob["detail"]["quantized_nodes"] == 5
    assert blob["detail"]["variant"] == variant


@pytest.mark.parametrize(
    ("variant", "precision"), [("fp32", "f32"), ("int8-dynamic", "i8"), ("int4", "bf16")]
)
def test_the_evidence_names_what_the_products_work_in(
    variant: str, precision: str, tmp_path: Path
) -> None:
    """The int4 kernel unpacks its weights and multiplies in bfloat16: int4 is how they are kept."""
    import torch

    built = torch_tools.build(variant, material("attention"), tmp_path)
    threads, gradients = torch.get_num_threads(), torch.is_grad_enabled()
    try:
        session = pytorch.open(str(built.path), {"mode": "eager"})
        assert session.evidence()["precision"] == precision
    finally:
        torch.set_num_threads(threads)
        torch.set_grad_enabled(gradients)


def test_static_convolutions_take_their_relu_along(tmp_path: Path) -> None:
    blob, _ = load(torch_tools.build("int8-static", material("cnn"), tmp_path).path)
    model = blob["source"].split("STATE = [")[-1]
    assert model.count("static_conv2d") == 2
    assert model.count("aten.relu") == 1  # the linear layer's own


def test_manifest_names_inputs_and_outputs(tmp_path: Path) -> None:
    blob, _ = load(torch_tools.build("fp16", material("cnn"), tmp_path).path)
    assert blob["inputs"] == [{"name": "input", "dtype": "float32", "shape": [-1, 1, 8, 8]}]
    assert blob["outputs"] == ["y"]
    assert blob["detail"]["precision"] == "f16"


def test_quantizing_shrinks_the_file(tmp_path: Path) -> None:
    sizes = {}
    for variant in ("fp32", "int8-dynamic"):
        (tmp_path / variant).mkdir()
        blob, _ = load(torch_tools.build(variant, material("attention"), tmp_path / variant).path)
        sizes[variant] = sum(t.numel() * t.element_size() for t in blob["tensors"].values())
    assert sizes["int8-dynamic"] < 0.45 * sizes["fp32"]


ALONE = """
import sys, torch
blob = torch.load(sys.argv[1], weights_only=True, mmap=True)
namespace = {}
exec(compile(blob["source"], sys.argv[1], "exec"), namespace)
forward = namespace["load"](blob["tensors"])
ids = torch.ones(2, 12, dtype=torch.long)
assert forward(ids, ids)[0].shape == (2, 32)
print(sorted({"suites", "harness", "transformers", "torchao"} & set(sys.modules)))
"""


@pytest.mark.parametrize("variant", ["fp32", "int8-static"])
def test_artifact_runs_with_torch_alone(variant: str, tmp_path: Path) -> None:
    built = torch_tools.build(variant, material("attention"), tmp_path)
    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, str(built.path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_static_without_data_is_unsupported(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="needs calibration data"):
        torch_tools.build("int8-static", material("cnn", calibration=()), tmp_path)
    assert not list(tmp_path.iterdir())


def test_models_without_linear_layers_have_no_dynamic_int8(tmp_path: Path) -> None:
    import torch

    def program() -> Any:
        whole = material("cnn").torch_program
        assert whole is not None
        given = whole()
        return replace(given, module=torch.nn.Sequential(*list(given.module)[:4]).eval())

    model = replace_digest(material("cnn"), "convolutions")
    only = replace(model, torch_program=program)
    for variant in ("int8-dynamic", "int4"):
        with pytest.raises(Unsupported, match="linear layers"):
            torch_tools.build(variant, only, tmp_path)


def test_exported_program_gives_every_variant_but_fp16(tmp_path: Path) -> None:
    import torch

    given = material("attention").torch_program
    assert given is not None
    program = given()
    graph = torch.export.export(
        program.module, tuple(program.example.values()), dynamic_shapes=program.dynamic_shapes
    )
    torch.export.save(graph, tmp_path / "user.pt2")
    users = material("attention", torch_program=None, pt2=tmp_path / "user.pt2")
    sample = inputs("attention", 2, seed=5)
    for variant in ("fp32", "int8-dynamic", "int8-static", "int4"):
        (tmp_path / variant).mkdir()
        built = torch_tools.build(variant, users, tmp_path / variant)
        assert cosine(run(built.path, sample), reference("attention", sample)) > NEAR[variant]
    with pytest.raises(Unsupported, match="float32 casts"):
        torch_tools.build("fp16", users, tmp_path)


def test_corrupt_exported_program_is_a_usage_error_that_names_it(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pt2"
    broken.write_bytes(b"PK\x03\x04 not a program")
    with pytest.raises(UsageError, match=r"broken\.pt2"):
        torch_tools.build("fp32", material("cnn", torch_program=None, pt2=broken), tmp_path)


def replace_digest(given: Any, digest: str) -> Any:
    import msgspec

    return replace(given, model=msgspec.structs.replace(given.model, digest=digest))
