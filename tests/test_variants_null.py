"""The null toolchain: deterministic scripts, ordered like real variants."""

from __future__ import annotations

import json
from pathlib import Path

from harness.types import Model, TensorSpec
from suites.variants import VARIANTS, Material, null_tools

MODEL = Model(
    name="null-model",
    origin="null",
    digest="0",
    inputs=(TensorSpec(name="x", dtype="float32", shape=(1, 4)),),
)
MATERIAL = Material(MODEL, None, None, None, None, None, ())


def test_variants_order_by_latency_and_size(tmp_path: Path) -> None:
    latencies, sizes = [], []
    for variant in VARIANTS:
        (tmp_path / variant).mkdir()
        built = null_tools.build(variant, MATERIAL, tmp_path / variant)
        latencies.append(json.loads(built.path.read_text())["latency_us"])
        sizes.append(built.path.stat().st_size)
    assert latencies == [2000, 1600, 1000, 900, 800]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0] / 4


def test_building_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first = null_tools.build("int4", MATERIAL, tmp_path).path.read_bytes()
    assert null_tools.build("int4", MATERIAL, tmp_path).path.read_bytes() == first


def test_the_null_backend_plays_the_script_and_echoes(tmp_path: Path) -> None:
    from backends import null

    session = null.open(str(null_tools.build("int8-static", MATERIAL, tmp_path).path), {})
    assert session.inputs == [{"name": "x", "dtype": "float32", "shape": [-1, 4]}]
    feed = session.bind({"x": [1.0, 2.0]})
    assert session.outputs(session.infer(feed)) == {"x": [1.0, 2.0]}
    session.close()
