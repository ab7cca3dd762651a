"""A board behind a real sshd: brought files, cut connections, one session at a time."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import handmade
import msgspec
import pytest
from ssh_server import Server, alive, served, wait_for

from harness.errors import BoardLost, DeviceError
from harness.plan import order
from harness.session.boards import Board
from harness.session.driver import Driver
from harness.session.schedule import RunSchedule
from harness.session.scoring import Scorer
from harness.session.strikes import Strikes
from harness.transport.ssh import Place, SshTransport, connector
from harness.transport.ssh import transport as transports
from harness.types import Artifact, Case, Run, SessionPlan, TensorSpec

Make = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("ssh")) as server:
        yield server


@pytest.fixture
def board(running: Server) -> Iterator[Server]:
    yield running
    running.cut()
    wait_for(lambda: not running.agents())


@pytest.fixture
def reach(board: Server) -> Iterator[Callable[..., SshTransport]]:
    """Start agents; what is started is ended."""
    started: list[SshTransport] = []

    def start(token: str = "ours", python: str = sys.executable, **more: Any) -> SshTransport:
        place = msgspec.structs.replace(board.place, **more)
        started.append(connector(place, token)(python))
        return started[-1]

    yield start
    for transport in started:
        transport.close()


def finish(transport: SshTransport, request: dict[str, Any]) -> dict[str, Any]:
    *_, last = transport.run(there(transport, request))
    return last


def there(transport: SshTransport, request: dict[str, Any]) -> dict[str, Any]:
    return {**request, "artifact": transport.put([Path(request["artifact"])])[0]}


def file(folder: Path, size: int = 1000) -> Path:
    path = folder / f"{secrets.token_hex(4)}.bin"
    path.write_bytes(os.urandom(size))
    return path


def test_a_run_goes_as_on_this_machine(
    reach: Callable[..., SshTransport], null_request: Make
) -> None:
    transport = reach()
    assert transport.identify()["cpu_count"] == os.cpu_count()
    assert transport.probe("null")["status"] == "ok"
    answer = finish(transport, null_request())
    assert answer["status"] == "ok", answer["reason"]
    assert answer["result"]["samples_ns"]
    assert answer["result"]["host"]["sentinel_ns"]


def test_an_artifacts_files_lie_together_under_their_names(
    reach: Callable[..., SshTransport], tmp_path: Path
) -> None:
    files = [tmp_path / "model.xml", tmp_path / "mödel.bin"]
    for number, path in enumerate(files):
        path.write_bytes(bytes([number]) * 3)
    found = [Path(path) for path in reach().put(files)]
    assert [path.name for path in found] == ["model.xml", "mödel.bin"]
    assert found[0].parent == found[1].parent
    assert [path.read_bytes() for path in found] == [b"\0\0\0", b"\1\1\1"]


def test_what_is_there_is_not_sent_again(
    reach: Callable[..., SshTransport], board: Server, tmp_path: Path
) -> None:
    path = file(tmp_path)
    first = reach()
    (place,) = first.put([path])
    first.close()
    before = Path(place).stat().st_ino, sorted((board.cache / "agent").iterdir())
    second = reach("another command")
    assert second.put([path]) == [place]
    assert before == (Path(place).stat().st_ino, sorted((board.cache / "agent").iterdir()))


def test_a_cut_upload_goes_on_where_it_broke_off(
    reach: Callable[..., SshTransport], board: Server, tmp_path: Path
) -> None:
    path = file(tmp_path, 60_000_000)
    parts = board.cache / "artifacts"

    def part() -> Path | None:
        return next(parts.glob("*/*.bin.part"), None)

    transport = reach()

    def cut() -> None:
        wait_for(lambda: (p := part()) and p.stat().st_size > 8_000_000)
        board.cut()

    cutter = threading.Thread(target=cut)
    cutter.start()
    with pytest.raises(BoardLost):
        transport.put([path])
    cutter.join()
    wait_for(lambda: not board.agents())
    left = part()
    assert left
    inode, size = left.stat().st_ino, left.stat().st_size
    assert size < 60_000_000
    (found,) = transport.put([path])
    assert Path(found).stat().st_ino == inode, "the first part is part of it"
    assert Path(found).read_bytes() == path.read_bytes()


def test_the_evaluations_outputs_come_back(
    reach: Callable[..., SshTransport], board: Server, tmp_path: Path, null_request: Make
) -> None:
    np = pytest.importorskip("numpy")
    inputs, outputs = tmp_path / "inputs.npz", tmp_path / "outputs.npz"
    np.savez(inputs, **{"in:x": np.zeros((3, 4), np.float32)})
    wanted = {"inputs": str(inputs), "outputs": str(outputs)}
    answer = finish(reach(), null_request({"evaluate": wanted}))
    assert answer["status"] == "ok", answer["reason"]
    assert answer["result"]["evaluated"] == 3
    with np.load(outputs) as stored:
        assert stored["out:0"].shape[0] == 3
    assert not list((board.cache / "outputs").iterdir()), "nothing stays behind"


def test_a_real_runtime_runs_over_there(
    reach: Callable[..., SshTransport], tmp_path: Path, null_request: Make
) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from tiny_models import onnx_file

    request = {
        "backend": "onnxruntime",
        "artifact": str(onnx_file(tmp_path)),
        "inputs": [{"name": "x", "dtype": "float32", "shape": [1, 16]}],
    }
    answer = finish(reach(), null_request(request))
    assert answer["status"] == "ok", answer["reason"]


@pytest.mark.parametrize("end", ["the board's", "ours"])
def test_a_connection_cut_in_a_run_costs_the_run_and_nothing_stays(
    reach: Callable[..., SshTransport], board: Server, null_request: Make, end: str
) -> None:
    transport = reach()
    slow = there(transport, null_request({"timeout_s": 60}, latency_us=50_000_000))
    events = transport.run(slow)
    until_it_calls(events)
    (child,) = board.children()
    (agent,) = board.agents()
    if end == "ours":
        for master in masters(transport):
            os.kill(master, signal.SIGKILL)
    else:
        board.cut()
    with pytest.raises(BoardLost, match="connection to board 'desk-board' was lost"):
        list(events)
    wait_for(lambda: not board.agents())
    assert not alive(child)
    assert not alive(agent)
    assert finish(transport, null_request())["status"] == "ok"


def until_it_calls(events: Iterator[dict[str, Any]]) -> None:
    """Wait for the first inference to go on: nothing is said for long from then on."""
    while next(events).get("name") != "loaded":
        pass


def masters(transport: SshTransport) -> list[int]:
    folder = transport._connection._folder
    assert folder
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and path.name != str(transport._process.pid):
            try:
                if str(folder).encode() in (path / "cmdline").read_bytes():
                    found.append(int(path.name))
            except OSError:
                continue
    return found


def test_an_orphan_that_does_not_notice_is_ended_by_its_successor(
    reach: Callable[..., SshTransport], board: Server, null_request: Make
) -> None:
    """As when a cable is pulled: over there nobody closes anything."""
    lost = reach()
    events = lost.run(there(lost, null_request({"timeout_s": 60}, latency_us=50_000_000)))
    until_it_calls(events)
    (agent,), (child,) = board.agents(), board.children()
    os.kill(agent, signal.SIGSTOP)
    transport = reach()
    assert board.agents() != [agent]
    assert len(board.agents()) == 1
    assert not alive(child)
    assert finish(transport, null_request())["status"] == "ok"


def test_a_board_serves_one_session_at_a_time(
    reach: Callable[..., SshTransport], board: Server, null_request: Make
) -> None:
    ours = reach("ours")
    with pytest.raises(
        DeviceError,
        match=r"a session of the desk .* holds the board, for .*; wait until it ends, or end",
    ) as caught:
        reach("theirs")
    assert caught.value.exit_code == 4
    assert not isinstance(caught.value, BoardLost)
    assert finish(ours, null_request())["status"] == "ok"
    ours.close()
    assert finish(reach("theirs"), null_request())["status"] == "ok"


def test_a_dead_owner_holds_nothing(reach: Callable[..., SshTransport], board: Server) -> None:
    reach("ours")
    (agent,) = board.agents()
    os.kill(agent, signal.SIGKILL)
    wait_for(lambda: not board.agents())
    assert list((board.cache / "agents").glob("*.json"))
    assert reach("theirs").identify()


def test_two_interpreters_of_one_session_share_the_connection(
    board: Server, tmp_path: Path, null_request: Make
) -> None:
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    connect = connector(board.place, "ours")
    one, two = connect(sys.executable), connect(str(link))
    assert len(board.agents()) == 2
    assert len(board.connections()) == 1
    assert finish(one, null_request())["status"] == finish(two, null_request())["status"] == "ok"
    one.close()
    assert two.identify()
    two.close()
    wait_for(lambda: not board.connections())


def test_a_silent_connection_is_tried_before_it_is_used(
    reach: Callable[..., SshTransport], board: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = reach()
    before = board.agents()
    monkeypatch.setattr(transports, "_SILENCE_S", 0.0)
    assert transport.identify()
    assert board.agents() == before
    board.cut()
    assert transport.identify(), "and opened anew where it died"
    assert board.agents() != before


def test_room_is_made_by_what_was_not_used_for_longest(
    reach: Callable[..., SshTransport], board: Server, tmp_path: Path
) -> None:
    first = reach("first", cache_limit_bytes=10_000_000)
    (old,) = first.put([file(tmp_path, 4_000_000)])
    first.close()
    second = reach("second", cache_limit_bytes=10_000_000)
    (own,) = second.put([file(tmp_path, 4_000_000)])
    assert Path(old).exists()
    (more,) = second.put([file(tmp_path, 4_000_000)])
    assert not Path(old).parent.exists()
    with pytest.raises(DeviceError, match=r"needs 12.0 MB in .* more than the 10.0 MB it may take"):
        second.put([file(tmp_path, 4_000_000)])
    assert Path(own).exists()
    assert Path(more).exists()


def test_a_session_runs_over_ssh_as_a_board(board: Server) -> None:
    with Board(connector(board.place, "ours"), lambda _: sys.executable) as reached:
        assert reached.identify()["python"]
        assert reached.runtimes(["null"])["null"].version
    wait_for(lambda: not board.agents())


def test_a_greeting_of_the_login_shell_is_no_answer(
    board: Server, reach: Callable[..., SshTransport]
) -> None:
    rc = board.home / ".bashrc"
    rc.write_text("echo welcome to the board; printf 'and no newline'\n")
    try:
        assert reach().identify()
    finally:
        rc.unlink()


def test_the_lock_is_no_json_of_another_machine(
    board: Server, reach: Callable[..., SshTransport]
) -> None:
    """A home folder on a network is several boards'."""
    reach("ours")
    (held,) = (board.cache / "agents").glob("*.json")
    told = json.loads(held.read_text())
    held.write_text(json.dumps({**told, "boot": "another"}))
    assert reach("theirs").identify()


def test_the_place_of_a_lab_entry() -> None:
    from devices.lab import Reachable

    place = Place.of(Reachable(name="pi", address="pi@[fe80::1%eth0]:2222"))
    assert (place.host, place.user, place.port) == ("fe80::1%eth0", "pi", 2222)
    assert place.by_hand == "ssh -p 2222 pi@fe80::1%eth0"


def test_a_session_loses_its_board_for_one_run_and_goes_on(
    board: Server, tmp_path: Path, null_request: Make
) -> None:
    request = null_request(latency_us=1000)
    chosen = slow_plan(Path(request["artifact"]))
    cutters: list[threading.Thread] = []

    class Watching:
        def starts(self, case: Case, done: int, total: int, remaining_s: float | None) -> None:
            if done == 1:
                cutters.append(threading.Thread(target=self.cut))
                cutters[0].start()

        def cut(self) -> None:
            wait_for(board.children)
            board.cut()

        def finished(self, case: Case, run: Run) -> None:
            pass

    pages = Pages()
    with (
        Board(connector(board.place, "ours"), lambda _: sys.executable) as reached,
        Scorer(chosen.cases, {}, {}) as scorer,
    ):
        driver = Driver(chosen, reached, pages, scorer)
        driver.strikes = Strikes((0.0, 0.0))
        driver.run(Watching(), RunSchedule(chosen))
    cutters[0].join()
    assert [run.status for run in pages.runs].count("ok") == len(pages.runs) - 1
    assert pages.runs[1].status == "failed"
    assert "connection to board 'desk-board' was lost" in str(pages.runs[1].reason)


class Pages:
    """A journal in memory."""

    def __init__(self) -> None:
        self.runs: tuple[Run, ...] = ()

    def append(self, run: Run) -> None:
        self.runs = (*self.runs, run)


def slow_plan(path: Path) -> SessionPlan:
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    artifact = Artifact(path=str(path), format="null", sha256=content, size_bytes=1)
    inputs = (TensorSpec(name="x", dtype="float32", shape=(1, 4)),)
    case = msgspec.structs.replace(
        handmade.FP32, backend="null", artifact=artifact, inputs=inputs, affinity=None
    )
    rule = {"warmup_calls": 1, "warmup_s": 0, "min_samples": 5, "max_samples": 500, "budget_s": 0.5}
    sampling = {"run": rule, "energy_s": 0, "timeout_s": 20.0, "precision": 0.05, "budget_s": None}
    blocks = order.blocks({case.key: 4}, 1)
    return handmade.plan(cases=(case,), skipped=(), order=blocks, blocks=4, sampling=sampling)
