"""Files to a board and back: by content, each once, an interrupted one from where it broke off."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Protocol

import msgspec

from harness.errors import DeviceError
from harness.types import Json
from harness.whole_file import write_whole
from suites.models.content import file_sha256

# Each is acknowledged: large enough that a slow network's round trip costs little.
_CHUNK_BYTES = 4 << 20
_ANSWER_S = 30.0
# The slowest reading and sending that is waited for.
_LEAST_BYTES_PER_S = 100_000.0
# Far beyond any evaluation's outputs: what is longer is not them.
_MOST_FETCHED_BYTES = 2 << 30


class _Missing(msgspec.Struct):
    name: str
    offset: Annotated[int, msgspec.Meta(ge=0)]


class _Have(msgspec.Struct):
    """What the board lacks of some files, and the folder that they are in."""

    folder: str
    missing: list[_Missing]


class Told(Protocol):
    """Sends a request, and a payload behind it; yields its events."""

    def __call__(self, request: Json, timeout_s: float, payload: bytes = b"") -> Iterator[Json]:
        """Yield the events, the last of which is "finished"."""


class Cargo:
    """What was brought over one talk; what is there already is not asked for again."""

    def __init__(self, told: Told, board: str) -> None:
        """Take the way to the agent and the board's name for sentences."""
        self._told = told
        self._board = board
        self._there: dict[tuple[Path, ...], list[str]] = {}

    def put(self, files: Sequence[Path]) -> list[str]:
        """Bring the files into one folder there; return where they are, in the same order."""
        key = tuple(files)
        if key not in self._there:
            self._there[key] = self._bring(files)
        return self._there[key]

    def fetch(self, name: str, here: Path) -> None:
        """Bring one of the agent's outputs here, whole; it is removed there."""
        blocks: list[bytes] = []
        for event in self._told({"op": "fetch", "name": name}, _ANSWER_S):
            if event["event"] == "finished":
                self._check(event)
                break
            blocks.append(self._block(event))
            if sum(map(len, blocks)) > _MOST_FETCHED_BYTES:
                raise DeviceError(f"board {self._board!r} sends more than any outputs are")
        write_whole(here, b"".join(blocks))

    def _bring(self, files: Sequence[Path]) -> list[str]:
        try:
            listed: list[Json] = [
                {"name": file.name, "sha256": file_sha256(file), "bytes": file.stat().st_size}
                for file in files
            ]
        except OSError as error:
            raise DeviceError(f"cannot read {error.filename}: {error.strerror}") from error
        size = sum(file["bytes"] for file in listed)
        key = sha256(json.dumps([[f["name"], f["sha256"]] for f in listed]).encode()).hexdigest()
        have = {"op": "have", "key": key, "files": listed}
        answer = self._had(self._ask(have, _ANSWER_S + size / _LEAST_BYTES_PER_S))
        offsets = {entry.name: entry.offset for entry in answer.missing}
        for file, entry in zip(files, listed, strict=True):
            if file.name in offsets:
                self._send(file, {"key": key, "name": file.name}, offsets[file.name])
                keep = {"op": "keep", "key": key, "name": file.name, "sha256": entry["sha256"]}
                self._ask(keep, _ANSWER_S + entry["bytes"] / _LEAST_BYTES_PER_S)
        return [f"{answer.folder}/{file.name}" for file in files]

    def _send(self, file: Path, which: Json, offset: int) -> None:
        with file.open("rb") as stream:
            stream.seek(offset)
            while block := stream.read(_CHUNK_BYTES):
                chunk = {"op": "chunk", "offset": offset, "bytes": len(block), **which}
                self._ask(chunk, _ANSWER_S + len(block) / _LEAST_BYTES_PER_S, block)
                offset += len(block)

    def _ask(self, request: Json, timeout_s: float, payload: bytes = b"") -> Json:
        *_, answer = self._told(request, timeout_s, payload)
        self._check(answer)
        return answer

    def _check(self, answer: Json) -> None:
        if answer.get("status") != "ok":
            raise DeviceError(f"board {self._board!r}: {answer.get('reason') or 'gives no reason'}")

    def _had(self, answer: Json) -> _Have:
        try:
            return msgspec.convert(answer, _Have)
        except msgspec.ValidationError as error:
            raise self._odd(error) from error

    def _block(self, event: Json) -> bytes:
        try:
            return base64.b64decode(event["data"], validate=True)
        except (KeyError, TypeError, ValueError) as error:
            raise self._odd(error) from error

    def _odd(self, error: Exception) -> DeviceError:
        return DeviceError(f"board {self._board!r} does not answer like an agent: {error}")
