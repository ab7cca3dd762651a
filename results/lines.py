"""One line of a journal: a record in an envelope that tells whether it is whole.

{"v": 1, "sha256": digest of rec, "len": bytes of rec, "rec": {"kind": ..., "body": ...}}
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

VERSION = 1

_HEAD = re.compile(rb'\{"v":\d+,"sha256":"[0-9a-f]{64}","len":(\d{1,18}),"rec":')


class _Line(msgspec.Struct):
    """One line as it lies in the file; `rec` stays raw, because the digest is over its bytes."""

    v: int
    sha256: str
    len: int
    rec: msgspec.Raw


class Record(msgspec.Struct):
    """What a line carries; a kind that only a newer version knows keeps ours from sealing."""

    kind: str
    body: msgspec.Raw


class DamageError(Exception):
    """A line that is not the record it was; the message says what is wrong with it."""


def encode(kind: str, body: Any) -> bytes:
    """Return the line that carries one record, newline included."""
    record = msgspec.json.encode({"kind": kind, "body": body})
    head = {"v": VERSION, "sha256": hashlib.sha256(record).hexdigest(), "len": len(record)}
    return msgspec.json.encode({**head, "rec": msgspec.Raw(record)}) + b"\n"


def readable(kind: str, body: Any) -> bytes:
    """Return what `encode` does; DamageError where `body` would not read back as its type.

    Such a line, with NaN for a duration, would take every other one of its journal with it.
    """
    try:
        line = encode(kind, body)
        msgspec.json.decode(decode(line).body, type=type(body))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise DamageError(f"would not read back: {error}") from error
    return line


def decode(line: bytes) -> Record:
    """Return the record `line` carries; DamageError unless it is there to the last bit."""
    try:
        envelope = msgspec.json.decode(line, type=_Line)
        content = bytes(envelope.rec)
        if envelope.v > VERSION:
            raise DamageError(f"was written by a newer boardmark (journal version {envelope.v})")
        if (
            envelope.v < 1
            or len(content) != envelope.len
            or hashlib.sha256(content).hexdigest() != envelope.sha256
        ):
            raise DamageError("does not match its checksum")
        return msgspec.json.decode(content, type=Record)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise DamageError("is not a whole record") from None


def is_whole(line: bytes) -> bool:
    """Tell whether a line is there to the last bit."""
    try:
        decode(line)
    except DamageError:
        return False
    return True


def outlasts(line: bytes) -> bool:
    """Tell whether a bad line is longer than it announces: not torn, but run together."""
    head = _HEAD.match(line)
    return head is not None and len(line) > head.end() + int(head[1]) + len("}")
