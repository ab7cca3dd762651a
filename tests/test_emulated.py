"""Boards that are not here: what they show, what is left of an answer, how outputs are compared."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import devices
from harness.agent.identify import identify
from harness.errors import UsageError
from harness.plan.cases import Grounds, make
from harness.plan.choice import Choice
from harness.plan.points import Point
from harness.session import emulating
from harness.session.boards import Board
from harness.session.schedule import State
from harness.transport.emulated import agreement, enclosure, recipe, root, timeless, tree
from harness.transport.local import LocalTransport
from harness.types import Artifact, Case, Json, Model, Run, SessionPlan, TensorSpec
from reports import emulation as reported
from reports.html import page
from reports.session import SessionView
from reports.text import table
from results.cases import summarise
from results.export import to_csv, to_json

EMULATED = [name for name in devices.names() if devices.load(name).emulation]
SPEC = TensorSpec(name="x", dtype="float32", shape=(1, 4))


@pytest.mark.parametrize("name", EMULATED)
def test_the_agent_takes_the_files_of_a_profile_for_that_board(name: str, tmp_path: Path) -> None:
    device = devices.load(name)
    tree.write(device, tmp_path)
    found = identify(str(tmp_path))
    assert devices.match(found) == device
    assert [row["id"] for row in found["cores"]] == sorted(
        core for cluster in device.clusters for core in cluster.ids
    )
    assert found["isa"] == list(device.isa)
    assert found["arch"] == device.arch
    assert abs((found["ram_bytes"] or 0) - (device.ram_bytes or 0)) < 1024


@pytest.mark.parametrize("name", EMULATED)
def test_nothing_of_this_host_stands_in_for_what_a_profile_lacks(name: str, tmp_path: Path) -> None:
    tree.write(devices.load(name), tmp_path)
    found = identify(str(tmp_path))
    for key in ("kernel", "load_1m", "swap_bytes", "available_bytes", "turbo"):
        assert found[key] is None
        assert found["unknown"][key]


def test_an_arm_core_has_the_register_that_kernels_are_chosen_by() -> None:
    found = tree.files(devices.load("pi4b"))
    register = "sys/devices/system/cpu/cpu3/regs/identification/midr_el1"
    assert int(found[register], 16) >> 4 & 0xFFF == 0xD08
    assert found["sys/devices/system/cpu/cpu3/topology/package_cpus"] == "f\n"


@given(st.sets(st.integers(0, 200)))
def test_ranges_of_cores_name_each_core_once(cores: set[int]) -> None:
    text = tree._ranges(cores)
    parts = [part.split("-") for part in text.split(",")] if text else []
    named = [one for part in parts for one in range(int(part[0]), int(part[-1]) + 1)]
    assert named == sorted(cores)


TIMED = {
    "event": "finished",
    "id": 7,
    "status": "ok",
    "reason": None,
    "started_unix_s": 1.7e9,
    "duration_s": 12.5,
    "result": {
        "samples_ns": [1, 2],
        "warmup_ns": [3],
        "import_s": 1.0,
        "load_s": 1.0,
        "first_inference_s": 1.0,
        "timed_wall_s": 2.0,
        "own": {"wall_s": 1.0, "cpu_s": 1.0},
        "host": {"sentinel_ns": [1, 2]},
        "power": {"power_w": 3.0},
        "watch": {"t_s": [1.0]},
        "never_heard_of_s": 4.0,
        "memory": {"baseline": {"hwm_bytes": 5}},
        "peak_rss_bytes": 9,
        "evidence": {"threads": 4},
        "evaluated": 8,
        "phase": "done",
    },
}


def _keys(value: object) -> list[str]:
    if not isinstance(value, dict):
        return []
    return [*value, *(key for part in value.values() for key in _keys(part))]


def test_an_answer_keeps_no_time_and_nothing_that_is_not_known_to_be_none() -> None:
    left = timeless.answer(TIMED)
    assert left["duration_s"] == 0.0
    timed = [key for key in _keys(left["result"]) if key.endswith(("_s", "_ns", "_w", "_hz"))]
    assert not timed
    assert left["result"]["peak_rss_bytes"] == 9
    assert left["result"]["evidence"] == {"threads": 4}


def test_a_death_of_an_instruction_is_a_case_to_leave_out_and_other_deaths_are_failures() -> None:
    died = {"status": "crashed", "reason": "died of SIGILL: x", "result": {"phase": "imported"}}
    told = timeless.explained(died, "Box", "Denverton")
    assert told["status"] == "skipped"
    assert told["reason"] == (
        "does not run on the Box: it died of SIGILL after the phase 'imported', an instruction that"
        " Denverton lacks"
    )
    other = {**died, "reason": "died of SIGSEGV: x"}
    assert timeless.explained(other, "Box", "Denverton") == other


def _saved(path: Path, **arrays: Any) -> Path:
    np.savez(str(path), **arrays)
    return path


def test_outputs_are_compared_by_their_worst_value_and_their_worst_sample(tmp_path: Path) -> None:
    native = _saved(tmp_path / "a.npz", o=np.array([[1.0, 0.0], [0.0, 2.0]], "float32"))
    other = _saved(tmp_path / "b.npz", o=np.array([[1.0, 0.0], [0.5, 2.0]], "float32"))
    found = agreement.compare(other, native)
    assert found["difference"] == 0.5
    assert found["largest"] == 2.0
    assert found["cosine"] == pytest.approx(2 / np.hypot(0.5, 2))
    assert found["samples"] == 2
    same = agreement.compare(native, native)
    assert (same["difference"], same["cosine"]) == (0.0, pytest.approx(1.0))


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        (np.array([[np.nan, 1.0]]), "not every output is a finite number"),
        (np.array([[1.0, 1.0, 1.0]]), "the outputs have other shapes than natively"),
        (np.array(["a"], object), "the outputs are not numbers"),
    ],
)
def test_what_cannot_be_compared_has_a_reason(outputs: Any, reason: str, tmp_path: Path) -> None:
    native = _saved(tmp_path / "a.npz", o=np.array([[1.0, 2.0]]))
    other = _saved(tmp_path / "b.npz", o=outputs)
    assert agreement.compare(other, native) == {"reason": reason}


def _plan(tmp_path: Path) -> SessionPlan:
    artifact = Artifact(
        path=str(tmp_path / "m"), format="onnx", sha256="0" * 64, size_bytes=90_000_000
    )
    case = Case(
        device="n5105", model="m", model_digest="1", variant="fp32", backend="onnxruntime",
        runtime_version="1", interpreter="/usr/bin/python3", scenario="single-stream", batch=1,
        threads=4, affinity=None, inputs=(SPEC,), artifact=artifact, options={},
    )  # fmt: skip
    anchor = msgspec.structs.replace(case, model="anchor", side="anchor-1")
    model = Model(name="m", origin="random", digest="1", inputs=(SPEC,))
    order = ((case.key, anchor.key),) * 5
    environment = {"emulated": {"qemu": "7", "cpu_model": "Denverton", "system": "Debian"}}
    return SessionPlan(
        session_id="s", created_unix_s=1.0, command=("run",), suite="quick", device="n5105",
        seed=0, blocks=5, cases=(case,), skipped=(), order=order, sampling={"planned_s": 60.0},
        models=(model,), environment=environment, harness_version="0", anchors=(anchor,),
    )  # fmt: skip


def test_an_emulated_plan_runs_each_case_once_under_a_key_of_its_own(tmp_path: Path) -> None:
    before = _plan(tmp_path)
    plan = emulating.plan(before)
    assert (plan.kind, plan.blocks, plan.anchors) == ("emulation", 1, ())
    assert plan.order == ((plan.cases[0].key,),)
    assert plan.cases[0].key != before.cases[0].key
    assert plan.sampling["planned_s"] is None
    state = State(runs=(), spent_s=0.0, given_up=frozenset(), cost_s=lambda keys: 0.0)
    schedule = emulating.OnceSchedule(plan)
    block = schedule.next(state)
    assert block is not None
    assert block.keys == plan.order[0]
    done = (_run(plan),)
    assert schedule.next(msgspec.structs.replace(state, runs=done)) is None


def _run(plan: SessionPlan) -> Run:
    result: Json = {
        "memory": {"baseline": {"hwm_bytes": 44_000_000, "anon_bytes": 1, "file_bytes": 1}},
        "peak_rss_bytes": 99_000_000,
        "native": {"difference": 0.25, "largest": 8.0, "cosine": 0.999, "samples": 8},
    }
    return Run(
        run_id="r", session_id="s", seq=0, block=0, case_key=plan.cases[0].key, status="ok",
        reason=None, started_unix_s=1.0, duration_s=0.0, result=result,
    )  # fmt: skip


def test_a_row_is_marked_and_has_no_time_in_any_export_or_report(tmp_path: Path) -> None:
    plan = emulating.plan(_plan(tmp_path))
    runs = (_run(plan),)
    rows = summarise(plan, runs, sealed=True)
    assert (rows[0].side, rows[0].verdict) == ("emulated", "emulated")
    assert (rows[0].native_difference, rows[0].native_cosine) == (0.25, 0.999)
    timed = {name: value for name, value in json.loads(to_json(rows))[0].items()
             if name.endswith(("_s", "_per_s")) and name != "session_id"}  # fmt: skip
    assert len(timed) > 10
    assert set(timed.values()) == {None}
    assert "emulated" in to_csv(rows)
    view = SessionView(plan=plan, rows=rows, runs=runs)
    for told in (table(view), page(view)):
        assert "44 MB" in told.replace("\u00a0", " ")
        assert "0.25 of 8" in told
        for word in ("latency", "p50", "throughput", " ms", "µs"):
            assert word not in told


def test_a_skipped_case_of_an_emulation_is_marked_too(tmp_path: Path) -> None:
    from harness.types import Skip

    skip = Skip(
        device="n5105", model="m", variant="fp32", backend="torch", scenario="single-stream",
        batch=1, reason="torch is not in the emulated root",
    )  # fmt: skip
    plan = msgspec.structs.replace(emulating.plan(_plan(tmp_path)), skipped=(skip,))
    row = summarise(plan, ())[-1]
    assert (row.side, row.verdict) == ("emulated", "skipped")
    assert "torch" in reported.text(SessionView(plan=plan, rows=[row], runs=()))


def test_a_large_model_answers_a_part_of_the_samples_and_says_so(tmp_path: Path) -> None:
    values = np.arange(40, dtype="float32").reshape(20, 2)
    whole = _saved(tmp_path / "e.npz", **{"in:x": values, "out:y": values, "labels": np.arange(20)})
    plan = emulating.plan(_plan(tmp_path))
    ready = emulating.Prepared(plan=plan, sources={}, evaluations={"m": whole})
    judges, paths = emulating.shortened(ready, tmp_path)
    with np.load(str(paths["m"])) as stored:
        assert sorted(stored.files) == ["in:x", "out:y"]
        assert len(stored["in:x"]) == 8
    from suites.build import load_evaluation

    quality = judges["m"].score({"y": values[:8]}, load_evaluation(Path(str(paths["m"]))))
    assert quality.fidelity == pytest.approx(1.0)
    assert quality.value is None
    assert "8 of 20 evaluation samples" in (quality.reason or "")


def test_a_recipe_is_another_root_when_a_version_changes() -> None:
    one = recipe.Recipe(arch="aarch64", wheels=("numpy==2.0",))
    other = recipe.Recipe(arch="aarch64", wheels=("numpy==2.1",))
    assert one.name != other.name
    assert one.name.startswith("aarch64-")
    assert one.platforms[0] == "manylinux_2_36_aarch64"
    assert "manylinux_2_17_aarch64" in one.platforms


def test_a_root_that_cannot_be_fetched_leaves_none_and_says_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        root._check_programs()
    except UsageError as missing:
        pytest.skip(str(missing))
    monkeypatch.setenv("BOARDMARK_DEBIAN_MIRROR", "http://127.0.0.1:9/debian")
    made = recipe.Recipe(arch="aarch64")
    with pytest.raises(UsageError, match="cannot fetch Debian's list of packages"):
        root.build(made, tmp_path, lambda text: None)
    assert not (tmp_path / "roots" / made.name).exists()


def test_a_release_that_apt_knows_no_source_of_needs_a_mirror(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("BOARDMARK_DEBIAN_MIRROR", raising=False)
    if shutil.which("apt-get") is None:
        pytest.skip("needs apt-get")
    with pytest.raises(UsageError, match="apt has no source of Debian sid-of-nowhere here; name a"):
        root._mirror("sid-of-nowhere")
    monkeypatch.setenv("BOARDMARK_DEBIAN_MIRROR", "http://127.0.0.1:9/debian")
    assert root._mirror("sid-of-nowhere") == "http://127.0.0.1:9/debian"


def test_a_host_without_the_programs_is_told_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="apt-get, which is not here; install the package apt"):
        root.build(recipe.Recipe(arch="aarch64"), tmp_path, lambda text: None)
    with pytest.raises(UsageError, match="qemu-aarch64-static, which is not here; install"):
        enclosure.find("aarch64", "cortex-a72")


def test_a_processor_that_qemu_does_not_know_is_refused() -> None:
    _need_qemu()
    with pytest.raises(UsageError, match="does not know the processor z80"):
        enclosure.find("x86_64", "z80")


def _need_qemu() -> str:
    import platform
    import shutil

    path = shutil.which("qemu-x86_64-static")
    if path is None or platform.machine() != "x86_64":
        pytest.skip("needs an x86-64 host with qemu-user-static")
    return path


class Through(LocalTransport):
    """This host, with its children under an emulator."""

    words: tuple[str, ...] = ()

    def probe(self, backend: str) -> Json:
        request = {"op": "probe", "backend": backend, "timeout_s": 120, "through": self.words}
        return self._agent.last(request, 120.0)


@pytest.fixture
def avx_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a runtime on the path whose library multiplies with AVX when it is imported."""
    import shutil
    import subprocess

    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    package = tmp_path / "tflite_runtime"
    package.mkdir()
    (tmp_path / "wide.c").write_text(
        "#include <immintrin.h>\n"
        "double wide(double x) { volatile double got[4];"
        " _mm256_storeu_pd((double *)got, _mm256_mul_pd(_mm256_set1_pd(x), _mm256_set1_pd(2)));"
        " return got[3]; }\n"
    )
    words = ["gcc", "-O1", "-mavx", "-shared", "-fPIC", str(tmp_path / "wide.c")]
    subprocess.run([*words, "-o", str(package / "wide.so")], check=True)
    (package / "__init__.py").write_text('__version__ = "9"\n')
    (package / "interpreter.py").write_text(
        "import ctypes, os\n"
        "wide = ctypes.CDLL(os.path.join(os.path.dirname(__file__), 'wide.so')).wide\n"
        "wide.restype, wide.argtypes = ctypes.c_double, [ctypes.c_double]\n"
        "assert wide(3.0) == 6.0\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def _probed(cpu: str | None, cache: Path) -> tuple[Board, Through]:
    transport = Through(cache)
    transport.words = (_need_qemu(), "-cpu", cpu) if cpu else ()
    return Board(lambda _: transport, lambda _: "here"), transport


@pytest.mark.usefixtures("avx_runtime")
def test_a_runtime_built_for_avx_is_a_skipped_case_on_a_processor_without(
    agent_cache: Path,
) -> None:
    board, _ = _probed("Denverton", agent_cache)
    with board:
        found = board.runtimes(["tflite-runtime", "null"])
    assert found["null"].version == "1"
    point = Point(
        model="m", variant="fp32", backend="tflite-runtime", scenario="single-stream", batch=1,
        blocks=1,
    )  # fmt: skip
    model = Model(name="m", origin="random", digest="1", inputs=(SPEC,))
    grounds = Grounds(device="n5105", threads=4, runtimes=found, models={"m": model}, artifacts={})
    skip = make(point, Choice(suite="quick", device="n5105"), grounds)
    assert skip.status == "skipped"  # type: ignore[union-attr]
    assert "died of SIGILL: the runtime was built for instructions this CPU lacks" in skip.reason  # type: ignore[union-attr]


@pytest.mark.usefixtures("avx_runtime")
@pytest.mark.parametrize("cpu", ["max", None])
def test_the_same_runtime_runs_where_avx_is(cpu: str | None, agent_cache: Path) -> None:
    board, _ = _probed(cpu, agent_cache)
    with board:
        assert board.runtimes(["tflite-runtime"])["tflite-runtime"].version == "9"
