from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

import backends
from backends import BackendError, null

ROOT = Path(__file__).parent.parent


def script(folder: Path, **content: Any) -> str:
    path = folder / "model.null"
    path.write_text(json.dumps(content))
    return str(path)


def test_it_answers_the_script_or_its_input(tmp_path: Path) -> None:
    echo = null.open(script(tmp_path), {})
    assert echo.outputs(echo.infer(echo.bind({"x": [1, 2]}))) == {"x": [1, 2]}
    fixed = null.open(script(tmp_path, outputs={"y": [3]}), {})
    assert fixed.outputs(fixed.infer(fixed.bind({"x": [1]}))) == {"y": [3]}


def test_it_declares_the_scripted_inputs(tmp_path: Path) -> None:
    inputs = [{"name": "ids", "dtype": "int64", "shape": [1, 8]}]
    assert null.open(script(tmp_path, inputs=inputs), {}).inputs == inputs


def test_it_sleeps_as_long_as_the_script_says(tmp_path: Path) -> None:
    session = null.open(script(tmp_path, latency_us=20000), {})
    began = time.perf_counter()
    session.infer({})
    assert time.perf_counter() - began >= 0.02


def test_the_jitter_repeats_every_five_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(null.time, "sleep", slept.append)
    session = null.open(script(tmp_path, latency_us=100, jitter_us=20), {})
    for _ in range(10):
        session.infer({})
    assert slept[:5] == slept[5:]
    assert max(slept) == pytest.approx(120e-6)
    assert min(slept) == pytest.approx(80e-6)


def test_the_anchors_work_is_what_it_always_was() -> None:
    """Sessions of different years are compared by it: this value may never need a change."""
    assert [null.spin(turns) for turns in (0, 1, 2, 3, 1000, 35_001)] == [1, 14, 7, 12, 9, 6]


def test_spinning_takes_time_in_proportion_and_does_not_sleep(tmp_path: Path) -> None:
    cpu_s = []
    for turns in (20_000, 80_000):
        session = null.open(script(tmp_path, spin=turns), {})
        cpu_s.append(min(_cpu_s(session) for _ in range(30)))
    assert cpu_s[1] / cpu_s[0] == pytest.approx(4, rel=0.25)


def _cpu_s(session: Any) -> float:
    began = time.process_time()
    session.infer({})
    return time.process_time() - began


def test_spinning_allocates_nothing(tmp_path: Path) -> None:
    session = null.open(script(tmp_path, spin=20_000), {})
    session.infer({})
    tracemalloc.start()
    session.infer({})
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1000


def test_spinning_comes_on_top_of_sleeping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[str, float]] = []
    monkeypatch.setattr(null.time, "sleep", lambda s: done.append(("sleep", s)))
    monkeypatch.setattr(null, "spin", lambda turns: done.append(("spin", turns)))
    null.open(script(tmp_path, spin=5, latency_us=100), {}).infer({})
    assert done == [("spin", 5), ("sleep", pytest.approx(1e-4))]


def test_evidence_has_every_key(tmp_path: Path) -> None:
    evidence = null.open(script(tmp_path), {"threads": 3}).evidence()
    assert tuple(evidence) == backends.EVIDENCE
    assert evidence["threads"] == 3


@pytest.mark.parametrize("content", ["", "[]", "{", "\x00\xff"])
def test_what_is_no_script_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "model.null"
    path.write_text(content)
    with pytest.raises(BackendError, match="not a null artifact") as caught:
        null.open(str(path), {})
    assert caught.value.kind == "load"


def test_scripted_failures_are_backend_errors(tmp_path: Path) -> None:
    with pytest.raises(BackendError) as caught:
        null.open(script(tmp_path, fail="load"), {})
    assert caught.value.kind == "load"
    with pytest.raises(BackendError) as caught:
        null.open(script(tmp_path, fail="infer"), {}).infer({})
    assert caught.value.kind == "infer"


@pytest.mark.parametrize(("fail", "number"), [("crash", signal.SIGILL), ("abort", signal.SIGABRT)])
def test_scripted_crashes_end_the_process(
    fail: str, number: signal.Signals, tmp_path: Path
) -> None:
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from backends import null; null.open(sys.argv[1], {}).infer({})",
            script(tmp_path, fail=fail),
        ],
        cwd=ROOT,
        check=False,
        stderr=subprocess.DEVNULL,
    )
    assert run.returncode == -number


def test_the_ballast_is_resident(tmp_path: Path) -> None:
    code = (
        "import sys; from backends import null\n"
        "def rss(): return int(open('/proc/self/statm').read().split()[1]) * 4096\n"
        "before = rss(); session = null.open(sys.argv[1], {}); print(rss() - before)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, script(tmp_path, allocate_mb=50)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert 49e6 < int(run.stdout) < 53e6
