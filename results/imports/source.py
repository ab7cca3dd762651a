"""A result file as it lies there: its text, its digest, its JSON; whatever is odd is refused.

Refused, with the file and the key: what is not whole, two values under one key, NaN and infinities,
whole numbers beyond 64 bits, text that is no text, and nesting beyond any result file.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import UsageError
from results.imports.node import Node

MOST_BYTES = 256 * 2**20
_DEEPEST = 64
_LARGEST = 2**63 - 1


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One file: its whole `text`, the SHA-256 of its bytes, when it was last changed.

    `root` is its JSON document, an array where each line is one; None under it where the file is
    not JSON.
    """

    path: Path
    text: str
    sha256: str
    modified_unix_s: float
    root: Node

    def beside(self, name: str) -> Source | None:
        """Return the file `name` of the same folder, None where there is none."""
        path = self.path.with_name(name)
        return opened(path) if name != self.path.name and path.is_file() else None

    def refused(self, why: str, advice: str | None = None) -> UsageError:
        """Build the error of this file."""
        return UsageError(f"cannot import {str(self.path)!r}: {why}", advice)


def opened(path: Path) -> Source:
    """Return the file at `path`, read and checked; UsageError where it cannot be used."""
    data, modified_s = _bytes(path)
    try:
        text = data.decode(json.detect_encoding(data))
    except UnicodeDecodeError as error:
        raise _refused(path, f"it is no text: byte {error.start} is no {error.encoding}") from error
    if not text.strip():
        raise _refused(path, "it is empty")
    document = value(path, text) if text.lstrip()[:1] in ("{", "[") else None
    return Source(
        path=path,
        text=text,
        sha256=hashlib.sha256(data).hexdigest(),
        modified_unix_s=modified_s,
        root=Node(file=str(path), key="", value=document),
    )


def value(path: Path, text: str) -> Any:
    """Return the checked JSON value of `text`, a list of values where each line holds one."""
    try:
        found = _parsed(path, text)
    except json.JSONDecodeError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if error.msg != "Extra data" or len(lines) < 2:
            raise _refused(path, _broken(error)) from None
        found = [_line(path, line, number) for number, line in enumerate(lines, 1)]
    _check(path, found)
    return found


def _bytes(path: Path) -> tuple[bytes, float]:
    """Return what a regular file holds and when it was changed."""
    try:
        facts = path.stat()
        if path.is_dir():
            raise _refused(path, "it is a directory", "name the result files in it")
        if not path.is_file():
            raise _refused(path, "it is no regular file")
        if facts.st_size > MOST_BYTES:
            raise _refused(path, f"it is larger than {MOST_BYTES >> 20} MiB")
        return path.read_bytes(), facts.st_mtime
    except (OSError, ValueError) as error:
        # a NUL in a name is a ValueError
        what = error.strerror if isinstance(error, OSError) else str(error)
        raise _refused(path, f"it cannot be read: {(what or '').lower()}") from error


def _line(path: Path, line: str, number: int) -> Any:
    """Return the value of one line."""
    try:
        return _parsed(path, line)
    except json.JSONDecodeError as error:
        raise _refused(path, f"line {number}: {_broken(error)}") from None


def _parsed(path: Path, text: str) -> Any:
    """Return the value of a JSON text."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in found if names.count(name) > 1)
            raise _refused(path, f"key {twice!r} stands twice in one object")
        return found

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise _refused(path, f"it is nested deeper than {_DEEPEST} levels") from None
    except ValueError:
        raise _refused(path, "it holds a whole number of thousands of digits") from None


def _broken(error: json.JSONDecodeError) -> str:
    """Return where a text stops being JSON."""
    place = f"line {error.lineno} column {error.colno}"
    return f"it is not whole JSON: {error.msg.lower()} at {place}"


def _check(path: Path, document: Any) -> None:
    """Refuse values that no store keeps as they are, by their key."""
    waiting: list[tuple[Node, int]] = [(Node(file=str(path), key="", value=document), 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > _DEEPEST:
            raise _refused(path, f"it is nested deeper than {_DEEPEST} levels")
        found = node.value
        if isinstance(found, dict):
            for name in found:
                _text(node.at("", name), name)
            waiting += [(node.at(name, below), depth + 1) for name, below in found.items()]
        elif isinstance(found, list):
            waiting += [(below, depth + 1) for below in node.nodes()]
        elif isinstance(found, str):
            _text(node, found)
        elif isinstance(found, float):
            node.number()
        elif isinstance(found, int) and abs(found) > _LARGEST:
            raise node.wrong("is beyond 64 bits")


def _text(node: Node, text: str) -> None:
    """Refuse half a character: no file of ours could hold it."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise node.wrong("holds half a character") from None


def _refused(path: Path, why: str, advice: str | None = None) -> UsageError:
    return UsageError(f"cannot import {str(path)!r}: {why}", advice)
