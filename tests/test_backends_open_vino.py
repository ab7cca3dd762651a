from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tiny_models

from backends import BackendError, open_vino

pytestmark = pytest.mark.toolchain


def opened(path: Path, **options: Any) -> Any:
    return open_vino.open(str(path), {"threads": 2, "shapes": {"x": [2, 16]}, **options})


def capabilities() -> list[str]:
    import openvino

    return list(openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def test_every_vendor_exception_is_mapped() -> None:
    import openvino

    raised = {
        found
        for found in vars(openvino._pyopenvino).values()
        if isinstance(found, type) and issubclass(found, BaseException)
    }
    assert len(raised) >= 5
    assert raised <= set(open_vino.vendor_kinds(openvino))


def test_f32_is_f32_even_where_the_plugin_would_take_bf16(tmp_path: Path) -> None:
    evidence = opened(tiny_models.xml_file(tmp_path), precision="f32").evidence()
    assert evidence["precision"] == "f32"
    assert "matrix products: 1 f32" in evidence["detail"]


def test_the_plugins_own_choice_is_reported(tmp_path: Path) -> None:
    if "BF16" not in capabilities():
        pytest.skip("this CPU has no bfloat16 for the plugin to choose")
    evidence = opened(tiny_models.xml_file(tmp_path), precision=None).evidence()
    assert evidence["precision"] == "bf16"


def test_integer_layers_are_counted_as_i8(tmp_path: Path) -> None:
    import nncf
    import openvino

    model = openvino.Core().read_model(tiny_models.xml_file(tmp_path))
    samples = np.random.default_rng(0).standard_normal((8, 2, 16)).astype("float32")
    quantized = nncf.quantize(model, nncf.Dataset(list(samples)), subset_size=8)
    path = tmp_path / "int8.xml"
    openvino.save_model(quantized, path)
    evidence = opened(path).evidence()
    assert evidence["precision"] == "i8"
    assert "matrix products: 1 i8" in evidence["detail"]


@pytest.mark.parametrize(("group", "precision"), [(0, "f32"), (32, None)])
def test_compressed_weights_are_not_taken_for_integer_arithmetic(
    group: int, precision: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nncf
    import openvino

    model = openvino.Core().read_model(tiny_models.xml_file(tmp_path))
    path = tmp_path / "narrow.xml"
    openvino.save_model(nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM), path)
    session = opened(path, precision="f32")
    get = session._compiled.get_property
    compiled = SimpleNamespace(
        get_runtime_model=session._compiled.get_runtime_model,
        get_property=lambda name: group if name.startswith("DYNAMIC") else get(name),
    )
    monkeypatch.setattr(session, "_compiled", compiled)
    evidence = session.evidence()
    assert evidence["precision"] == precision
    assert "f32 on weights of u8" in evidence["detail"]
    assert f"groups of {group} (0 = never)" in evidence["detail"]


def test_f16_weights_are_reported_as_what_they_compute_in(tmp_path: Path) -> None:
    import openvino

    path = tmp_path / "fp16.xml"
    model = openvino.Core().read_model(tiny_models.xml_file(tmp_path))
    openvino.save_model(model, path, compress_to_fp16=True)
    assert opened(path, precision="f32").evidence()["precision"] == "f32"


def test_threads_devices_and_nodes_are_those_compiled(tmp_path: Path) -> None:
    evidence = opened(tiny_models.xml_file(tmp_path)).evidence()
    assert evidence["threads"] == 2
    assert evidence["provider"] == "CPU"
    assert evidence["nodes_on_provider"] == evidence["nodes_total"] >= 1
    assert "1 stream(s)" in evidence["detail"]


def test_shapes_are_bound_before_compiling(tmp_path: Path) -> None:
    assert opened(tiny_models.xml_file(tmp_path)).inputs[0]["shape"] == [2, 16]


def test_open_dimensions_stay_open_without_shapes(tmp_path: Path) -> None:
    session = opened(tiny_models.onnx_file(tmp_path), shapes=None)
    assert session.inputs == [{"name": "x", "dtype": "float32", "shape": [-1, 16]}]
    for batch in (1, 3):
        x = np.ones((batch, 16), "float32")
        (answer,) = session.outputs(session.infer(session.bind({"x": x}))).values()
        np.testing.assert_allclose(
            answer, tiny_models.expected(x), rtol=2e-2
        )  # it may run in bfloat16


def test_inputs_without_names_are_numbered(tmp_path: Path) -> None:
    import openvino
    from openvino import opset13 as ops

    x = ops.parameter([1, 4], np.float32)
    path = tmp_path / "nameless.xml"
    openvino.save_model(openvino.Model([ops.relu(x), ops.abs(x)], [x]), path)
    path.write_text(re.sub(r' names="[^"]*"', "", path.read_text()))
    session = open_vino.open(str(path), {})
    raw = session.infer(session.bind({"anything": np.ones((1, 4), "float32")}))
    assert [entry["name"] for entry in session.inputs] == ["input_0"]
    assert len(session.outputs(raw)) == 2


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    path = tiny_models.xml_file(tmp_path)
    path.with_suffix(".bin").unlink()
    with pytest.raises(BackendError, match="bin file") as caught:
        opened(path)
    assert caught.value.kind == "load"


def test_a_precision_it_does_not_have_is_unsupported(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="'f8'") as caught:
        opened(tiny_models.xml_file(tmp_path), precision="f8")
    assert caught.value.kind == "unsupported"


def test_read_only_arrays_are_bound(tmp_path: Path) -> None:
    x = np.ones((2, 16), "float32")
    x.flags.writeable = False
    session = opened(tiny_models.xml_file(tmp_path), precision="f32")
    (answer,) = session.outputs(session.infer(session.bind({"x": x}))).values()
    np.testing.assert_allclose(answer, tiny_models.expected(x), rtol=1e-5)
