"""The build cache and its workers, with a scripted toolchain: real processes, no real runtime."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from harness.errors import StoreError, UsageError
from harness.types import Artifact
from suites import build
from suites.artifacts import cache as keys
from suites.artifacts import inspection, process, site
from suites.models import Inspector, ModelOptions
from suites.models.binding import Inspection
from suites.variants import TOOLCHAINS

SCRIPTED = Path(__file__).parent / "fixtures" / "toolchains"


@pytest.fixture(autouse=True)
def scripted(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTED))
    monkeypatch.setenv("PYTHONPATH", str(SCRIPTED))
    monkeypatch.setitem(TOOLCHAINS, "null", "scripted_tools")


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def run(cache, *variants):
    events = []
    wanted = build.Wanted(build.source("null-model", ModelOptions(), cache), variants, ("null",))
    (result,) = build.build_all([wanted], cache, events.append)
    return {variant: result.artifacts[variant, "null"] for variant in variants}, result, events


def test_an_artifact_has_its_content_as_identity(cache):
    made, result, _ = run(cache, "fp32", "two-files")
    one, two = made["fp32"], made["two-files"]
    assert isinstance(one, Artifact) and isinstance(two, Artifact)
    assert Path(one.path).read_text() == "null-model fp32"
    assert one.sha256 == keys.file_sha256(Path(one.path))
    assert one.files == () and one.size_bytes == len("null-model fp32")
    assert [Path(name).name for name in two.files] == ["model.bin"]
    assert two.size_bytes == len("null-model two-files") + 5
    assert two.notes == ("made by script",)
    assert two.toolchain == f"numpy {np.__version__}"
    assert result.model.name == "null-model"


def test_a_second_call_starts_no_worker(cache, monkeypatch):
    first, before, _ = run(cache, "fp32", "unsupported")

    def no_process(*arguments, **options):
        raise AssertionError("a worker was started")

    monkeypatch.setattr(process.subprocess, "Popen", no_process)
    second, after, events = run(cache, "fp32", "unsupported")
    assert second == first and after == before
    assert first["unsupported"] == "this toolchain makes no such variant"
    assert events == []
    wanted = build.Wanted(build.source("null-model", ModelOptions(), cache), ("fp32",), ("null",))
    assert build.is_cached([wanted], cache)


def test_only_the_missing_variant_is_built(cache):
    run(cache, "fp32")
    made, _, events = run(cache, "fp32", "fp16")
    assert isinstance(made["fp16"], Artifact)
    assert [(event.kind, event.variant) for event in events] == [
        ("start", "fp16"),
        ("done", "fp16"),
    ]
    assert events[-1].done == events[-1].total == 1


@pytest.mark.parametrize(
    ("variant", "words"),
    [
        ("killed", "killed by SIGKILL"),
        ("exits", "ended with code 3"),
        ("error", "RuntimeError: first line"),
    ],
)
def test_a_failure_costs_its_variant_only_and_is_not_remembered(cache, variant, words):
    made, _, events = run(cache, "before", variant, "after")
    assert isinstance(made["before"], Artifact) and isinstance(made["after"], Artifact)
    assert words in made[variant]
    assert [event.variant for event in events if event.kind == "failed"] == [variant]
    assert events[-1].done == events[-1].total == 4
    _, _, again = run(cache, "before", variant, "after")
    assert [event.variant for event in again] == [variant, variant]


def test_a_hanging_toolchain_is_stopped(cache, monkeypatch):
    monkeypatch.setattr(site, "VARIANT_PATIENCE_S", 1.5)
    made, _, _ = run(cache, "hang", "after")
    assert "no result within" in made["hang"]
    assert isinstance(made["after"], Artifact)


def test_a_full_disk_is_one_sentence(cache):
    with pytest.raises(StoreError, match="No space left on device"):
        run(cache, "fp32", "full")
    assert not list(cache.glob(".part-*"))


def test_a_disk_that_fills_while_a_file_is_looked_at_is_one_sentence(cache, monkeypatch):
    def fills_up(path, record):
        raise OSError(28, "No space left on device")

    seen = Inspection(inputs=(), outputs=())
    cache.mkdir()
    monkeypatch.setattr(inspection, "write_json", fills_up)
    look = inspection.cached_inspector(cache, Inspector(file=lambda path, kind: seen, hub=Path))
    with pytest.raises(StoreError, match="No space left on device"):
        look.file(Path(__file__), "onnx")
    assert not list(cache.glob(".part-*"))


def test_a_build_that_is_interrupted_did_not_fail(cache, monkeypatch):
    told = []

    def interrupted(*futures, **options):
        while not told:
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(site, "wait", interrupted)
    want = build.Wanted(build.source("null-model", ModelOptions(), cache), ("fp32",), ("null",))
    with pytest.raises(KeyboardInterrupt):
        build.build_all([want], cache, told.append)
    assert [event.kind for event in told] == ["start"]


def test_an_unwritable_cache_is_one_sentence(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    with pytest.raises(StoreError, match="cannot write the build cache"):
        build.source("null-model", ModelOptions(), blocked / "cache")


def test_an_entry_that_lost_its_file_is_built_again(cache):
    made, _, _ = run(cache, "fp32")
    Path(made["fp32"].path).unlink()
    again, _, events = run(cache, "fp32")
    assert Path(again["fp32"].path).exists()
    assert [event.kind for event in events] == ["start", "done"]


def test_a_new_revision_builds_again(cache, monkeypatch):
    run(cache, "fp32")
    import scripted_tools

    monkeypatch.setattr(scripted_tools, "REVISION", 2)
    _, _, events = run(cache, "fp32")
    assert [event.kind for event in events] == ["start", "done"]


def test_no_part_stays_behind(cache):
    run(cache, "fp32", "killed", "unsupported")
    assert not list(cache.glob(".part-*"))


def test_an_interrupt_ends_the_workers(cache, monkeypatch):
    started = []
    real = subprocess.Popen

    def remember(*arguments, **options):
        started.append(real(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(process.subprocess, "Popen", remember)

    def interrupt(event):
        if event.variant == "hang":
            raise KeyboardInterrupt

    wanted = build.Wanted(build.source("null-model", ModelOptions(), cache), ("hang",), ("null",))
    with pytest.raises(KeyboardInterrupt):
        build.build_all([wanted], cache, interrupt)
    assert len(started) == 2
    assert all(process.poll() is not None for process in started)


def test_the_evaluation_comes_back_as_it_was(cache):
    _, result, _ = run(cache, "fp32")
    evaluation = build.load_evaluation(result.evaluation)
    assert list(evaluation.inputs) == ["x"] and evaluation.inputs["x"].shape == (8, 4)
    assert evaluation.inputs["x"].dtype == np.float32
    assert evaluation.labels is None
    source = build.source("null-model", ModelOptions(), cache)
    quality = source.score({"out:0": evaluation.inputs["x"]}, evaluation)
    assert (quality.value, quality.fidelity, quality.n) == (1.0, 1.0, 8)


def test_a_seed_is_another_material(cache):
    sources = [build.source("null-model", ModelOptions(seed=seed), cache) for seed in (0, 1)]
    assert len({keys.material_key(source) for source in sources}) == 2


def test_unknown_models_and_options_are_refused(cache):
    with pytest.raises(UsageError, match="did you mean digits-cnn"):
        build.source("digit-cnn", ModelOptions(), cache)
    with pytest.raises(UsageError, match="--shape does not apply"):
        build.source("null-model", ModelOptions(shapes={"x": (1, 4)}), cache)
    with pytest.raises(UsageError, match="no such model file"):
        build.source("absent.onnx", ModelOptions(), cache)
    for name in ("new\nline.onnx", "\udcff.onnx"):
        with pytest.raises(UsageError, match="rename it"):
            build.source(name, ModelOptions(), cache)


def test_the_desk_imports_nothing_heavy():
    script = (
        "import sys; from pathlib import Path; from suites import build\n"
        "from suites.models import *\n"
        "zoo(); [build.resolve(w, ModelOptions(), None) for w in ('digits-cnn', 'null-model')]\n"
        "heavy = {'torch', 'onnx', 'onnxruntime', 'openvino', 'sklearn', 'transformers', 'scipy',"
        " 'pandas', 'ai_edge_litert'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
