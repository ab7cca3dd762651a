"""A TOML file a person wrote, as a strict record: what is wrong names the file, line and key."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harness.errors import UsageError
from harness.toml_lines import line_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# What follows the line of a key parses each beginning of the file.
LARGEST_FILE_BYTES = 64_000
MOST_LINES = 2000

Key = str | int
T = TypeVar("T")


class Document:
    """One TOML file: its tables, and errors that say where in it something stands.

    `what` is what the file is in one word or two ("lab file"), for the sentences.
    """

    def __init__(self, path: Path, what: str) -> None:
        """Read and parse the file; UsageError where that cannot be done."""
        self.path = path
        self._what = what
        self._text = self._read()
        self.content = self._parse()

    def _read(self) -> str:
        try:
            with self.path.open("rb") as stream:
                content = stream.read(LARGEST_FILE_BYTES + 1)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UsageError(
                f"cannot read the {self._what} {self.path}: {reason}", "check the path"
            ) from error
        if len(content) > LARGEST_FILE_BYTES or content.count(b"\n") > MOST_LINES:
            raise UsageError(
                f"{self.path}: larger than {LARGEST_FILE_BYTES // 1000} kB or {MOST_LINES} lines",
                f"a {self._what} is far smaller: check the path",
            )
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            raise UsageError(f"{self.path} line {line}: not UTF-8", "save it as UTF-8") from error

    def _parse(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            reason, _, place = str(error).partition(" (at ")
            found = re.search(r"line (\d+)", place)
            # The parser names no line where the file ends too early.
            line = found.group(1) if found else self._text.rstrip("\n").count("\n") + 1
            sentence = reason[:1].lower() + reason[1:]
            raise UsageError(
                f"{self.path} line {line}: not TOML: {sentence}", "correct that line"
            ) from error
        except (RecursionError, ValueError) as error:  # what the parser itself gives up on
            raise UsageError(
                f"{self.path}: nested too deeply, or a number of thousands of digits",
                f"a {self._what} has tables of plain values",
            ) from error

    def wrong(self, key: Sequence[Key], message: str, advice: str | None = None) -> UsageError:
        """Build the error for what stands at `key`; the line is that of the nearest table."""
        for end in range(len(key), 0, -1):
            line = line_of(self._text, key[:end])
            if line:
                return UsageError(f"{self.path} line {line}: {message}", advice)
        return UsageError(f"{self.path}: {message}", advice)

    def value(self, key: Sequence[Key], error: UsageError) -> UsageError:
        """Build the error for a value at `key` that was refused for the reason of `error`."""
        return self.wrong(key, f"key {dotted(key)!r}: {error.message}", error.advice)

    def record(self, kind: type[T], key: Sequence[Key] = (), advice: str | None = None) -> T:
        """Return the table at `key` (the whole file) as a record of strict types."""
        table: Any = self.content
        for part in key:
            table = table[part]
        try:
            return msgspec.convert(table, kind)
        except msgspec.ValidationError as error:
            raise self._refused(error, key, advice) from error

    def _refused(
        self, error: msgspec.ValidationError, parent: Sequence[Key], advice: str | None
    ) -> UsageError:
        """Turn msgspec's "Object contains unknown field `x` - at `$.power`" into our sentence."""
        message, _, where = str(error).partition(" - at `$")
        key = (*parent, *_parts(where.rstrip("`")))
        field = re.search(r"(unknown|missing required) field `([^`]*)`", message)
        if field:
            kind = "unknown" if field.group(1) == "unknown" else "missing"
            key = (*key, field.group(2))
            return self.wrong(key, f"{kind} key {dotted(key)!r}", advice)
        reason = message[:1].lower() + message[1:]
        for word, plain in (("`object`", "a table"), ("`array`", "a list")):
            reason = reason.replace(word, plain)
        return self.wrong(key, f"key {dotted(key)!r}: {reason}", advice)


def _parts(where: str) -> tuple[Key, ...]:
    """Return the keys in msgspec's path: ".clusters[0].ids[...]" gives clusters, 0, ids."""
    found = re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", where)
    return tuple(int(number) if number else name for name, number in found)


def dotted(key: Sequence[Key]) -> str:
    """Return a key as a person reads it: clusters[0].mhz; control characters are escaped."""
    words = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in key]
    text = ascii("".join(words).lstrip("."))[1:-1]
    return text if len(text) <= 80 else f"{text[:79]}…"
