"""Settings that are set for measuring and put back, on miniature boards through the real agent."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boards
import pytest

from harness.agent import tuning
from harness.errors import StoreError
from harness.session.tuning import restore, tune
from harness.types import Json

GOVERNOR = "sys/devices/system/cpu/cpufreq/policy{}/scaling_governor"
NO_TURBO = "sys/devices/system/cpu/intel_pstate/no_turbo"
SWAPS = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


class Agent:
    """A board's agent without its process: it answers from a miniature tree."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked: list[Json] = []

    def run(self, request: Json) -> Iterator[Json]:
        self.asked.append(request)
        yield {"event": "finished", **tuning.answer({**request, "root": str(self.root)})}

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"tuning needs no {name}")


@pytest.fixture
def n5105(tmp_path: Path) -> Path:
    return boards.copy("n5105", tmp_path)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "tuned.json"


def text(root: Path, path: str) -> str:
    return (root / path).read_text().strip()


def contents(root: Path) -> dict[Path, str]:
    return {path: path.read_text().strip() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("board", boards.BOARDS)
def test_every_board_is_as_before_once_it_is_restored(board: str, tmp_path: Path) -> None:
    root, state = boards.copy(board, tmp_path), tmp_path / "tuned.json"
    before = contents(root)
    told = tune(Agent(root), state)
    assert all(change.undo for change in told.done)
    assert all(change.reason and change.command for change in told.refused)
    assert bool(told.done) == state.exists() == (contents(root) != before)
    back = restore(Agent(root), state)
    assert {change.what for change in back.done} == {change.what for change in told.done}
    assert contents(root) == before
    assert not state.exists()


def test_the_governor_and_turbo_are_set_and_put_back(n5105: Path, state: Path) -> None:
    told = tune(Agent(n5105), state)
    assert [change.what for change in told.done] == [
        *(f"governor of policy{number}" for number in range(4)),
        "turbo",
    ]
    assert text(n5105, GOVERNOR.format(3)) == "performance"
    assert text(n5105, NO_TURBO) == "1"
    assert told.pending == 5
    assert told.done[0].undo == f"echo powersave | sudo tee /{GOVERNOR.format(0)}"
    restore(Agent(n5105), state)
    assert text(n5105, GOVERNOR.format(3)) == "powersave"
    assert text(n5105, NO_TURBO) == "0"


def test_tuning_twice_keeps_the_first_values(n5105: Path, state: Path) -> None:
    tune(Agent(n5105), state)
    (n5105 / GOVERNOR.format(1)).write_text("schedutil\n")
    again = tune(Agent(n5105), state)
    assert [change.what for change in again.done] == ["governor of policy1"]
    assert again.pending == 5
    restore(Agent(n5105), state)
    assert text(n5105, GOVERNOR.format(1)) == "powersave"


def test_restoring_twice_finds_nothing_the_second_time(n5105: Path, state: Path) -> None:
    tune(Agent(n5105), state)
    restore(Agent(n5105), state)
    agent = Agent(n5105)
    again = restore(agent, state)
    assert (again.done, again.refused, agent.asked) == ((), (), [])


def test_the_previous_values_are_on_disk_before_anything_is_set(n5105: Path, state: Path) -> None:
    """A crash in between: what is on disk puts everything back."""

    class Dies(Agent):
        def run(self, request: Json) -> Iterator[Json]:
            yield from super().run(request)
            if request["do"] == "set":
                raise KeyboardInterrupt

    before = contents(n5105)
    with pytest.raises(KeyboardInterrupt):
        tune(Dies(n5105), state)
    assert contents(n5105) != before
    restore(Agent(n5105), state)
    assert contents(n5105) == before


def test_nothing_is_set_where_the_previous_values_cannot_be_kept(
    n5105: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("harness.session.tuning.write_whole", full)
    before = contents(n5105)
    with pytest.raises(StoreError, match=r"cannot write .*: No space left on device; name a"):
        tune(Agent(n5105), state)
    assert contents(n5105) == before


def test_a_setting_that_may_not_be_written_is_refused_with_its_command(
    n5105: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def guarded(path: str, mode: str = "r") -> Any:
        if "scaling_governor" in path and "w" in mode:
            raise PermissionError(13, "Permission denied", path)
        return Path(path).open(mode)

    monkeypatch.setattr(tuning, "open", guarded, raising=False)
    told = tune(Agent(n5105), state)
    assert [change.what for change in told.done] == ["turbo"]
    assert {change.reason for change in told.refused} == {"permission denied"}
    assert told.refused[0].command == f"echo performance | sudo tee /{GOVERNOR.format(0)}"
    assert told.pending == 1
    monkeypatch.undo()
    assert [change.what for change in restore(Agent(n5105), state).done] == ["turbo"]


def test_what_cannot_be_put_back_waits_for_another_try(
    n5105: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tune(Agent(n5105), state)
    (n5105 / NO_TURBO).unlink()
    told = restore(Agent(n5105), state)
    assert [change.what for change in told.refused] == ["turbo"]
    assert (len(told.done), told.pending) == (4, 1)
    (n5105 / NO_TURBO).write_text("1\n")
    assert [change.what for change in restore(Agent(n5105), state).done] == ["turbo"]
    assert text(n5105, NO_TURBO) == "0"


def test_a_value_that_the_kernel_does_not_take_is_told(
    n5105: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/" + NO_TURBO
    monkeypatch.setattr(tuning, "open", lambda *_: io.StringIO(), raising=False)
    with pytest.raises(tuning._Refused, match="the kernel keeps it at 0"):
        tuning._write(str(n5105), path, "1")


def test_a_governor_that_the_kernel_does_not_offer_is_refused(tmp_path: Path, state: Path) -> None:
    root = boards.copy("pi4", tmp_path)
    offered = root / GOVERNOR.format(0).replace("scaling_governor", "scaling_available_governors")
    offered.write_text("ondemand powersave\n")
    told = tune(Agent(root), state)
    assert told.done == ()
    assert told.refused[0].reason == "the kernel offers only ondemand, powersave"
    assert not state.exists()


@pytest.mark.parametrize("board", ["nano", "agx-orin", "orin-nano"])
def test_a_jetson_is_told_and_not_touched(board: str) -> None:
    found = tuning.look(boards.root(board))
    assert found["steps"] == []
    assert "nvpmodel" in found["refused"][0]["command"]


def test_only_the_agents_own_settings_are_written(n5105: Path) -> None:
    for path in ("/etc/passwd", "/sys/power/state", "/sys/devices/system/cpu/online"):
        step = {"what": "x", "kind": "file", "path": path, "before": "0", "after": "1"}
        answer = tuning.answer({"do": "set", "steps": [step], "root": str(n5105)})
        assert answer["refused"][0]["reason"] == "this is not a setting that is tuned here"


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Stand in for the two system calls; return what was asked of them."""
    calls: list[tuple[Any, ...]] = []

    class Library:
        def swapoff(self, path: bytes) -> int:
            calls.append(("off", path))
            return 0

        def swapon(self, path: bytes, flags: int) -> int:
            calls.append(("on", path, flags))
            return 0

    monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: Library())
    return calls


def test_empty_swap_is_switched_off_and_on_again_with_its_priority(
    tmp_path: Path, state: Path, kernel: list[tuple[Any, ...]]
) -> None:
    root = boards.copy("vm-x86", tmp_path)
    rows = "/swap\\040file file 102396 0 -2\n/dev/zram0 partition 102396 0 5\n"
    (root / "proc/swaps").write_text(SWAPS + rows)
    told = tune(Agent(root), state)
    assert [change.command for change in told.done] == [
        "sudo swapoff '/swap file'",
        "sudo swapoff /dev/zram0",
    ]
    assert told.done[1].undo == "sudo swapon -p 5 /dev/zram0"
    (root / "proc/swaps").write_text(SWAPS)
    restore(Agent(root), state)
    places = [os.fsencode(root / name) for name in ("swap file", "dev/zram0")]
    assert kernel == [
        ("off", places[0]),
        ("off", places[1]),
        ("on", places[1], 0x8005),
        ("on", places[0], 0),
    ]


def test_swap_that_is_on_already_is_not_switched_on_twice(
    tmp_path: Path, kernel: list[tuple[Any, ...]]
) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/swaps").write_text(f"{SWAPS}/swapfile file 1 0 -2\n")
    tuning._swap(str(tmp_path), "/swapfile", "-2")
    assert kernel == []


@pytest.mark.parametrize(
    ("used_kb", "available_kb", "reason"),
    [
        (12, 900_000, "0.0123 MB are in it"),
        (12_000, 900_000, "12.3 MB are in it"),
        (0, 249_999, "little memory is free; without swap something may be ended"),
        (0, 250_000, None),
    ],
)
def test_swap_that_is_needed_stays(
    tmp_path: Path, used_kb: int, available_kb: int, reason: str | None
) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/swaps").write_text(f"{SWAPS}/swapfile file 102396 {used_kb} -2\n")
    memory = f"MemTotal: 1000000 kB\nMemAvailable: {available_kb} kB\n"
    (tmp_path / "proc/meminfo").write_text(memory)
    found = tuning.look(str(tmp_path))
    refused = [step["reason"] for step in found["refused"]]
    assert refused == ([reason] if reason else [])
    assert len(found["steps"]) == (0 if reason else 1)


def test_a_refusal_of_the_kernel_is_a_reason(tmp_path: Path) -> None:
    """The real call: this file is no swap area, whoever asks."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/swaps").write_text(f"{SWAPS}/swapfile file 1 0 -2\n")
    (tmp_path / "swapfile").write_text("")
    expected = "invalid argument" if os.geteuid() == 0 else "operation not permitted"
    with pytest.raises(tuning._Refused, match=expected):
        tuning._swap(str(tmp_path), "/swapfile", "off")


@pytest.mark.parametrize("content", ["", "{", '{"v": 1}', '{"v": 2, "steps": []}', "[]"])
def test_a_state_file_that_says_nothing_is_not_guessed_at(
    n5105: Path, state: Path, content: str
) -> None:
    state.parent.mkdir()
    state.write_text(content)
    before = contents(n5105)
    for action in (tune, restore):
        with pytest.raises(StoreError, match="does not hold previous values"):
            action(Agent(n5105), state)
    assert contents(n5105) == before
