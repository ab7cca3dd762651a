from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models

from backends import BackendError, onnx_runtime

pytestmark = pytest.mark.toolchain


def ran(path: Path, **options: Any) -> tuple[np.ndarray, dict[str, Any]]:
    session = onnx_runtime.open(str(path), {"threads": 2, **options})
    feed = session.bind({"x": np.ones((2, 16), "float32")})
    (answer,) = session.outputs(session.infer(feed)).values()
    evidence = session.evidence()
    session.close()
    return answer, evidence


def test_every_vendor_exception_is_mapped() -> None:
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    raised = {
        found
        for found in vars(state).values()
        if isinstance(found, type) and issubclass(found, BaseException)
    }
    assert len(raised) >= 15
    assert raised <= set(onnx_runtime.vendor_kinds(onnxruntime))


def test_threads_and_provider_are_the_sessions_own(tmp_path: Path) -> None:
    _, evidence = ran(tiny_models.onnx_file(tmp_path))
    assert evidence["threads"] == 2
    assert evidence["provider"] == "CPUExecutionProvider"
    assert evidence["nodes_on_provider"] == evidence["nodes_total"] == 2  # MatMul + Add = Gemm


def test_f16_weights_are_reported_as_what_they_compute_in(tmp_path: Path) -> None:
    answer, evidence = ran(tiny_models.onnx_file(tmp_path, dtype="float16"))
    assert answer.dtype == np.float16
    if onnx_runtime._computes_f16():
        assert evidence["precision"] is None
        assert "not visible" in evidence["detail"]
    else:
        assert evidence["precision"] == "f32"
        assert "widened" in evidence["detail"]


def test_a_cpu_with_half_precision_vectors_leaves_the_float_type_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_runtime, "_computes_f16", lambda: True)
    assert ran(tiny_models.onnx_file(tmp_path))[1]["precision"] is None


def test_integer_operators_are_i8(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from onnxruntime.quantization import quantize_dynamic

    quantized = tmp_path / "dynamic.onnx"
    quantize_dynamic(tiny_models.onnx_file(tmp_path), quantized)
    _, evidence = ran(quantized)
    assert evidence["precision"] == "i8"
    assert evidence["detail"] == "1 of 1 matrix products are integer operators"


def test_what_the_last_fusion_hides_stays_unknown(tmp_path: Path) -> None:
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Samples(CalibrationDataReader):
        def __init__(self) -> None:
            self.rows = iter(np.random.default_rng(0).standard_normal((8, 1, 16)).astype("f4"))

        def get_next(self) -> dict[str, np.ndarray] | None:
            row = next(self.rows, None)
            return None if row is None else {"x": row}

    quantized = tmp_path / "static.onnx"
    quantize_static(tiny_models.onnx_file(tmp_path), quantized, Samples())
    _, evidence = ran(quantized)
    assert evidence["precision"] is None
    assert "QuantizeLinear around 1 matrix products" in evidence["detail"]


def test_narrow_weights_do_not_tell_the_arithmetic() -> None:
    precision, detail = onnx_runtime._precision(["MatMulNBits", "MatMul", "Add"])
    assert precision is None
    assert "1 of 2" in detail


def test_a_version_that_cannot_tell_leaves_the_nodes_open(tmp_path: Path) -> None:
    session = onnx_runtime.open(str(tiny_models.onnx_file(tmp_path)), {"threads": 1})
    native = session._native

    class Older:
        get_session_options = native.get_session_options
        get_providers = native.get_providers

    session._native = Older()
    evidence = session.evidence()
    assert evidence["nodes_total"] is None
    assert evidence["precision"] is None
    assert "does not tell" in evidence["detail"]


def test_a_frozen_batch_is_unsupported(tmp_path: Path) -> None:
    path = tiny_models.onnx_file(tmp_path, batch=1)
    with pytest.raises(BackendError, match=r"\[8, 16\] was asked for") as caught:
        ran(path, shapes={"x": [8, 16]})
    assert caught.value.kind == "unsupported"


def test_an_operator_nobody_implements_is_refused_in_one_sentence(tmp_path: Path) -> None:
    import onnx

    model = onnx.load(tiny_models.onnx_file(tmp_path))
    model.graph.node[2].op_type = "Relooo"
    path = tmp_path / "unknown.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BackendError, match="Relooo"):
        ran(path)
