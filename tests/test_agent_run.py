"""One run through the real agent; the null backend plays the runtime."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boards
import numpy as np
import pytest

from harness.agent import outputs
from harness.transport.local import LocalTransport
from harness.transport.package import write_agent

Make = Callable[..., dict[str, Any]]
MEMORY_GROUPS = Path("/sys/fs/cgroup/memory")


def finish(local: LocalTransport, request: dict[str, Any]) -> dict[str, Any]:
    *_, last = local.run(request)
    return last


def test_a_run_reports_phases_in_order_then_its_samples(
    local: LocalTransport, null_request: Make
) -> None:
    request = null_request()
    request["sampling"]["max_samples"] = 30
    *phases, last = local.run(request)
    assert [event["name"] for event in phases] == ["imported", "loaded", "first", "steady", "timed"]
    assert last["status"] == "ok"
    result = last["result"]
    assert len(result["samples_ns"]) == 30
    assert result["stop_reason"] == "count"
    assert statistics.median(result["samples_ns"]) > 200_000
    assert result["timed_wall_s"] * 1e9 >= sum(result["samples_ns"])
    assert result["inputs"] == {"mode": "fresh", "buffers": 8}
    assert "slow_down" not in result


def test_a_run_tells_its_warm_up_from_its_steady_part(
    local: LocalTransport, null_request: Make
) -> None:
    request = null_request()
    request["sampling"].update(max_samples=2000, budget_s=1.5)
    result = finish(local, request)["result"]
    assert result["steady"] == {
        "reached": True, "calls": result["steady"]["calls"], "reason": None,
    }  # fmt: skip
    found = len(result["warmup_ns"]) - result["fixed_warmup_calls"]
    assert found == result["steady"]["calls"]
    assert result["fixed_warmup_calls"] >= 3


def test_a_run_of_few_calls_says_that_they_are_too_few_to_judge(
    local: LocalTransport, null_request: Make
) -> None:
    request = null_request(latency_us=60_000)
    result = finish(local, request)["result"]
    assert len(result["samples_ns"]) in range(5, 10)
    assert result["stop_reason"] == "budget"
    assert result["steady"]["reached"] is None
    assert "too few to judge" in result["steady"]["reason"]


def test_a_run_tells_what_it_and_its_machine_did_around_the_timed_part(
    local: LocalTransport, null_request: Make
) -> None:
    """A sleeping model switches of its own will and uses no CPU; a spinning one the reverse."""
    asleep = finish(local, null_request(latency_us=2000))["result"]
    awake = finish(local, null_request(latency_us=0, spin=60_000))["result"]
    for result in (asleep, awake):
        timed_s = (sum(result["warmup_ns"]) + sum(result["samples_ns"])) / 1e9
        own = result["own"]
        assert set(own) == {
            "cpu_s", "wall_s", "involuntary_switches", "voluntary_switches", "major_faults",
        }  # fmt: skip
        assert timed_s <= own["wall_s"] <= timed_s + 0.1
        assert own["wall_s"] <= result["timed_host"]["window_s"] <= result["host"]["window_s"]
        assert own["major_faults"] >= 0
    assert asleep["own"]["voluntary_switches"] >= 50
    assert asleep["own"]["cpu_s"] < 0.5 * asleep["own"]["wall_s"]
    assert awake["own"]["voluntary_switches"] < 50
    assert awake["own"]["cpu_s"] > 0.3 * awake["own"]["wall_s"]


def test_a_slow_down_on_purpose_shows_in_every_sample_and_is_told(
    local: LocalTransport, null_request: Make
) -> None:
    slowed = finish(local, null_request({"slow_down": 0.5}, latency_us=4000))["result"]
    assert slowed["slow_down"] == 0.5
    # A busy machine interrupts busy work: the least disturbed call shows the share.
    assert 1.5 <= min(slowed["samples_ns"]) / 4_000_000 < 1.6
    assert slowed["first_inference_s"] >= 1.5 * 0.004


def test_a_soak_of_two_hundred_thousand_samples_arrives_whole(
    local: LocalTransport, null_request: Make
) -> None:
    request = null_request(latency_us=0)
    request["sampling"].update(max_samples=200_000, budget_s=180.0)
    last = finish(local, request)
    assert last["status"] == "ok"
    assert len(last["result"]["samples_ns"]) == 200_000
    phases = last["result"]["memory"]
    grown = phases["steady"]["hwm_bytes"] - phases["loaded"]["hwm_bytes"]
    assert grown < 6e6, "8 bytes a sample, and twice that while the array grows"


def test_memory_is_told_by_phase_and_the_ballast_shows_up_only_after_loading(
    local: LocalTransport, null_request: Make
) -> None:
    without = finish(local, null_request())["result"]["memory"]
    result = finish(local, null_request(allocate_mb=64))["result"]
    memory = result["memory"]
    assert memory["reset"] is True
    assert memory["imported"]["hwm_bytes"] == pytest.approx(
        without["imported"]["hwm_bytes"], rel=0.05
    )
    grown = memory["loaded"]["hwm_bytes"] - without["loaded"]["hwm_bytes"]
    assert grown == pytest.approx(64e6, rel=0.02)
    assert result["peak_rss_bytes"] >= memory["loaded"]["hwm_bytes"]
    assert result["peak_anon_bytes"] > 64e6 > result["peak_file_bytes"]


def test_peak_memory_does_not_inherit_a_large_parent(tmp_path: Path, null_request: Make) -> None:
    """The desk may be large; what a child reports must not change by it (ru_maxrss would)."""
    small, large = (
        _baseline_under_parent(tmp_path, null_request(), hoard_mb) for hoard_mb in (0, 300)
    )
    assert large == pytest.approx(small, rel=0.05)


def _baseline_under_parent(folder: Path, request: dict[str, Any], hoard_mb: int) -> int:
    agent = write_agent(folder / "agent.pyz")
    code = (
        f"import subprocess, sys; hoard = bytearray({hoard_mb} * 1000000)\n"
        "hoard[::4096] = hoard[::4096]\n"
        "sys.exit(subprocess.call([sys.executable, sys.argv[1]]))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, str(agent)],
        input=json.dumps(request) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    last = json.loads(answer.stdout.splitlines()[-1])
    peak: int = last["result"]["memory"]["baseline"]["hwm_bytes"]
    return peak


@pytest.mark.parametrize(
    ("fail", "status", "words", "phase"),
    [
        ("load", "failed", "loading fails", "imported"),
        ("infer", "failed", "inference fails", "loaded"),
        ("crash", "crashed", "SIGILL", "loaded"),
        ("abort", "crashed", "SIGABRT", "loaded"),
        ("hang", "timeout", "within 1 s", "loaded"),
    ],
)
def test_every_way_to_fail_is_a_result_with_the_phase_it_got_to(
    local: LocalTransport, null_request: Make, fail: str, status: str, words: str, phase: str
) -> None:
    last = finish(local, null_request({"timeout_s": 1}, fail=fail))
    assert (last["status"], last["result"]["phase"]) == (status, phase)
    assert words in last["reason"]
    assert finish(local, null_request())["status"] == "ok", "the next run must not notice"


def test_running_out_of_memory_is_oom(tmp_path: Path, null_request: Make) -> None:
    """RLIMIT_AS plays a small board: the child's allocation fails and only its run does."""
    agent = write_agent(tmp_path / "agent.pyz")

    def small_board() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (1_000_000_000, 1_000_000_000))

    answer = subprocess.run(
        [sys.executable, str(agent)],
        input=json.dumps(null_request(fail="memory")) + "\n",
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=small_board,
    )
    last = json.loads(answer.stdout.splitlines()[-1])
    assert last["status"] == "oom"
    assert "memory" in last["reason"].lower()


def test_a_child_killed_from_outside_is_crashed_with_its_last_size(
    local: LocalTransport, null_request: Make
) -> None:
    """Somebody's kill -9: the kernel counted no kill for memory, so it was none."""
    request = null_request({"timeout_s": 30}, fail="hang", allocate_mb=32)
    events = local.run(request)
    for event in events:
        if event.get("name") == "loaded":
            break
    child = _measured_child(local)
    os.kill(child, 9)
    *_, last = events
    assert last["status"] == "crashed"
    assert "SIGKILL" in last["reason"]


@pytest.mark.skipif(
    os.geteuid() != 0 or not os.access(MEMORY_GROUPS, os.W_OK),
    reason="needs root and a memory cgroup",
)
def test_the_kernels_out_of_memory_kill_is_oom_and_costs_that_run_only(
    tmp_path: Path, null_request: Make
) -> None:
    """The real thing: a memory cgroup of 100 MB around supervisor and child."""
    group = MEMORY_GROUPS / f"boardmark-test-{os.getpid()}"
    group.mkdir()
    (group / "memory.limit_in_bytes").write_text("100000000")
    agent = write_agent(tmp_path / "agent.pyz")
    process = subprocess.Popen(
        [sys.executable, str(agent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        (group / "cgroup.procs").write_text(str(process.pid))
        modest = json.dumps(null_request({"artifact": str(modest_artifact(tmp_path))}))
        greedy = json.dumps(null_request(fail="memory"))
        told, _ = process.communicate(f"{greedy}\n{modest}\n", timeout=60)
    finally:
        process.kill()
        process.wait()
        group.rmdir()
    ends = [json.loads(line) for line in told.splitlines() if '"finished"' in line]
    assert [end["status"] for end in ends] == ["oom", "ok"]
    assert "killed by the kernel: out of memory" in ends[0]["reason"]


def modest_artifact(folder: Path) -> Path:
    path = folder / "modest.null"
    path.write_text('{"latency_us": 100}')
    return path


def _measured_child(local: LocalTransport) -> int:
    """Return the child of this agent: other agents may be measuring on the same machine."""
    agent = local.process.pid
    return int(Path(f"/proc/{agent}/task/{agent}/children").read_text().split()[0])


def test_a_missing_runtime_is_skipped_with_the_install_command(
    local: LocalTransport, tmp_path: Path
) -> None:
    """tflite-runtime needs an interpreter of its own, so this one never has it."""
    answer = local.probe("tflite-runtime")
    assert answer["status"] == "skipped"
    assert "make install-tflite-runtime" in answer["reason"]


def test_affinity_is_set_and_reported(local: LocalTransport, null_request: Make) -> None:
    assert finish(local, null_request({"affinity": [0]}))["result"]["affinity"] == [0]
    refused = finish(local, null_request({"affinity": [4095]}))
    assert refused["status"] == "failed"
    assert "4095" in refused["reason"]


def test_the_evaluation_pass_writes_outputs_in_the_models_order(
    local: LocalTransport, null_request: Make, tmp_path: Path
) -> None:
    inputs = tmp_path / "evaluation.npz"
    values = np.arange(20, dtype=np.float32).reshape(5, 4)
    np.savez(inputs, **{"in:x": values})
    wanted = {"inputs": str(inputs), "outputs": str(tmp_path / "out.npz")}
    request = null_request({"evaluate": wanted, "batch": 2})
    request["inputs"][0]["shape"] = [2, 4]
    last = finish(local, request)
    assert last["result"]["evaluated"] == 5
    with np.load(wanted["outputs"]) as stored:
        np.testing.assert_array_equal(stored["out:0"], values)


class Summing:
    """A session that answers every call with one number."""

    def bind(self, arrays: dict[str, Any]) -> dict[str, Any]:
        return arrays

    infer = bind

    def outputs(self, arrays: dict[str, Any]) -> dict[str, Any]:
        return {"sum": np.float32(arrays["x"].sum())}


def test_a_call_that_answers_with_one_number_is_evaluated(tmp_path: Path) -> None:
    inputs = tmp_path / "evaluation.npz"
    np.savez(inputs, **{"in:x": np.arange(20, dtype=np.float32).reshape(5, 4)})
    wanted = {"inputs": str(inputs), "outputs": str(tmp_path / "out.npz")}
    for specs in ([{"name": "x"}], [{"name": "x", "batched": False}]):
        assert outputs.evaluate(Summing(), wanted, specs, 1) == 5
        with np.load(wanted["outputs"]) as stored:
            assert stored["out:0"].tolist() == [6, 22, 38, 54, 70]


def test_energy_is_measured_in_a_phase_of_its_own_from_the_boards_meter(
    local: LocalTransport, null_request: Make
) -> None:
    request = {"energy_s": 1.5, "root": boards.root("nano"), "batch": 4}
    result = finish(local, null_request(request, latency_us=10_000))["result"]
    power = result["power"]
    assert (power["name"], power["method"], power["scope"]) == ("ina3221", "sampled", "module")
    assert power["n"] >= 10
    file = "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input"
    watts = int(Path(boards.root("nano"), file).read_text()) * 1e-3
    assert power["power_w"] == pytest.approx(watts)
    per_call_s = power["workload_wall_s"] / (power["inferences"] / 4)
    assert per_call_s == pytest.approx(0.0101, rel=0.05)
    assert power["energy_per_inference_j"] == pytest.approx(watts * per_call_s / 4)
    timed = len(result["samples_ns"]) + result["steady"]["calls"]
    assert timed in range(20, 51), "the timed part knows nothing of it"


def test_without_a_meter_the_reason_stands_where_the_energy_would(
    local: LocalTransport, null_request: Make
) -> None:
    request = {"energy_s": 1.5, "root": boards.root("vm-x86")}
    last = finish(local, null_request(request))
    assert last["duration_s"] < 1.5, "no phase for a meter that is not there"
    assert set(last["result"]["power"]) == {"reason", "advice"}
    assert "measure on the machine itself" in last["result"]["power"]["advice"]
    assert "rapl" in last["result"]["power"]["reason"]


def test_chatter_on_stdout_cannot_break_the_protocol(tmp_path: Path, null_request: Make) -> None:
    """A site hook prints in every python process, as chatty runtimes do."""
    (tmp_path / "sitecustomize.py").write_text('print(\'{"event": "finished"}\')\n')
    agent = write_agent(tmp_path / "agent.pyz")
    answer = subprocess.run(
        [sys.executable, str(agent)],
        input=json.dumps({**null_request(), "id": 7}) + "\n",
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    events = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [event.get("id") for event in events[1:]] == [7] * (len(events) - 1)
    assert events[-1]["status"] == "ok"


def test_an_artifact_whose_content_changed_is_refused(
    local: LocalTransport, null_request: Make, tmp_path: Path
) -> None:
    """A torch artifact carries program text, so only the bytes that were built may run."""
    request = null_request()
    content = Path(request["artifact"]).read_bytes()
    request["sha256"] = hashlib.sha256(content).hexdigest()
    assert finish(local, request)["status"] == "ok"
    Path(request["artifact"]).write_bytes(content + b" ")
    refused = finish(local, request)
    assert refused["status"] == "failed"
    assert "content changed" in refused["reason"]
    Path(request["artifact"]).unlink()
    assert "No such file" in finish(local, request)["reason"]


def test_closing_in_the_middle_of_a_run_leaves_no_child_behind(
    agent_cache: Path, null_request: Make
) -> None:
    """Ctrl-C closes the transport while a run goes on; a hanging runtime must not outlive it."""
    transport = LocalTransport(agent_cache)
    for event in transport.run(null_request({"timeout_s": 60}, fail="hang")):
        if event.get("name") == "loaded":
            break
    child = _measured_child(transport)
    began = time.monotonic()
    transport.close()
    assert time.monotonic() - began < 3
    assert not Path(f"/proc/{child}").exists()


def test_outputs_that_could_not_be_written_whole_are_not_there(
    local: LocalTransport, null_request: Make, tmp_path: Path
) -> None:
    """A full disk fails the run; half a file would end the session when it is scored."""
    inputs, folder = tmp_path / "evaluation.npz", tmp_path / "outputs"
    folder.mkdir()
    np.savez(inputs, **{"in:x": np.zeros((200_000, 4), dtype=np.float32)})
    wanted = {"inputs": str(inputs), "outputs": str(folder / "out.npz")}
    request = null_request({"evaluate": wanted, "batch": 200_000}, latency_us=0)
    request["inputs"][0]["shape"] = [200_000, 4]
    code = (
        "import resource, subprocess, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "sys.exit(subprocess.call([sys.executable, sys.argv[1]]))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, str(write_agent(tmp_path / "agent.pyz"))],
        input=json.dumps(request) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    last = json.loads(answer.stdout.splitlines()[-1])
    assert last["status"] == "failed"
    assert "File too large" in last["reason"]
    assert list(folder.iterdir()) == []


def test_a_child_that_says_too_much_is_failed_not_out_of_memory(
    local: LocalTransport, null_request: Make
) -> None:
    request = null_request({"options": {"threads": 1, "precision": "x" * (17 << 20)}})
    last = finish(local, request)
    assert (last["status"], last["result"]["phase"]) == ("failed", "steady")
    assert "longer than 17 MB" in last["reason"]
