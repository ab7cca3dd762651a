"""OpenVINO variants by NNCF: near FP32, really quantized, honest refusals."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from variants_material import cosine, export_onnx, inputs, material, reference

from harness.errors import UsageError
from suites.variants import VARIANTS, Built, Unsupported, nncf_tools

pytestmark = pytest.mark.toolchain

NEAR = {"fp32": 0.999999, "fp16": 0.9999, "int8-dynamic": 0.999, "int8-static": 0.98, "int4": 0.95}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("onnx")
    return {kind: export_onnx(kind, folder / f"{kind}.onnx") for kind in ("cnn", "attention")}


def read(built: Built) -> Any:
    import openvino

    return openvino.Core().read_model(built.path)


def run(built: Built, given: dict[str, Any]) -> Any:
    import openvino

    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(read(built), "CPU", hint)
    return next(iter(compiled(given).values()))


def constants(built: Built) -> Counter[str]:
    return Counter(
        op.get_element_type().get_type_name()
        for op in read(built).get_ops()
        if op.get_type_name() == "Constant"
    )


@pytest.mark.parametrize("kind", ["cnn", "attention"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_variant_is_near_fp32_at_any_batch(
    kind: str, variant: str, files: dict[str, Path], tmp_path: Path
) -> None:
    built = nncf_tools.build(variant, material(kind, onnx=files[kind]), tmp_path)
    for batch in (1, 3):
        given = inputs(kind, batch, seed=99)
        assert cosine(run(built, given), reference(kind, given)) > NEAR[variant]


def test_variants_hold_the_types_they_claim(files: dict[str, Path], tmp_path: Path) -> None:
    found = {}
    for variant in VARIANTS:
        given = material("attention", onnx=files["attention"])
        found[variant] = constants(nncf_tools.build(variant, given, tmp_path))
    assert found["fp32"]["f16"] == 0 and found["fp32"]["i8"] == 0
    assert found["fp16"]["f16"] >= 5
    assert found["int8-dynamic"]["i8"] == 5
    assert found["int8-static"]["i8"] >= 4
    assert found["int4"]["u4"] >= 3


def test_an_openvino_model_is_a_start_too(files: dict[str, Path], tmp_path: Path) -> None:
    first = nncf_tools.build("fp32", material("cnn", onnx=files["cnn"]), tmp_path)
    again = tmp_path / "again"
    again.mkdir()
    built = nncf_tools.build("int8-dynamic", material("cnn", xml=first.path), again)
    given = inputs("cnn", 1)
    assert cosine(run(built, given), reference("cnn", given)) > NEAR["int8-dynamic"]


def test_a_damaged_file_is_a_usage_error_that_names_it(tmp_path: Path) -> None:
    broken = tmp_path / "broken.xml"
    broken.write_bytes(b"not a model at all")
    with pytest.raises(UsageError, match=r"broken\.xml"):
        nncf_tools.build("fp32", material("cnn", xml=broken), tmp_path)


def test_an_onnx_model_that_openvino_does_not_know_is_a_skip(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    nodes = [helper.make_node("SequenceConstruct", ["x"], ["y"])]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])
    y = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "sequence", [x], [y])
    path = tmp_path / "sequence.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), str(path))
    with pytest.raises(Unsupported, match="OpenVINO cannot read the ONNX model"):
        nncf_tools.build("fp32", material("cnn", onnx=path), tmp_path / "out")


def test_static_without_data_and_models_without_files_are_unsupported(
    files: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(Unsupported, match="needs calibration data"):
        nncf_tools.build(
            "int8-static", material("cnn", onnx=files["cnn"], calibration=()), tmp_path
        )
    with pytest.raises(Unsupported, match="neither an OpenVINO nor an ONNX form"):
        nncf_tools.build("fp32", material("cnn"), tmp_path)


def test_building_says_nothing(
    files: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    nncf_tools.build("int4", material("attention", onnx=files["attention"]), tmp_path)
    assert capfd.readouterr() == ("", "")


ELSEWHERE = """
import sys
from pathlib import Path
from suites.variants import nncf_tools
from variants_material import material
nncf_tools.build("int8-dynamic", material("cnn", onnx=Path(sys.argv[1])), Path(sys.argv[2]))
from nncf.telemetry.wrapper import NNCFTelemetry, telemetry
print("pytest" in sys.modules, isinstance(telemetry, NNCFTelemetry))
"""


def test_nncf_reports_to_nobody(files: dict[str, Path], tmp_path: Path) -> None:
    # in a process of its own: under pytest NNCF is silent by itself
    here = Path(__file__).resolve().parent
    env = {**os.environ, "PYTHONPATH": f"{here}{os.pathsep}{here.parent}"}
    env.pop("NNCF_CI", None)
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(files["cnn"]), str(tmp_path)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "False False"), done.stderr
