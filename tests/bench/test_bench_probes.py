"""That reading sensors disturbs nothing: what it costs, and what it does to a measured latency."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_bench_self import bare_onnxruntime, matmul_onnx

from harness.stats.compare import Comparison, paired_ratio
from harness.transport.local import LocalTransport
from harness.types import Json

BOARDS = Path(__file__).parents[1] / "fixtures" / "boards"
# More sensors than any one board has: two rail meters, five boards' zones, policies and counts.
TOGETHER = ("agx-orin", "nano", "orange-pi-5", "n5105", "pi4")
HZ = 5.0
WATCHED_S = 10.0
BLOCKS = 40
RUN_S = 0.6
BESIDE_S = 60.0
# A moment's reads take under a millisecond; what they leave in the caches is felt a little longer.
CLOSE_NS = 6_000_000


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("board")
    for name in TOGETHER:
        shutil.copytree(BOARDS / name, root, dirs_exist_ok=True)
    return str(root)


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalTransport]:
    transport = LocalTransport(tmp_path)
    transport.identify()
    yield transport
    transport.close()


def request(artifact: Path, backend: str, seconds: float, **changes: Any) -> Json:
    sampling = {"warmup_calls": 5, "warmup_s": 0.1, "min_samples": 5, "max_samples": 10**6}
    return {
        "op": "run", "backend": backend, "artifact": str(artifact), "options": {"threads": 1},
        "inputs": [{"name": "h0", "dtype": "float32", "shape": [64, 512]}], "seed": 0,
        "sampling": {**sampling, "min_s": seconds, "budget_s": seconds}, **changes,
    }  # fmt: skip


@pytest.mark.parametrize("hz", [None, HZ], ids=["without", "with all probes"])
def test_the_supervisor_takes_less_than_two_percent_of_a_core(
    benchmark: Any, board: str, local: LocalTransport, tmp_path: Path, hz: float | None
) -> None:
    """Its CPU time from the first inference to the last sample, over the time between them."""
    script = tmp_path / "model.null"
    script.write_text(json.dumps({"latency_us": 5000}))
    wanted = request(script, "null", WATCHED_S, watch_hz=hz, root=board)
    pid = local.process.pid

    def run() -> tuple[float, Json]:
        used_s = 0.0
        for event in local.run(wanted):
            if event.get("name") == "first":
                used_s -= cpu_s(pid)
            elif event.get("name") == "steady":
                used_s += cpu_s(pid)
        assert event["status"] == "ok", event["reason"]
        return used_s / WATCHED_S, event["result"]

    share, result = benchmark.pedantic(run, rounds=1)
    benchmark.extra_info["share_of_one_core"] = share
    if hz:
        watch = result["watch"]
        benchmark.extra_info["moments"] = len(watch["t_s"])
        benchmark.extra_info["series"] = sum(
            len(of_key) if isinstance(of_key, dict) else 1
            for key, of_key in watch.items()
            if key.endswith(("_c", "_hz", "_w")) or key in ("cooling", "throttle")
        )
        assert watch["missed"] == 0
        assert len(watch["t_s"]) >= 0.8 * HZ * WATCHED_S
    assert share < 0.02


def test_a_watched_latency_is_that_of_an_unwatched_one(
    benchmark: Any, board: str, local: LocalTransport, tmp_path: Path
) -> None:
    """Blocks of off, on, off again in turning order: off against off is what noise looks like."""
    pytest.importorskip("onnxruntime")
    artifact = matmul_onnx(tmp_path)
    sides = {"off": None, "on": HZ, "off again": None}
    medians: dict[str, dict[int, float]] = {name: {} for name in sides}

    def block(number: int) -> None:
        names = list(sides)
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            hz = sides[name]
            wanted = request(artifact, "onnxruntime", RUN_S, watch_hz=hz, root=board)
            *_, last = local.run(wanted)
            assert last["status"] == "ok", last["reason"]
            assert ("watch" in last["result"]) == (hz is not None)
            medians[name][number] = statistics.median(last["result"]["samples_ns"])

    def blocks() -> None:
        for number in range(BLOCKS):
            block(number)

    benchmark.pedantic(blocks, rounds=1)
    noise = paired_ratio(medians["off"], medians["off again"])
    watched = paired_ratio(medians["off"], medians["on"])
    for name, found in (("noise", noise), ("watched", watched)):
        for key in ("ratio", "lo", "hi"):
            benchmark.extra_info[f"{name}_{key}"] = getattr(found, key)
    assert overlap(noise, watched), (noise, watched)


@pytest.mark.parametrize("placed", ["where they like", "on one core"])
def test_calls_during_a_reading_beside_those_around_it(
    benchmark: Any, board: str, tmp_path: Path, placed: str
) -> None:
    """Times each call on the clock that the watch uses, so that each reading finds its calls.

    Of three watches one works for 20 ms at every reading: a comparison that does not see that one
    could see nothing. The control looks halfway between two readings, where nobody reads.
    """
    pytest.importorskip("onnxruntime")
    value = np.ones((64, 512), dtype=np.float32)
    infer = bare_onnxruntime(matmul_onnx(tmp_path), value)
    cores = {min(os.sched_getaffinity(0))} if placed == "on one core" else os.sched_getaffinity(0)
    found: dict[str, Comparison] = {}

    def measure() -> None:
        calls, moments = beside_a_watch(infer, board, cores, burden_s=0.0)
        found["reading"] = near_to_apart(calls, moments)
        benchmark.extra_info["share_of_the_time"] = added_share(calls, moments)
        benchmark.extra_info["median_call_ms"] = statistics.median(
            (end - begin) / 1e6 for begin, end in calls
        )
        found["control"] = near_to_apart(calls, [at + 0.5e9 / HZ for at in moments])
        found["burden"] = near_to_apart(*beside_a_watch(infer, board, cores, burden_s=0.02))

    benchmark.pedantic(measure, rounds=1)
    for name, comparison in found.items():
        for key in ("ratio", "lo", "hi", "n"):
            benchmark.extra_info[f"{name}_{key}"] = getattr(comparison, key)
    if placed == "on one core":
        assert found["burden"].lo is not None
        assert found["burden"].lo > 1, "twenty milliseconds were not seen: nothing would be"


_WATCHER = """
import json, os, sys, time
from harness.agent.watch import Watch
root, seconds, burden_s, cores = json.loads(sys.argv[1])
os.sched_setaffinity(0, cores)
watch = Watch({"watch_hz": 5.0, "root": root})
watch.hear("first")
end = time.monotonic() + seconds
while time.monotonic() < end:
    time.sleep(watch.wait_s(0.25))
    before = len(watch._t_ns)
    watch.tick()
    until = time.thread_time() + burden_s
    while len(watch._t_ns) > before and time.thread_time() < until:
        pass
print(json.dumps(watch.result(0)["t_s"]))
"""


def beside_a_watch(
    infer: Callable[[], Any], board: str, cores: set[int], burden_s: float
) -> tuple[list[tuple[int, int]], list[float]]:
    """Return (start, end) in ns of calls beside a watch, and the moments of its reads."""
    told = json.dumps([board, BESIDE_S, burden_s, sorted(cores)])
    allowed = os.sched_getaffinity(0)
    calls = []
    watcher = subprocess.Popen([sys.executable, "-c", _WATCHER, told], stdout=subprocess.PIPE)
    os.sched_setaffinity(0, cores)
    try:
        while watcher.poll() is None:
            for _ in range(10):
                begin = time.monotonic_ns()
                infer()
                calls.append((begin, time.monotonic_ns()))
    finally:
        os.sched_setaffinity(0, allowed)
        watcher.kill()
        output, _ = watcher.communicate()
    return calls, [moment_s * 1e9 for moment_s in json.loads(output)]


def near_to_apart(calls: list[tuple[int, int]], moments: list[float]) -> Comparison:
    """Return how long calls at the moments take, relative to those 24 ms before and after."""
    near, apart = {}, {}
    for number, at in enumerate(moments):
        close = touching(calls, [at])
        beside = touching(calls, [at - 4 * CLOSE_NS, at + 4 * CLOSE_NS])
        if close and beside:
            near[number], apart[number] = statistics.fmean(close), statistics.fmean(beside)
    return paired_ratio(apart, near)


def added_share(calls: list[tuple[int, int]], moments: list[float]) -> float:
    """Return what readings add to the calls they meet, as a share of all time, in the mean."""
    added = []
    for at in moments:
        close = touching(calls, [at])
        beside = touching(calls, [at - 4 * CLOSE_NS, at + 4 * CLOSE_NS])
        if close and beside:
            added.append(len(close) * (statistics.fmean(close) - statistics.fmean(beside)))
    return statistics.fmean(added) * HZ / 1e9


def touching(calls: list[tuple[int, int]], moments: list[float]) -> list[int]:
    """Return the durations of the calls that touch a moment's surroundings.

    Long calls touch more moments than short ones: compare only what was chosen in this way.
    """
    return [
        end - begin
        for begin, end in calls
        for at in moments
        if begin - CLOSE_NS < at < end + CLOSE_NS
    ]


def overlap(one: Comparison, other: Comparison) -> bool:
    """Tell whether two intervals share a value."""
    assert one.lo is not None and one.hi is not None
    assert other.lo is not None and other.hi is not None
    return one.lo <= other.hi and other.lo <= one.hi


def cpu_s(pid: int) -> float:
    """Return user and system seconds of one process, its children not counted."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
