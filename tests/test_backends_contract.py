"""Every row of the name table keeps the contract that backends/__init__ states."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models

import backends
from backends import BackendError

pytestmark = pytest.mark.toolchain

ROOT = Path(__file__).parent.parent
OTHER_INTERPRETER = ROOT / ".venv-tflite-runtime" / "bin" / "python"
HERE = [name for name in backends.TABLE if name != "tflite-runtime"]
REAL = [name for name in HERE if name != "null"]
MODULES = {
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "tflite": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
    "torch": "torch",
    "torch-export": "torch",
    "torch-script": "torch",
}


@pytest.fixture(autouse=True)
def torch_as_it_was() -> Iterator[None]:
    """A backend owns its process and turns gradients off; the tests share one."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_grad_enabled(True)


def options(name: str, **more: Any) -> dict[str, Any]:
    return {"threads": 1, "precision": "f32", **more, **backends.TABLE[name]["fixed"]}


def opened(name: str, folder: Path, batch: int = 1) -> Any:
    path = tiny_models.MAKERS[backends.TABLE[name]["formats"][0]](folder)
    shapes = {"x": [batch, 16]}
    return backends.load(name).open(str(path), options(name, shapes=shapes))


def draw(batch: int = 1) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(7)
    return {"x": generator.standard_normal((batch, 16)).astype("float32")}


def test_the_table_is_whole() -> None:
    for name, row in backends.TABLE.items():
        assert set(row) == {"module", "formats", "install", "fixed"}, name
        assert importlib.util.find_spec(row["module"]), name
        assert row["formats"], name
        assert set(row["formats"]) <= set(tiny_models.MAKERS), name


@pytest.mark.parametrize("name", HERE)
def test_probe_tells_a_version(name: str) -> None:
    assert backends.load(name).probe(backends.TABLE[name]["fixed"])["version"][0].isdigit()


@pytest.mark.parametrize("name", HERE)
def test_a_session_declares_binds_runs_and_reports(name: str, tmp_path: Path) -> None:
    session = opened(name, tmp_path)
    assert [set(entry) for entry in session.inputs] == [{"name", "dtype", "shape"}]
    assert session.inputs[0]["dtype"] == "float32"
    assert session.inputs[0]["shape"][-1] in (16, -1)
    outputs = session.outputs(session.infer(session.bind(draw())))
    assert all(isinstance(output, np.ndarray) for output in outputs.values())
    began = time.perf_counter()
    evidence = session.evidence()
    assert time.perf_counter() - began < 0.1
    assert tuple(evidence) == backends.EVIDENCE
    assert json.loads(json.dumps(evidence)) == evidence
    assert evidence["threads"] == 1
    assert evidence["precision"] == "f32"
    assert 0 < evidence["nodes_on_provider"] <= evidence["nodes_total"]
    session.close()


@pytest.mark.parametrize("name", [name for name in REAL if name != "tflite"])
@pytest.mark.parametrize("batch", [1, 5])
def test_it_computes_the_layer(name: str, batch: int, tmp_path: Path) -> None:
    session = opened(name, tmp_path, batch)
    inputs = draw(batch)
    (answer,) = session.outputs(session.infer(session.bind(inputs))).values()
    np.testing.assert_allclose(answer, tiny_models.expected(inputs["x"]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", REAL)
def test_an_answer_survives_the_next_call(name: str, tmp_path: Path) -> None:
    session = opened(name, tmp_path)
    first = session.infer(session.bind(draw()))
    kept = {key: np.array(value) for key, value in session.outputs(first).items()}
    session.infer(session.bind({"x": np.full((1, 16), 9, "float32")}))
    for key, value in session.outputs(first).items():
        np.testing.assert_array_equal(value, kept[key])


@pytest.mark.parametrize("name", REAL)
def test_each_call_reads_its_own_buffer(name: str, tmp_path: Path) -> None:
    session = opened(name, tmp_path)
    feeds = [session.bind({"x": np.full((1, 16), value, "float32")}) for value in (1, -2)]
    answers = [
        [np.array(v) for v in session.outputs(session.infer(feed)).values()] for feed in feeds
    ]
    assert not np.array_equal(answers[0][0], answers[1][0])


@pytest.mark.parametrize("name", REAL)
def test_another_name_and_dtype_is_bound_by_position(name: str, tmp_path: Path) -> None:
    session = opened(name, tmp_path)
    native = draw()["x"]
    foreign = session.bind({"elsewhere": native.astype("float64")[:, ::-1][:, ::-1]})
    same = session.outputs(session.infer(session.bind({"x": native})))
    for left, right in zip(
        session.outputs(session.infer(foreign)).values(), same.values(), strict=True
    ):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("name", REAL)
def test_a_wrong_number_of_inputs_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="1 inputs") as caught:
        opened(name, tmp_path).bind({"x": draw()["x"], "y": draw()["x"]})
    assert caught.value.kind == "infer"


@pytest.mark.parametrize("name", REAL)
def test_a_shape_the_model_cannot_take_is_unsupported(name: str, tmp_path: Path) -> None:
    path = tiny_models.MAKERS[backends.TABLE[name]["formats"][0]](tmp_path)
    with pytest.raises(BackendError) as caught:
        backends.load(name).open(str(path), options(name, shapes={"x": [1, 17]}))
    assert caught.value.kind == "unsupported"
    assert "17" in caught.value.message


@pytest.mark.parametrize("name", REAL)
def test_a_wrong_feed_fails_as_infer(name: str, tmp_path: Path) -> None:
    session = opened(name, tmp_path)
    with pytest.raises(BackendError) as caught:
        session.infer(session.bind({"x": np.zeros((1, 3), "float32")}))
    assert caught.value.kind == "infer"
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("name", MODULES)
def test_a_missing_runtime_is_one_sentence_with_the_way_to_get_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, MODULES[name], None)
    with pytest.raises(BackendError) as caught:
        backends.load(name).probe(backends.TABLE[name]["fixed"])
    assert caught.value.kind == "missing"
    assert caught.value.message.startswith(name + " ")
    assert backends.TABLE[name]["install"] in caught.value.message
    assert "\n" not in caught.value.message


CORRUPT = {
    "empty": b"",
    "eight bytes": b"\x18\x00\x00\x00TFL3",
    "random": np.random.default_rng(3).bytes(3000),
    "text": b"<?xml version='1.0'?><net",
}
_TRY_ALL = """
import json, sys
import backends
name, *paths = sys.argv[1:]
module = backends.load(name)
for path in paths:
    try:
        module.open(path, dict(backends.TABLE[name]["fixed"], threads=1))
        answer = ["opened", path]
    except backends.BackendError as error:
        answer = [error.kind, error.message]
    print(json.dumps(answer), flush=True)
"""


@pytest.mark.parametrize("name", REAL)
def test_no_corrupt_file_ends_the_interpreter(name: str, tmp_path: Path) -> None:
    form = backends.TABLE[name]["formats"][0]
    good = tiny_models.MAKERS[form](tmp_path)
    files = [tmp_path / "absent.bin"]
    for label, content in {**CORRUPT, "truncated": good.read_bytes()[:-200]}.items():
        files.append(tmp_path / f"bad {label}{good.suffix}")
        files[-1].write_bytes(content)
    run = subprocess.run(
        [sys.executable, "-c", _TRY_ALL, name, *map(str, files)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",  # runtimes quote the file's own bytes on stderr
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    answers = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("[")]
    assert len(answers) == len(files)
    for path, (kind, message) in zip(files, answers, strict=True):
        assert kind == "load", (path.name, message)
        assert message.startswith("the model was refused: "), path.name
        assert len(message) < 330, path.name
        assert "\n" not in message, path.name


@pytest.mark.skipif(not OTHER_INTERPRETER.exists(), reason="make install-tflite-runtime makes it")
def test_tflite_runtime_runs_in_an_interpreter_of_its_own() -> None:
    script = """
import json, numpy, backends
module = backends.load("tflite-runtime")
session = module.open(PATH, {"flavour": "tflite_runtime", "threads": 2, "shapes": {"x": [3, 16]}})
outputs = session.outputs(session.infer(session.bind({"x": numpy.ones((3, 16), "float32")})))
print(json.dumps([session.evidence(), [value.tolist() for value in outputs.values()]]))
""".replace("PATH", repr(str(tiny_models.tflite_file(ROOT))))
    run = subprocess.run(
        [OTHER_INTERPRETER, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    evidence, ((row, *_),) = json.loads(run.stdout.splitlines()[-1])
    assert tuple(evidence) == backends.EVIDENCE
    assert evidence["provider"] == "XNNPACK"
    np.testing.assert_allclose(row, [-0.0898, -0.1364, 0.3867, -0.2378], atol=1e-3)
