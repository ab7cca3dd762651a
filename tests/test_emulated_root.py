"""An agent in a real root, as another processor; the root is the one that the program built."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import devices
from harness import cli, places
from harness.errors import UsageError
from harness.transport.emulated import enclosure, recipe
from harness.transport.emulated.transport import EmulatedTransport, Emulation
from harness.transport.local import LocalTransport
from harness.types import Json


def _root(arch: recipe.Architecture) -> Path:
    found = places.cache() / "roots" / recipe.for_runtimes_here(arch).name
    if not found.is_dir():
        pytest.skip(f"no root for {arch} in the cache: make emulate builds it in a minute")
    try:
        enclosure._way()
    except UsageError as error:
        pytest.skip(str(error))
    return found


def _emulation(board: str, root: Path, cache: Path, cpu: str | None = None) -> Emulation:
    device = devices.load(board)
    assert device.emulation
    try:
        emulator = enclosure.find(device.emulation.arch, cpu or device.emulation.cpu)
    except UsageError as error:
        pytest.skip(str(error))
    return Emulation(device=device, root=root, emulator=emulator, system="test", cache=cache)


def _open(emulation: Emulation) -> EmulatedTransport:
    return EmulatedTransport(emulation, lambda backend: LocalTransport(emulation.cache))


@pytest.fixture
def arm(tmp_path: Path) -> Iterator[EmulatedTransport]:
    transport = _open(_emulation("pi4b", _root("aarch64"), tmp_path))
    yield transport
    transport.close()


def test_the_agent_in_there_is_on_the_board_and_sees_nothing_of_this_host(
    arm: EmulatedTransport, tmp_path: Path
) -> None:
    found = arm.identify()
    assert devices.match(found) == devices.load("pi4b")
    assert found["emulated"]["cpu_model"] == "cortex-a72"
    assert (found["cpu_count"], found["kernel"]) == (4, None)
    assert "roots" not in Path("/proc/self/mounts").read_text()
    assert arm.probe("onnxruntime")["status"] == "ok"
    assert arm.probe("torch")["reason"] == "torch is not in the emulated root"


def test_a_run_brings_its_outputs_back_and_compares_them_with_native_ones(
    arm: EmulatedTransport, tmp_path: Path, null_request: object
) -> None:
    import numpy as np

    samples = np.ones((3, 4), "float32")
    np.savez(str(tmp_path / "in.npz"), **{"in:x": samples})
    request: Json = null_request()  # type: ignore[operator]
    request["artifact"] = arm.put([Path(request["artifact"])])[0]
    request["evaluate"] = {
        "inputs": str(tmp_path / "in.npz"),
        "outputs": str(tmp_path / "out.npz"),
    }
    *_, answer = arm.run(request)
    assert answer["status"] == "ok", answer["reason"]
    assert answer["result"]["native"]["difference"] == 0.0
    assert answer["result"]["native"]["samples"] == 3
    assert answer["result"]["native"]["peak_rss_bytes"] > 1e6
    assert not answer["result"].get("samples_ns")
    with np.load(str(tmp_path / "out.npz")) as outputs:
        assert (outputs["out:0"] == samples).all()


def test_closing_leaves_nothing_on_disk(arm: EmulatedTransport, tmp_path: Path) -> None:
    arm.probe("null")
    shared = tmp_path / "roots" / "shared"
    assert list(shared.iterdir())
    arm.close()
    assert not list(shared.iterdir())


_KILLED = """
import sys
sys.path[:0] = sys.argv[3:]
from pathlib import Path
from test_emulated_root import _emulation, _open
transport = _open(_emulation("pi4b", Path(sys.argv[1]), Path(sys.argv[2])))
transport.identify()
print("there", flush=True)
sys.stdin.read()
"""


def test_a_killed_desk_leaves_no_mount_no_agent_and_a_folder_that_the_next_removes(
    tmp_path: Path,
) -> None:
    root = _root("aarch64")
    _emulation("pi4b", root, tmp_path)
    desk = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(root), str(tmp_path), *sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert desk.stdin
    assert desk.stdout
    assert desk.stdout.readline() == b"there\n"
    os.kill(desk.pid, signal.SIGKILL)
    desk.wait()
    desk.stdin.close()
    desk.stdout.close()
    assert "roots" not in Path("/proc/self/mounts").read_text()
    shared = tmp_path / "roots" / "shared"
    assert list(shared.iterdir())
    deadline = time.monotonic() + 20
    while _agents_below(shared) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _agents_below(shared)
    transport = _open(_emulation("pi4b", root, tmp_path))
    assert len(list(shared.iterdir())) == 1
    transport.close()


def _agents_below(shared: Path) -> list[str]:
    """Return the processes that have a mount of a folder below `shared`."""
    found = []
    for mounts in Path("/proc").glob("[0-9]*/mountinfo"):
        try:
            if str(shared) in mounts.read_text():
                found.append(mounts.parent.name)
        except OSError:
            continue
    return found


def test_a_runtime_that_needs_avx_does_not_run_on_an_n5105_and_the_case_says_so(
    tmp_path: Path,
) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    root = tmp_path / "root"
    shutil.copytree(_root("x86_64"), root, copy_function=os.link, symlinks=True)
    package = root / "usr/lib/python3/dist-packages/tflite_runtime"
    package.mkdir()
    (tmp_path / "wide.c").write_text(
        "#include <immintrin.h>\n"
        "void wide(double *x) {"
        " _mm256_storeu_pd(x, _mm256_mul_pd(_mm256_loadu_pd(x), _mm256_set1_pd(2))); }\n"
    )
    words = ["gcc", "-O1", "-mavx", "-shared", "-fPIC", str(tmp_path / "wide.c")]
    subprocess.run([*words, "-o", str(package / "wide.so")], check=True)
    (package / "__init__.py").write_text('__version__ = "9"\n')
    (package / "interpreter.py").write_text(
        "import ctypes, os\n"
        "got = (ctypes.c_double * 4)(1, 2, 3, 4)\n"
        "ctypes.CDLL(os.path.join(os.path.dirname(__file__), 'wide.so')).wide(got)\n"
        "assert list(got) == [2, 4, 6, 8]\n"
    )
    told = {}
    for cpu in (None, "max"):
        transport = _open(_emulation("n5105", root, tmp_path, cpu))
        told[cpu] = transport.probe("tflite-runtime")
        transport.close()
    assert told[None]["status"] == "skipped"
    assert told[None]["reason"] == (
        "does not run on the Intel N5105 mini PC: it died of SIGILL, an instruction that Denverton"
        " lacks"
    )
    assert told["max"]["status"] == "ok", told["max"]["reason"]


def test_a_session_marks_its_rows_prints_no_time_and_ends_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _emulation("n5105", _root("x86_64"), tmp_path)
    store = tmp_path / "store"
    words = ["run", "--emulate", "--device", "n5105", "--suite", "quick", "--backends", "null"]
    assert cli.main([*words, "--json", "--no-report", "--store", str(store)]) == 0
    out, err = capsys.readouterr()
    rows = json.loads(out)
    assert {row["side"] for row in rows} == {"emulated"}
    assert {row["native_difference"] for row in rows if row["status"] == "ok"} == {0.0}
    for row in rows:
        timed = [name for name in row if name.endswith("_s") and row[name] is not None]
        assert not timed
    assert "about" not in err
    journal = b"".join(path.read_bytes() for path in store.rglob("*") if path.is_file())
    assert b"samples_ns" not in journal or b'"samples_ns":[]' in journal
    assert cli.main(["history", "--store", str(store)]) == 0
    assert "null-model" not in capsys.readouterr().out


@pytest.mark.parametrize("option", [["--blocks", "3"], ["--budget", "20s"], ["--sample", "20s"]])
def test_options_about_time_are_refused(
    option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", "--emulate", "--device", "pi4b", *option]) == 2
    assert f"leave {option[0]} out" in capsys.readouterr().err


def test_this_host_is_not_emulated(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "--emulate"]) == 2
    assert "this host needs no emulation" in capsys.readouterr().err
