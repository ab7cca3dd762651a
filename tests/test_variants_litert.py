"""LiteRT variants: near FP32, really quantized, float at the edges, honest refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from variants_material import TOKENS, cosine, inputs, material, reference

from harness.errors import UsageError
from suites.variants import VARIANTS, Built, Unsupported, litert_tools

pytestmark = pytest.mark.toolchain

NEAR = {"fp32": 0.999999, "fp16": 0.9999, "int8-dynamic": 0.99, "int8-static": 0.97, "int4": 0.95}


def run(built: Built, given: dict[str, Any]) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(built.path)).get_signature_runner()
    details = runner.get_input_details()
    cast = {name: given[name].astype(entry["dtype"]) for name, entry in details.items()}
    return next(iter(runner(**cast).values()))


@pytest.mark.parametrize("kind", ["cnn", "attention"])
def test_every_variant_is_near_fp32(kind: str, tmp_path: Path) -> None:
    given, sizes = inputs(kind, 1, seed=99), {}
    for variant in VARIANTS:
        (tmp_path / variant).mkdir()
        built = litert_tools.build(variant, material(kind), tmp_path / variant)
        answer = run(built, given)
        assert str(answer.dtype) == "float32", variant
        assert cosine(answer, reference(kind, given)) > NEAR[variant], variant
        sizes[variant] = built.path.stat().st_size
    assert sizes["fp16"] < sizes["fp32"]
    assert sizes["int8-dynamic"] < sizes["fp16"]
    assert sizes["int4"] < sizes["int8-dynamic"]


def test_shapes_are_the_measured_ones(tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    built = litert_tools.build("fp32", material("attention"), tmp_path)
    runner = Interpreter(str(built.path)).get_signature_runner()
    shapes = {n: e["shape"].tolist() for n, e in runner.get_input_details().items()}
    assert shapes == {"ids": [1, TOKENS], "mask": [1, TOKENS]}


def test_a_users_file_is_taken_as_it_is_and_quantized(tmp_path: Path) -> None:
    first = litert_tools.build("fp32", material("cnn"), tmp_path)
    users = replace(material("cnn"), torch_program=None, tflite=first.path)
    made = tmp_path / "made"
    made.mkdir()
    assert litert_tools.build("fp32", users, made).path.read_bytes() == first.path.read_bytes()
    given = inputs("cnn", 1, seed=3)
    static = litert_tools.build("int8-static", users, made)
    assert cosine(run(static, given), reference("cnn", given)) > NEAR["int8-static"]


def test_damaged_files_are_usage_errors_that_name_them(tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"not a model at all, but long enough to look at")
    with pytest.raises(UsageError, match=r"broken\.tflite"):
        litert_tools.build("int8-dynamic", material("cnn", tflite=broken), tmp_path)


def test_static_without_data_and_models_without_torch_are_unsupported(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="needs calibration data"):
        litert_tools.build("int8-static", material("cnn", calibration=()), tmp_path)
    with pytest.raises(Unsupported, match=r"neither a torch module nor a \.tflite"):
        litert_tools.build("fp32", material("cnn", torch_program=None), tmp_path)


def test_building_says_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    litert_tools.build("int8-static", material("attention"), tmp_path)
    assert capfd.readouterr() == ("", "")
