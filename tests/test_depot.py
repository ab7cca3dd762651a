"""A board's cache: what arrives, what is refused, what has to go."""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.agent.depot import Depot

KEY = "a" * 64


class Wire:
    """The desk's end: what it sends behind a request, and what it is told."""

    def __init__(self, payload: bytes = b"") -> None:
        self.payload = payload
        self.said: list[dict[str, Any]] = []

    def read(self, size: int) -> Iterator[bytes]:
        while size:
            block, self.payload = self.payload[: min(size, 700)], self.payload[min(size, 700) :]
            size -= len(block)
            yield block

    def emit(self, event: str, **facts: Any) -> None:
        self.said.append({"event": event, **facts})


class Cache:
    """A depot and the talk with it."""

    def __init__(self, folder: Path, token: str = "ours", limit_bytes: int | None = None) -> None:
        self.folder = folder
        self.depot = Depot(str(folder), token, limit_bytes)
        folder.mkdir(exist_ok=True)
        self.depot.open()
        self._operations = self.depot.operations()

    def ask(self, payload: bytes = b"", **request: Any) -> dict[str, Any]:
        self.wire = Wire(payload)
        answer: dict[str, Any] = self._operations[request["op"]](request, self.wire)
        assert self.wire.payload == b"", "what follows would be taken for a request"
        return answer

    def have(self, key: str = KEY, size: int | None = None, **files: bytes) -> dict[str, Any]:
        listed = [
            {"name": name, "sha256": digest(data), "bytes": len(data) if size is None else size}
            for name, data in files.items()
        ]
        return self.ask(op="have", key=key, files=listed)

    def bring(self, name: str, data: bytes, offset: int = 0, key: str = KEY) -> dict[str, Any]:
        more = data[offset:]
        chunk = {"op": "chunk", "key": key, "name": name, "offset": offset, "bytes": len(more)}
        answer = self.ask(more, **chunk)
        if answer["status"] == "ok":
            answer = self.ask(op="keep", key=key, name=name, sha256=digest(data))
        return answer

    def path(self, name: str, key: str = KEY) -> Path:
        return self.folder / "artifacts" / key / name

    def age(self, key: str, age_s: float) -> None:
        then = time.time() - age_s
        os.utime(self.path(".used", key), (then, then))


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def key(letter: str) -> str:
    return letter * 64


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@given(data=st.binary(max_size=5000), cuts=st.lists(st.integers(0, 5000), max_size=4))
@settings(max_examples=40, deadline=None)
def test_whatever_is_sent_in_whatever_pieces_arrives(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, cuts: list[int]
) -> None:
    cache = Cache(tmp_path_factory.mktemp("depot"))
    assert cache.have(model=data)["missing"] == [{"name": "model", "offset": 0}]
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for begin, end in itertools.pairwise(edges):
        chunk = {"op": "chunk", "key": KEY, "name": "model", "offset": begin, "bytes": end - begin}
        assert cache.ask(data[begin:end], **chunk)["status"] == "ok"
        offset = cache.have(model=data)["missing"][0]["offset"]
        assert offset == end, "an interruption here costs nothing"
    kept = cache.ask(op="keep", key=KEY, name="model", sha256=digest(data))
    assert kept["status"] == "ok"
    assert cache.path("model").read_bytes() == data
    assert cache.have(model=data)["missing"] == []


def test_only_what_is_missing_is_asked_for(cache: Cache) -> None:
    cache.have(graph=b"graph", weights=b"weights")
    cache.bring("graph", b"graph")
    answer = cache.have(graph=b"graph", weights=b"weights")
    assert answer["missing"] == [{"name": "weights", "offset": 0}]
    assert answer["folder"] == str(cache.path("graph").parent)


def test_what_did_not_arrive_as_it_was_sent_is_not_kept(cache: Cache) -> None:
    cache.have(model=b"right")
    cache.ask(b"wrong", op="chunk", key=KEY, name="model", offset=0, bytes=5)
    answer = cache.ask(op="keep", key=KEY, name="model", sha256=digest(b"right"))
    assert answer["status"] == "failed"
    assert "did not arrive as it was sent" in answer["reason"]
    assert cache.have(model=b"right")["missing"] == [{"name": "model", "offset": 0}]


def test_a_file_that_was_damaged_is_brought_again(cache: Cache) -> None:
    cache.have(model=b"right")
    cache.bring("model", b"right")
    cache.path("model").write_bytes(b"wrong")
    assert cache.have(model=b"right")["missing"] == [{"name": "model", "offset": 0}]
    assert cache.bring("model", b"right")["status"] == "ok"


def test_a_piece_that_does_not_fit_is_refused(cache: Cache) -> None:
    cache.have(model=b"model")
    answer = cache.ask(b"del", op="chunk", key=KEY, name="model", offset=2, bytes=3)
    assert "does not end at byte 2" in answer["reason"]


# None leads out of the test's own folders, should the depot ever take one.
WORDS = st.text(st.characters(exclude_characters="./", exclude_categories=["Cs"]), max_size=5)
NAMES = st.one_of(
    st.sampled_from(["", ".", "..", ".used", "../x", "../../x", "a/b", "a\0b", "./a"]),
    st.builds("a{}/{}".format, WORDS, WORDS),
)


@given(name=NAMES)
@settings(max_examples=60, deadline=None)
def test_no_name_leads_out_of_the_folder(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    cache = Cache(tmp_path_factory.getbasetemp() / "hostile")
    cache.have()
    before = sorted(cache.folder.rglob("*"))
    listed = [{"name": name, "sha256": "0" * 64, "bytes": 1}]
    for answer in (
        cache.ask(op="have", key=KEY, files=listed),
        cache.ask(b"", op="chunk", key=KEY, name=name, offset=0, bytes=0),
        cache.ask(op="keep", key=KEY, name=name, sha256="0" * 64),
    ):
        assert answer["status"] == "failed"
        assert "is no file name" in answer["reason"]
    assert sorted(cache.folder.rglob("*")) == before


@pytest.mark.parametrize("wrong", ["", "..", "a" * 63, "A" * 64, "a" * 64 + "\n", "../" + "a" * 61])
def test_a_key_is_a_digest(cache: Cache, wrong: str) -> None:
    assert "is no key" in cache.have(key=wrong)["reason"]


def test_what_the_disk_cannot_hold_is_said_with_both_sizes(tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit_bytes=10**18)
    reason = cache.have(model=b"", size=10**17)["reason"]
    assert reason.startswith(f"the disk with {tmp_path} is full: 100000000.0 GB are needed and ")
    assert reason.endswith(" GB are free; make room there")


def test_a_disk_that_fills_up_meanwhile_leaves_nothing_half(cache: Cache) -> None:
    cache.have(model=b"model" * 5000)
    part = cache.path("model.part")
    part.symlink_to("/dev/full")
    answer = cache.ask(b"x" * 20000, op="chunk", key=KEY, name="model", offset=0, bytes=20000)
    assert "is full: 0.0 MB are needed and" in answer["reason"]
    assert not part.is_symlink()


def test_a_folder_that_cannot_be_written_is_named(cache: Cache) -> None:
    cache.path("model").parent.parent.rmdir()
    (cache.folder / "artifacts").write_text("a file")
    reason = cache.have(model=b"model")["reason"]
    assert reason == f"cannot use {cache.folder}/artifacts/{KEY}: Not a directory"


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    for number, letter in enumerate("abc"):
        before = Cache(tmp_path, token="earlier", limit_bytes=100)
        before.have(key(letter), model=b"x" * 20)
        before.bring("model", b"x" * 20, key=key(letter))
        before.age(key(letter), 300 - 100 * number)
    cache = Cache(tmp_path, limit_bytes=100)
    assert cache.have(key("a"), model=b"x" * 20)["missing"] == []
    cache.age(key("a"), 1000)
    assert cache.have(key("d"), model=b"y" * 20)["status"] == "ok"
    left = sorted(path.name[0] for path in (tmp_path / "artifacts").iterdir())
    assert left == ["a", "c", "d"], "b is the oldest that this session does not use"


def test_what_this_session_uses_stays_and_too_much_of_it_is_refused(tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit_bytes=50)
    cache.have(key("a"), model=b"x" * 40)
    cache.bring("model", b"x" * 40, key=key("a"))
    reason = cache.have(key("b"), model=b"y" * 20)["reason"]
    assert "this session needs 0.0 MB in" in reason
    assert cache.path("model", key("a")).exists()


def test_outputs_come_back_once_and_nothing_else_does(cache: Cache) -> None:
    data = os.urandom(1_000_000)
    path = Path(cache.depot.outputs) / "outputs.npz"
    path.write_bytes(data)
    assert cache.ask(op="fetch", name="outputs.npz")["status"] == "ok"
    assert b"".join(base64.b64decode(event["data"]) for event in cache.wire.said) == data
    assert not path.exists()
    assert "cannot use" in cache.ask(op="fetch", name="outputs.npz")["reason"]
    # Files of the test's own: a depot without this check would send and remove them.
    other = cache.folder / "other"
    other.write_bytes(b"other")
    for name in (str(other), "../other"):
        assert "is no file name" in cache.ask(op="fetch", name=name)["reason"]
    assert other.exists()


def test_what_nobody_came_back_for_is_removed(cache: Cache) -> None:
    outputs = Path(cache.depot.outputs)
    old, new = outputs / "old.npz", outputs / "new.npz"
    agents = cache.folder / "agent"
    for path in (old, new):
        path.write_bytes(b"")
    for name in ("old", "new"):
        (agents / name).mkdir(parents=True)
    for path in (old, agents / "old"):
        os.utime(path, (0, 0))
    cache.depot.open()
    assert list(outputs.iterdir()) == [new]
    assert list(agents.iterdir()) == [agents / "new"]


def test_a_sign_of_life(cache: Cache) -> None:
    assert cache.ask(op="ping") == {"status": "ok"}
