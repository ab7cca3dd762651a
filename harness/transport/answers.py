"""What an agent says, taken for mere bytes until it has the shape of an answer that can be kept."""

from __future__ import annotations

import json
from typing import Annotated

import msgspec

from harness.types import Json, Status

_Duration = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class _Core(msgspec.Struct):
    id: int


class _Identity(msgspec.Struct):
    cores: list[_Core]
    cpu_count: int | None = None


class _Identified(msgspec.Struct):
    """The answer to `identify`: what a plan takes from it for granted."""

    identity: _Identity


class _Runtime(msgspec.Struct):
    version: str


class _Loaded(msgspec.Struct):
    status: str
    result: _Runtime


class _Refused(msgspec.Struct):
    status: str
    reason: str


class _Series(msgspec.Struct):
    samples_ns: list[_Duration] = []


class _Measured(msgspec.Struct):
    """The answer to `run`."""

    status: Status
    reason: str | None
    started_unix_s: float
    duration_s: float
    result: _Series


def event(line: bytes) -> Json | None:
    """Return the event in a line, None where it is no event, or none that a journal could hold.

    What is not a number becomes null: it was not measured.
    """
    try:
        found = msgspec.json.decode(msgspec.json.encode(json.loads(line)))
    except (ValueError, RecursionError, OverflowError, msgspec.MsgspecError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("event"), str) else None


def wrong(operation: str, answer: Json) -> str | None:
    """Return what keeps the last event of an operation from being its answer, as a clause."""
    kinds: dict[str, type] = {"identify": _Identified, "run": _Measured, "probe": _Refused}
    if operation == "probe" and answer.get("status") == "ok":
        kinds["probe"] = _Loaded
    if operation not in kinds:
        return None
    try:
        msgspec.convert(answer, kinds[operation])
    except msgspec.ValidationError as error:
        return str(error)
    return None
