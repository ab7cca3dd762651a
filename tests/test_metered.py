"""A metered way to a board: a real agent, a served meter, and what it shows in the run's result."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from meter_servers import Device, meter, reply, served

from harness.errors import BoardLost
from harness.transport.local import LocalTransport
from harness.transport.metered import MeteredTransport, Pace, pace_of
from harness.types import Run
from results import figures, measured

Make = Callable[..., dict[str, Any]]
QUICK = Pace(period_s=0.05, energy_s=0.9, idle_s=0.7)


class Scripted:
    """A board without an agent: it says what the test wants it to, when it wants it to."""

    def __init__(self, *events: dict[str, Any], pause_s: float = 0.0) -> None:
        self.events = events
        self.pause_s = pause_s
        self.asked: list[dict[str, Any]] = []
        self.closed = False

    def identify(self) -> dict[str, Any]:
        return {"board": "scripted"}

    def probe(self, backend: str) -> dict[str, Any]:
        return {"status": "ok", "backend": backend}

    def put(self, files: Any) -> list[str]:
        return [f"there/{file.name}" for file in files]

    def run(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        self.asked.append(request)
        for event in self.events:
            if str(event.get("name")).endswith("_end"):
                time.sleep(self.pause_s)
            if "lost" in event:
                raise BoardLost("the board is gone")
            yield event

    def close(self) -> None:
        self.closed = True


def phase(name: str, **facts: Any) -> dict[str, Any]:
    return {"event": "phase", "name": name, **facts}


def finished(**result: Any) -> dict[str, Any]:
    return {"event": "finished", "status": "ok", "reason": None, "result": result}


@pytest.fixture
def device() -> Device:
    return Device()


@pytest.fixture
def url(device: Device) -> Iterator[str]:
    with served(device) as address:
        yield address


def no_thread_reads() -> bool:
    return not [one for one in threading.enumerate() if one.name == "power meter"]


def run_of(answer: dict[str, Any]) -> Run:
    return Run(
        run_id="r", session_id="s", seq=0, block=0, case_key="k", status="ok", reason=None,
        started_unix_s=0.0, duration_s=1.0, result=answer["result"],
    )  # fmt: skip


def test_constant_power_comes_back_as_its_energy_per_inference(
    agent_cache: Path, null_request: Make, device: Device, url: str
) -> None:
    board = MeteredTransport(LocalTransport(agent_cache), meter("shelly", url), QUICK)
    names: list[str] = []
    read_by: dict[str, int] = {}
    try:
        for answer in board.run(null_request({"energy_s": 0.1, "batch": 4}, latency_us=5000)):
            names.append(answer.get("name", "finished"))
            read_by[names[-1]] = len(device.paths)
        time.sleep(0.15)
    finally:
        board.close()
    assert answer["status"] == "ok", answer["reason"]
    power = answer["result"]["power"]
    assert (power["method"], power["scope"], power["source"]) == ("external", "board", "shelly")
    assert power["reason"] is None, power
    assert power["power_w"] == pytest.approx(5.0, rel=0.03)
    assert power["energy_j"] == pytest.approx(5.0 * power["window_s"], rel=0.03)
    assert power["window_s"] == pytest.approx(0.9, abs=0.2)
    per_inference = 5.0 * power["workload_wall_s"] / power["inferences"]
    assert power["energy_per_inference_j"] == pytest.approx(per_inference, rel=0.03)
    assert power["inferences"] % 4 == 0
    assert (power["idle_w"], power["idle_n"] >= 10) == (5.0, True)
    assert power["net_energy_per_inference_j"] == pytest.approx(0.0, abs=0.03 * per_inference)
    assert power["missed"] == 0
    assert power["n"] == len(power["series"]["w"]) >= 10
    assert 0.04 < power["gap_max_s"] < 0.3
    assert url.rpartition("/")[2] not in str(answer), "nothing that names a place"
    assert names[-5:-1] == ["idle_begin", "idle_end", "energy_begin", "energy_end"]
    assert read_by["timed"] == 0, "no latency is taken beside a read"
    assert read_by["finished"] == len(device.paths) >= power["n"] + power["idle_n"]
    assert "inferences" not in answer["result"]["power_board"] or (
        answer["result"]["power_board"]["inferences"] == power["inferences"]
    )
    assert no_thread_reads()
    run = run_of(answer)
    assert measured.energy_j(run) == power["energy_per_inference_j"]
    assert figures.power([run])["power_method"] == "external"


def test_a_run_that_asks_for_no_energy_is_left_alone() -> None:
    board = Scripted(finished(power={"reason": "not asked for"}))
    request = {"op": "run", "energy_s": 0, "timeout_s": 20}
    metered = MeteredTransport(board, meter("shelly", "http://x"))
    assert list(metered.run(request)) == list(board.events)
    assert board.asked == [request]


def test_a_pass_is_made_long_enough_for_the_meter_and_is_given_the_time() -> None:
    board = Scripted(finished())
    request = {"op": "run", "energy_s": 1.5, "timeout_s": 120, "idle_s": 2.0}
    list(MeteredTransport(board, meter("shelly", "http://x", "wall")).run(request))
    list(MeteredTransport(board, meter("shelly", "http://x", "board")).run(request))
    slow = meter("shelly", "http://x", "wall", period_s=10.0)
    list(MeteredTransport(board, slow).run(request))
    list(
        MeteredTransport(board, meter("shelly", "http://x"), QUICK).run({**request, "energy_s": 90})
    )
    asked = [(one["energy_s"], one["idle_s"], one["timeout_s"]) for one in board.asked]
    assert asked == [
        (60.0, 20.0, 196.5),
        (13.0, 13.0, 142.5),
        (130.0, 130.0, 376.5),
        (90, 2.0, 120.0),
    ]
    assert all(one["external_meter"] is True for one in board.asked)
    assert pace_of(meter("shelly", "http://x", "wall")).energy_s == 60.0
    assert request == {"op": "run", "energy_s": 1.5, "timeout_s": 120, "idle_s": 2.0}


PASS = (
    phase("idle_begin"),
    phase("idle_end"),
    phase("energy_begin"),
    phase("energy_end", inferences=100, wall_s=0.7),
)


def test_a_board_that_rests_at_less_gives_a_net_energy_beside_the_gross_one(
    device: Device, url: str
) -> None:
    board = Scripted(*PASS, finished(power={"reason": "no sensor"}), pause_s=0.8)
    device.power_w = 3.0
    events = MeteredTransport(board, meter("http-json", url + "/all"), QUICK).run({"energy_s": 1})
    seen = []
    for event in events:
        seen.append(event)
        if event.get("name") == "idle_end":
            device.power_w = 8.0
    power = seen[-1]["result"]["power"]
    assert power["idle_w"] == 3.0
    assert power["power_w"] == pytest.approx(8.0, rel=0.03)
    assert power["energy_per_inference_j"] == pytest.approx(8.0 * 0.7 / 100, rel=0.03)
    assert power["net_energy_per_inference_j"] == pytest.approx(5.0 * 0.7 / 100, rel=0.05)
    assert power["integration"] == "trapezoid"
    assert seen[-1]["result"]["power_board"] == {"reason": "no sensor"}


def test_a_meter_that_vanishes_leaves_no_energy_and_its_reason_but_the_boards_own(
    device: Device, url: str
) -> None:
    own = {"energy_j": 1.0, "method": "sampled"}
    board = Scripted(*PASS, finished(power=own), pause_s=0.5)
    device.fault = lambda handler: reply(handler, b"", 500)
    *_, answer = MeteredTransport(board, meter("shelly", url), QUICK).run({"energy_s": 1})
    power = answer["result"]["power"]
    assert power["energy_j"] is None
    assert power["reason"].startswith("insufficient: 0 readings of the meter where 10 are needed; ")
    assert power["reason"].endswith("the last because it answers with the status 500")
    assert power["missed"] >= 10
    assert (power["idle_w"], power["idle_n"]) == (None, 0)
    assert "energy_per_inference_j" not in power
    assert answer["result"]["power_board"] == own
    row = figures.power([run_of(answer)])
    assert (row["energy_j"], row["power_w"]) == (None, None)
    assert row["power_reason"] == power["reason"]


def test_a_run_that_dies_before_its_pass_says_so() -> None:
    board = Scripted(phase("loaded"), {**finished(), "status": "crashed", "reason": "died"})
    *_, answer = MeteredTransport(board, meter("shelly", "http://x"), QUICK).run({"energy_s": 1})
    assert answer["status"] == "crashed"
    assert answer["result"]["power"]["reason"] == "the board made no energy pass to its end"


@pytest.mark.parametrize("give_up", [True, False])
def test_a_lost_board_or_an_interrupt_ends_the_reading(
    device: Device, url: str, give_up: bool
) -> None:
    board = Scripted(phase("energy_begin"), phase("other"), {"lost": True})
    events = MeteredTransport(board, meter("shelly", url), QUICK).run({"energy_s": 1})
    next(events)
    assert not no_thread_reads()
    if give_up:
        events.close()  # type: ignore[attr-defined]
    else:
        with pytest.raises(BoardLost):
            list(events)
    assert no_thread_reads()


def test_a_soak_is_metered_over_time_too(
    agent_cache: Path, null_request: Make, device: Device, url: str
) -> None:
    board = MeteredTransport(LocalTransport(agent_cache), meter("shelly", url), QUICK)
    request = null_request({"energy_s": 0})
    request["sampling"].update(soak=True, budget_s=0.6, max_samples=1000, warmup_s=0.2)
    try:
        for answer in board.run(request):
            if answer.get("name") == "steady":
                asked = len(device.paths)
                device.power_w = 99.0
    finally:
        board.close()
    assert answer["status"] == "ok", answer["reason"]
    assert asked == len(device.paths), "nothing is read after the samples"
    seen = answer["result"]["watch_external"]
    assert (seen["source"], seen["scope"], seen["missed"]) == ("shelly", "board", 0)
    assert set(seen["power_w"]) == {5.0}
    assert len(seen["t_s"]) == len(seen["power_w"]) >= 6
    assert 0 <= seen["t_s"][0] < 0.2
    assert seen["t_s"][-1] == pytest.approx(0.6, abs=0.2)
    assert "power_board" not in answer["result"], "no energy was asked for"
    assert no_thread_reads()


def test_all_else_is_the_boards_own() -> None:
    board = Scripted()
    metered = MeteredTransport(board, meter("shelly", "http://x"))
    assert metered.identify() == {"board": "scripted"}
    assert metered.probe("null") == {"status": "ok", "backend": "null"}
    assert metered.put([Path("a/b.onnx")]) == ["there/b.onnx"]
    metered.close()
    assert board.closed
