"""ONNX variants by ONNX Runtime's tools: near FP32, really quantized, honest refusals."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from variants_material import cosine, export_onnx, inputs, material, reference

from harness.errors import UsageError
from suites.variants import VARIANTS, Built, Unsupported, onnx_tools

pytestmark = pytest.mark.toolchain

NEAR = {"fp32": 0.999999, "fp16": 0.9999, "int8-dynamic": 0.99, "int8-static": 0.98, "int4": 0.95}
WORKS_IN = {"int8-dynamic": "MatMulInteger", "int8-static": "QuantizeLinear", "int4": "MatMulNBits"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("onnx")
    return {kind: export_onnx(kind, folder / f"{kind}.onnx") for kind in ("cnn", "attention")}


def run(built: Built, given: dict[str, Any]) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(built.path, providers=["CPUExecutionProvider"])
    return session.run(None, given)[0]


def kinds(built: Built) -> Counter[str]:
    import onnx

    return Counter(node.op_type for node in onnx.load(str(built.path)).graph.node)


@pytest.mark.parametrize("kind", ["cnn", "attention"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_variant_is_near_fp32_at_any_batch(
    kind: str, variant: str, files: dict[str, Path], tmp_path: Path
) -> None:
    built = onnx_tools.build(variant, material(kind, onnx=files[kind]), tmp_path)
    assert built.path.parent == tmp_path
    for batch in (1, 3):
        given = inputs(kind, batch, seed=99)
        assert cosine(run(built, given), reference(kind, given)) > NEAR[variant]
    if variant in WORKS_IN:
        assert kinds(built)[WORKS_IN[variant]] >= 2


def test_static_keeps_attention_in_float_and_quantizes_a_cnn_throughout(
    files: dict[str, Path], tmp_path: Path
) -> None:
    block = onnx_tools.build(
        "int8-static", material("attention", onnx=files["attention"]), tmp_path
    )
    assert any("attention" in note for note in block.notes)
    cnn = onnx_tools.build("int8-static", material("cnn", onnx=files["cnn"]), tmp_path)
    assert not any("attention" in note for note in cnn.notes)


def test_fp16_takes_and_gives_float32(files: dict[str, Path], tmp_path: Path) -> None:
    built = onnx_tools.build("fp16", material("cnn", onnx=files["cnn"]), tmp_path)
    assert str(run(built, inputs("cnn", 1)).dtype) == "float32"
    assert built.path.stat().st_size < 0.65 * files["cnn"].stat().st_size


def test_external_data_comes_along(files: dict[str, Path], tmp_path: Path) -> None:
    import onnx

    outside = tmp_path / "outside.onnx"
    model = onnx.load(str(files["cnn"]))
    onnx.save(model, str(outside), save_as_external_data=True, location="w.bin", size_threshold=0)
    made = tmp_path / "made"
    made.mkdir()
    built = onnx_tools.build("fp32", material("cnn", onnx=outside), made)
    (tmp_path / "w.bin").unlink()
    given = inputs("cnn", 1)
    assert cosine(run(built, given), reference("cnn", given)) > NEAR["fp32"]


def test_weights_outside_the_file_are_prepared_as_those_inside(tmp_path: Path) -> None:
    """ONNX Runtime's preprocessing looks for a table beside its own temporary copy."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    values = np.random.default_rng(0).normal(size=(50, 16)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("MatMul", ["rows", "weight"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "lookup",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", "length", 4])],
        [
            numpy_helper.from_array(values, "table"),
            numpy_helper.from_array(values[:16, :4].copy(), "weight"),
        ],
    )
    outside = tmp_path / "outside.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9),
        str(outside), save_as_external_data=True, location="w.bin", size_threshold=0,
    )  # fmt: skip
    made = tmp_path / "made"
    made.mkdir()
    built = onnx_tools.build("int8-dynamic", material("cnn", onnx=outside), made)
    assert "preprocessing" not in " ".join(built.notes)


def test_quantized_models_are_not_quantized_again(files: dict[str, Path], tmp_path: Path) -> None:
    first = onnx_tools.build("int8-dynamic", material("cnn", onnx=files["cnn"]), tmp_path)
    again = tmp_path / "again"
    again.mkdir()
    given = material("cnn", onnx=first.path)
    with pytest.raises(Unsupported, match="quantized already"):
        onnx_tools.build("int4", given, again)
    assert "MatMulInteger" in onnx_tools.build("fp32", given, again).notes[0]


def test_pure_convolutions_have_neither_dynamic_int8_nor_int4(tmp_path: Path) -> None:
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper, save

    value = helper.make_tensor_value_info
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Conv", ["input", "w"], ["y"])],
            "convolution",
            [value("input", TensorProto.FLOAT, ["batch", 1, 8, 8])],
            [value("y", TensorProto.FLOAT, ["batch", 4, 6, 6])],
            [numpy_helper.from_array(np.ones((4, 1, 3, 3), dtype=np.float32), "w")],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    save(model, tmp_path / "convolution.onnx")
    given = material("cnn", onnx=tmp_path / "convolution.onnx")
    for variant in ("int8-dynamic", "int4"):
        with pytest.raises(Unsupported, match="constant weights"):
            onnx_tools.build(variant, given, tmp_path)


@pytest.mark.parametrize("damage", ["garbage", "truncated"])
def test_damaged_files_are_usage_errors_that_name_them(
    damage: str, files: dict[str, Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.onnx"
    whole = files["cnn"].read_bytes()
    broken.write_bytes(b"not a model at all" if damage == "garbage" else whole[: len(whole) // 2])
    with pytest.raises(UsageError, match=r"broken\.onnx"):
        onnx_tools.build("int8-dynamic", material("cnn", onnx=broken), tmp_path)


def test_static_without_data_and_models_without_onnx_are_unsupported(
    files: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(Unsupported, match="needs calibration data"):
        onnx_tools.build(
            "int8-static", material("cnn", onnx=files["cnn"], calibration=()), tmp_path
        )
    with pytest.raises(Unsupported, match="no ONNX form"):
        onnx_tools.build("fp32", material("cnn"), tmp_path)


def test_building_says_nothing(
    files: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    onnx_tools.build("int8-static", material("attention", onnx=files["attention"]), tmp_path)
    assert capfd.readouterr() == ("", "")
