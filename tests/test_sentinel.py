"""The fixed loop between runs, and what the supervisor reads around a measured child."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.agent import sentinel, supervisor
from harness.transport.local import LocalTransport
from harness.transport.package import cached_agent

Make = Callable[..., dict[str, Any]]
QUOTAS = Path("/sys/fs/cgroup/cpu")
BURN = [sys.executable, "-c", "while True: pass"]


@pytest.fixture
def chunks(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[int]], None]:
    """Play the durations of the chunks to come."""

    def play(durations: list[int]) -> None:
        left = iter(durations)
        monkeypatch.setattr(sentinel, "_chunk", lambda: next(left))

    return play


def test_one_preemption_does_not_show_but_a_slower_clock_does(
    chunks: Callable[[list[int]], None],
) -> None:
    chunks([100, 101, 99, 100, 9000, 102, 98])
    assert sentinel.measure() == 100
    chunks([110, 111, 109, 110, 112, 112, 108])
    assert sentinel.measure() == 110


def test_a_reading_serves_twice_within_a_second_and_on_the_same_cores_only(
    chunks: Callable[[list[int]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0]
    monkeypatch.setattr(sentinel, "monotonic_ns", lambda: now[0])
    chunks([100] * 7 + [200] * 7 + [300] * 7 + [400] * 7)
    watch = sentinel.Sentinel()
    assert watch.before(None) == 100
    assert watch.after(None) == 200
    now[0] = 999_999_999
    assert watch.before(None) == 200
    now[0] = 1_000_000_000
    assert watch.before(None) == 300
    assert watch.before([0]) == 400


def test_it_runs_on_the_cores_of_the_run_and_gives_the_rest_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    allowed = os.sched_getaffinity(0)
    core = max(allowed)
    seen = []
    monkeypatch.setattr(sentinel, "_chunk", lambda: seen.append(os.sched_getaffinity(0)) or 1)
    sentinel.measure([core])
    assert seen == [{core}] * 7
    assert os.sched_getaffinity(0) == allowed
    sentinel.measure([4095])  # the run itself will fail and say so
    assert seen[-1] == allowed == os.sched_getaffinity(0)


def test_cores_of_two_speeds_do_not_make_two_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two little cores and two big ones: it stays on the big ones."""
    rows = [{"id": number, "max_hz": hz} for number, hz in enumerate((1e9, 1e9, 2e9, 2e9))]
    monkeypatch.setattr(sentinel.cpu, "cores", lambda root: rows)
    assert sentinel._fastest() == [2, 3]
    monkeypatch.setattr(sentinel.cpu, "cores", lambda root: [{"id": 0, "max_hz": None}])
    assert sentinel._fastest() == []


def test_it_takes_some_hundredths_of_a_second() -> None:
    start = time.perf_counter()
    best = min(sentinel.measure() for _ in range(3))
    assert (time.perf_counter() - start) / 3 < 0.5
    assert best > 1_000_000


@pytest.fixture
def told(agent_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let this process be the supervisor; return the order in which things happen."""
    order: list[str] = []
    agent = str(cached_agent(agent_cache))
    monkeypatch.setattr(sys, "argv", [agent])
    monkeypatch.setattr(supervisor, "_SENTINEL", sentinel.Sentinel())

    class Child(supervisor.launch.Child):
        def __init__(self, *words: Any) -> None:
            super().__init__(*words)
            order.append("started")
            self.pid = self._process.pid

        def ending(self, timeout_s: float) -> tuple[str, str]:
            ended: tuple[str, str] = super().ending(timeout_s)
            assert not Path(f"/proc/{self.pid}").exists()
            order.append("reaped")
            return ended

    chunk = sentinel._chunk

    def timed() -> int:
        if order[-1:] != ["sentinel"]:
            order.append("sentinel")
        return chunk()

    monkeypatch.setattr(supervisor.launch, "Child", Child)
    monkeypatch.setattr(sentinel, "_chunk", timed)
    yield order


class Unheard:
    def emit(self, event: str, **facts: Any) -> None:
        pass

    def check(self) -> None:
        pass


def test_the_sentinel_is_outside_the_childs_life(told: list[str], null_request: Make) -> None:
    answer = supervisor._measure(null_request(), Unheard())
    assert told == ["sentinel", "started", "reaped", "sentinel"]
    before, after = answer["result"]["host"]["sentinel_ns"]
    assert before > 1_000_000 < after
    told.clear()
    supervisor._measure(null_request(), Unheard())
    assert told == ["started", "reaped", "sentinel"], "the last reading is young enough"


def test_a_probe_and_a_refusal_have_no_sentinel(told: list[str], null_request: Make) -> None:
    answer = supervisor._measure({"op": "probe", "backend": "null"}, Unheard())
    assert told == ["started", "reaped"]
    assert "sentinel_ns" not in answer["result"]["host"]
    told.clear()
    supervisor._measure(null_request({"sha256": "0" * 64}), Unheard())
    assert told == []


def finish(local: LocalTransport, request: dict[str, Any]) -> dict[str, Any]:
    *_, last = local.run(request)
    assert last["status"] == "ok", last
    result: dict[str, Any] = last["result"]
    return result


def busy_request(null_request: Make, seconds: float = 1.0) -> dict[str, Any]:
    """Make a run that samples for `seconds` and takes about a millisecond a call."""
    request = null_request(latency_us=1000)
    request["sampling"].update(max_samples=100_000, budget_s=seconds, min_samples=5)
    return request


def test_what_the_child_computes_is_its_own(local: LocalTransport, null_request: Make) -> None:
    host = finish(local, null_request(latency_us=0))["host"]
    assert 0.01 < host["child_cpu_s"] < 5.0
    assert host["ticks"] > 0
    assert 0.0 <= host["foreign_share"] <= 1.0
    json.dumps(host, allow_nan=False)


def test_a_neighbour_on_another_core_is_foreign_to_the_run(
    local: LocalTransport, null_request: Make
) -> None:
    neighbour = subprocess.Popen(BURN)
    try:
        host = finish(local, busy_request(null_request))["host"]
    finally:
        neighbour.kill()
        neighbour.wait()
    assert host["foreign_share"] > 0.5 / (os.cpu_count() or 1)
    assert host["child_cpu_s"] < 0.9 * host["window_s"]


def test_a_child_that_is_stopped_shows_in_its_largest_sample(
    local: LocalTransport, null_request: Make
) -> None:
    """Nothing was computed meanwhile: the gap is in the samples and in no CPU time."""
    pid = None
    for event in local.run(busy_request(null_request)):
        if event.get("name") == "first":
            agent = local.process.pid
            children = Path(f"/proc/{agent}/task/{agent}/children").read_text()
            pid = int(children.split()[0])
            time.sleep(0.3)
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.3)
            os.kill(pid, signal.SIGCONT)
    assert pid
    result = event["result"]
    assert max(result["samples_ns"]) > 0.25e9 > 20 * statistics.median(result["samples_ns"])
    assert result["own"]["wall_s"] - result["own"]["cpu_s"] > 0.25


def test_a_core_that_is_shared_slows_the_sentinel() -> None:
    """A neighbour pinned to the same core: every chunk waits for its turn, or most do."""
    core = max(os.sched_getaffinity(0))
    alone = min(sentinel._chunk() for _ in range(30))
    neighbours = [subprocess.Popen(BURN) for _ in range(2)]
    for neighbour in neighbours:
        os.sched_setaffinity(neighbour.pid, {core})
    try:
        time.sleep(0.2)
        shared = statistics.median(sentinel.measure([core]) for _ in range(3))
    finally:
        for neighbour in neighbours:
            neighbour.kill()
            neighbour.wait()
    assert shared > 1.2 * alone


@pytest.mark.skipif(
    os.geteuid() != 0 or not (QUOTAS / "cpu.cfs_quota_us").parent.is_dir(),
    reason="needs root and a CPU cgroup of version 1",
)
def test_a_cpu_quota_slows_the_sentinel_and_is_counted(
    agent_cache: Path, null_request: Make
) -> None:
    """A quarter of a core, handed out every four milliseconds, for the agent and its child."""
    alone = min(sentinel._chunk() for _ in range(30))
    group = QUOTAS / f"boardmark-test-{os.getpid()}"
    group.mkdir()
    local = LocalTransport(agent_cache)
    try:
        free = finish(local, null_request())["host"]
        (group / "cpu.cfs_period_us").write_text("4000")
        (group / "cpu.cfs_quota_us").write_text("1000")
        (group / "cgroup.procs").write_text(str(local.process.pid))
        time.sleep(1.0)  # the last reading grows old
        limited = finish(local, null_request())["host"]
    finally:
        local.close()
        group.rmdir()
    assert free["quota_throttled_periods"] in (None, 0)
    assert limited["quota_throttled_periods"] > 10
    assert min(limited["sentinel_ns"]) > 2 * alone


def test_several_files_are_checked_each_with_its_own_digest(
    local: LocalTransport, null_request: Make, tmp_path: Path
) -> None:
    import hashlib

    request = null_request()
    beside = tmp_path / "weights.bin"
    beside.write_bytes(b"weights")
    files = (Path(request["artifact"]), beside)
    digests = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    request.update(sha256=None, sha256s=digests)
    finish(local, request)
    beside.write_bytes(b"weightt")
    *_, refused = local.run(request)
    assert refused["status"] == "failed"
    assert refused["reason"] == f"{beside} is not the file that was built: its content changed"
    beside.unlink()
    *_, refused = local.run(request)
    assert refused["reason"] == f"cannot read {beside}: No such file or directory"
