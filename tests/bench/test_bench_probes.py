"""That reading sensors disturbs nothing: what it costs, and what it does to a measured latency."""

from __future__ import annotations

import json
import os
import shutil
import statistics
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from test_bench_self import matmul_onnx

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
BESIDE_S = 30.0
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


def test_calls_during_a_reading_take_as_long_as_those_beside_it(
    benchmark: Any, board: str, local: LocalTransport, tmp_path: Path
) -> None:
    """Within one run: what else goes on here moves both sides of a tenth of a second alike.

    The control compares with moments halfway between two readings, at which nobody reads.
    """
    pytest.importorskip("onnxruntime")
    wanted = request(matmul_onnx(tmp_path), "onnxruntime", BESIDE_S, watch_hz=HZ, root=board)

    def run() -> Json:
        *_, last = local.run(wanted)
        assert last["status"] == "ok", last["reason"]
        result: Json = last["result"]
        return result

    result = benchmark.pedantic(run, rounds=1)
    durations = result["warmup_ns"][result["fixed_warmup_calls"] :] + result["samples_ns"]
    calls = list(zip(accumulate(durations), durations, strict=True))
    moments = result["watch"]["t_s"]
    for name, shift_s in (("reading", 0.0), ("control", 0.5 / HZ)):
        near, beside = {}, {}
        for number, moment_s in enumerate(moments):
            at_ns = (moment_s + shift_s) * 1e9
            close = around(calls, [at_ns])
            apart = around(calls, [at_ns - 4 * CLOSE_NS, at_ns + 4 * CLOSE_NS])
            if close and apart:
                near[number], beside[number] = statistics.median(close), statistics.median(apart)
        found = paired_ratio(beside, near)
        for key in ("ratio", "lo", "hi"):
            benchmark.extra_info[f"{name}_{key}"] = getattr(found, key)
        if name == "reading":
            assert found.lo is not None
            assert (found.lo - 1) * HZ * 2 * CLOSE_NS / 1e9 < 0.005, "share of a run's time"


def around(calls: list[tuple[int, int]], moments_ns: list[float]) -> list[int]:
    """Return the durations of the calls, as (end, duration), that touch a moment's surroundings.

    Long calls touch more moments than short ones: compare only what was chosen in this way.
    """
    return [
        took
        for end, took in calls
        for at_ns in moments_ns
        if end - took - CLOSE_NS < at_ns < end + CLOSE_NS
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
