"""One place in a document of another tool: asked for a figure, it answers with it or says why not.

What is absent or null is None. What is there and is not what it should be is a UsageError that
names the file and the key: a figure that was misread would be worse than none.
"""

from __future__ import annotations

import datetime
import math
from typing import Any

import msgspec

from harness.errors import UsageError

_LARGEST = 2**63 - 1
_SHOWN = 60


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A value of a document and its `key`, like benchmarks[0].stats.median; `file` is its path."""

    file: str
    key: str
    value: Any

    def __getitem__(self, name: str) -> Node:
        """Return what stands under `name`; in what is absent, everything is absent."""
        if self.value is None:
            return self.at(name, None)
        return self.at(name, self.object().get(name))

    def object(self) -> dict[str, Any]:
        """Return the object that stands here, an empty one where nothing does."""
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            raise self.wrong("is no object")
        return self.value

    def nodes(self) -> list[Node]:
        """Return the entries of the array that stands here, none where nothing does."""
        if self.value is None:
            return []
        if not isinstance(self.value, list):
            raise self.wrong("is no array")
        return [
            Node(file=self.file, key=f"{self.key}[{place}]", value=value)
            for place, value in enumerate(self.value)
        ]

    def text(self) -> str | None:
        """Return the text that stands here; empty is absent."""
        if self.value is None:
            return None
        if not isinstance(self.value, str):
            raise self.wrong("is no text")
        return self.value or None

    def number(self) -> float | None:
        """Return the finite number that stands here, be it written as text."""
        found = self.value
        if found is None:
            return None
        if isinstance(found, str):
            try:
                found = float(found)
            except ValueError:
                raise self.wrong("is no number") from None
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise self.wrong("is no number")
        if not math.isfinite(found):
            raise self.wrong("is no finite number")
        return float(found)

    def count(self) -> int | None:
        """Return the whole number from zero on that stands here."""
        found = self.number()
        if found is None:
            return None
        if found < 0 or found != int(found) or found > _LARGEST:
            raise self.wrong("is no count")
        return int(self.value) if isinstance(self.value, int) else int(found)

    def seconds(self, per_s: float = 1.0) -> float | None:
        """Return the duration that stands here, `per_s` of its units a second, in seconds."""
        found = self.number()
        if found is None:
            return None
        if found < 0:
            raise self.wrong("is a negative time")
        if found / per_s * 1e9 > _LARGEST:
            raise self.wrong("is a time of more than 292 years")
        return found / per_s

    def samples_ns(self, per_s: float = 1.0) -> tuple[int, ...]:
        """Return the array of durations, `per_s` of their units a second, in nanoseconds."""
        return tuple(round(one.required_s(per_s) * 1e9) for one in self.nodes())

    def required_s(self, per_s: float = 1.0) -> float:
        """Return the duration that has to stand here, in seconds."""
        found = self.seconds(per_s)
        if found is None:
            raise self.wrong("is missing")
        return found

    def required(self) -> Node:
        """Return this place; UsageError where nothing stands here."""
        if self.value is None:
            raise self.wrong("is missing")
        return self

    def unix_s(self) -> float | None:
        """Return the ISO 8601 time that stands here in seconds since 1970; UTC where unsaid."""
        written = self.text()
        if written is None:
            return None
        try:
            found = datetime.datetime.fromisoformat(_with_offset(written))
        except ValueError:
            raise self.wrong("is no ISO 8601 time") from None
        if found.tzinfo is None:
            found = found.replace(tzinfo=datetime.timezone.utc)
        try:
            return found.timestamp()
        except (OverflowError, ValueError):
            raise self.wrong("is a time beyond the calendar") from None

    def wrong(self, what: str) -> UsageError:
        """Build the error of this place: the file, the key, what stands there and what it is."""
        if self.value is None:
            return UsageError(f"cannot import {self.file!r}: key {self.key!r} {what}")
        shown = repr(self.value)
        shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
        return UsageError(f"cannot import {self.file!r}: key {self.key!r} {what}: {shown}")

    def at(self, name: str, value: Any) -> Node:
        """Return the place `name` below this one that holds `value`."""
        key = f"{self.key}.{name}" if self.key else name
        return Node(file=self.file, key=key, value=value)


def _with_offset(written: str) -> str:
    """Return a time as Python 3.10 reads it: an offset for Z, six digits of a second."""
    written = f"{written[:-1]}+00:00" if written.endswith(("Z", "z")) else written
    head, point, tail = written.partition(".")
    if not point:
        return written
    digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
    return f"{head}.{digits[:6]:0<6}{tail[len(digits) :]}"
