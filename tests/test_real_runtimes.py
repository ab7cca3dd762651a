"""The main job on real runtimes and a real model: what a row says must be what ran."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness import cli

pytestmark = pytest.mark.toolchain

RUN = ["run", "--blocks", "1", "--budget", "2s", "--no-report", "--json"]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, int], dict[str, Any]]:
    """Measure the digits classifier on four runtimes, once."""
    folder = tmp_path_factory.mktemp("real")
    words = [*RUN, "--model", "digits-cnn", "--variants", "fp32,int8-dynamic", "--batch", "1,4"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOARDMARK_CACHE", str(folder / "cache"))
        assert cli.main([*words, "--store", str(folder / "store")]) == 0
        store = ["--store", str(folder / "store")]
        target = folder / "rows.json"
        assert cli.main(["export", "--output", str(target), *store]) == 0
    found = json.loads(target.read_text())
    return {(row["variant"], row["backend"], row["batch"]): row for row in found}


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino", "tflite", "torch"])
@pytest.mark.parametrize("variant", ["fp32", "int8-dynamic"])
def test_a_row_has_figures_quality_and_evidence(rows: Any, variant: str, backend: str) -> None:
    row = rows[variant, backend, 1]
    assert row["status"] == "ok", row["reason"]
    assert 0 < row["latency_p50_s"] < 1
    assert row["throughput_per_s"] < 1.05 / row["latency_min_s"]
    assert row["peak_rss_bytes"] >= row["baseline_rss_bytes"] > 1e6
    assert row["quality_metric"] == "top1"
    assert row["quality"] > 0.95
    assert abs(row["quality_loss"]) < 0.03
    assert row["fidelity"] > 0.98
    evidence = row["evidence"]
    assert row["runtime_version"].startswith(evidence["version"].partition("+")[0][:6])
    assert evidence["threads"] == row["threads"]
    assert evidence["provider"]


def test_a_quantized_level_is_smaller_and_fp32_loses_nothing(rows: Any) -> None:
    for backend in ("onnxruntime", "openvino", "tflite", "torch"):
        small, full = rows["int8-dynamic", backend, 1], rows["fp32", backend, 1]
        assert small["size_bytes"] < full["size_bytes"]
        assert full["quality_loss"] == 0
        assert full["fidelity"] == pytest.approx(1, abs=1e-5)


def test_batches_count_their_samples_or_say_why_not(rows: Any) -> None:
    batched = rows["fp32", "onnxruntime", 4]
    assert batched["scenario"] == "offline"
    # a loaded machine makes a few calls so long that the mean is far from the median
    assert 0.02 < batched["throughput_per_s"] * batched["latency_p50_s"] / 4 < 1.5
    frozen = rows["fp32", "tflite", 4]
    assert frozen["verdict"] == "skipped"
    assert "cannot be resized" in frozen["reason"]


def test_a_users_onnx_file_runs_where_it_can_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import tiny_models

    monkeypatch.setenv("BOARDMARK_CACHE", str(tmp_path / "cache"))
    path = tiny_models.onnx_file(tmp_path)
    words = [*RUN, "--model", str(path), "--variants", "fp32,int8-static"]
    words += ["--backends", "onnxruntime,openvino", "--store", str(tmp_path / "store")]
    assert cli.main(words) == 0
    found = json.loads(capsys.readouterr().out)
    by_case = {(row["variant"], row["backend"]): row for row in found}
    for backend in ("onnxruntime", "openvino"):
        assert by_case["fp32", backend]["status"] == "ok"
        assert "calibration" in by_case["int8-static", backend]["reason"]
    assert "FP32" in by_case["fp32", "onnxruntime"]["quality_reason"]
