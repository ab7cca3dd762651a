"""What a board may answer when files are brought or fetched: anything but an answer is refused."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DeviceError
from harness.transport.ssh import cargo
from harness.transport.ssh.cargo import Cargo
from harness.types import Json

_FOLDER = "/home/bench/.cache/boardmark/x"


def board(*events: Json) -> Cargo:
    def told(request: Json, timeout_s: float, payload: bytes = b"") -> Iterator[Json]:
        return iter(events)

    return Cargo(told, "odd")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"missing": "all"},
        {"missing": [], "folder": 3},
        {"missing": [{"name": "m.onnx", "offset": -4}], "folder": _FOLDER},
        {"missing": [{"offset": 0}], "folder": _FOLDER},
    ],
)
def test_an_answer_of_no_use_is_one_sentence(tmp_path: Path, answer: dict[str, Any]) -> None:
    file = tmp_path / "m.onnx"
    file.write_bytes(b"model")
    with pytest.raises(DeviceError, match="board 'odd' does not answer like an agent"):
        board({"event": "finished", "status": "ok", **answer}).put([file])
    with pytest.raises(DeviceError, match="board 'odd': gives no reason"):
        board({"event": "finished", **answer}).put([file])


def test_outputs_without_an_end_do_not_fill_the_desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cargo, "_MOST_FETCHED_BYTES", 10)
    block = {"event": "block", "data": base64.b64encode(b"123456").decode()}
    end = {"event": "finished", "status": "ok"}
    board(block, end).fetch("a.npz", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"123456"
    with pytest.raises(DeviceError, match="sends more than any outputs are"):
        board(block, block, block, end).fetch("a.npz", tmp_path / "b")
    assert not (tmp_path / "b").exists()
    with pytest.raises(DeviceError, match="does not answer like an agent"):
        board({"event": "block"}, end).fetch("a.npz", tmp_path / "b")
