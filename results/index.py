"""What was read out of parts once, so that it need not be read again: a cache, no more.

`index/<name>.msgpack` maps the path of each part to its size, its time of change, and what it gave.
Parts are immutable, so that an entry holds while these two are the same. The file begins with the
SHA-256 of the rest: one that is damaged or cannot be read counts as missing. A store that cannot be
written is read anew each time.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from harness.errors import StoreError
from results.layout import INDEX
from results.storage import Entry, Storage

# Raised when the same part would give another value.
_VERSION = 1
_DIGEST = hashlib.sha256().digest_size

T = TypeVar("T")


class Index(Generic[T]):
    """The values of type `kind` that parts of one store gave, under one name; read at first use."""

    def __init__(self, storage: Storage, name: str, kind: Any) -> None:
        """Name the file; nothing is read yet."""
        self.path = f"{INDEX}/{name}.msgpack"
        self._storage = storage
        self._type = tuple[int, dict[str, tuple[int, int, kind]]]
        self._known: dict[str, tuple[int, int, T]] | None = None
        self._changed = False

    @property
    def known(self) -> dict[str, tuple[int, int, T]]:
        """Return size, time of change in ns, and value of each part that is remembered."""
        if self._known is None:
            self._known = self._read()
        return self._known

    def get(self, part: Entry) -> T | None:
        """Return what `part` gave, None where it is not known or the file changed since."""
        found = self.known.get(part.path)
        if found is None or found[0] != part.size_bytes or found[1] != part.mtime_ns:
            return None
        return found[2]

    def put(self, part: Entry, value: T) -> None:
        """Remember what `part` gave."""
        self.known[part.path] = (part.size_bytes, part.mtime_ns, value)
        self._changed = True

    def save(self, stays: Callable[[str], bool]) -> None:
        """Write what is remembered of the parts that `stays` is true of, if anything changed."""
        if self._known is None:
            return
        kept = {path: value for path, value in self._known.items() if stays(path)}
        if self._changed or len(kept) < len(self._known):
            with contextlib.suppress(StoreError):
                data = msgspec.msgpack.encode((_VERSION, kept))
                self._storage.replace(self.path, hashlib.sha256(data).digest() + data)
        self._known, self._changed = kept, False

    def _read(self) -> dict[str, tuple[int, int, T]]:
        try:
            data = self._storage.read(self.path)
            digest, data = data[:_DIGEST], data[_DIGEST:]
            if hashlib.sha256(data).digest() != digest:
                return {}
            version, known = msgspec.msgpack.decode(data, type=self._type)
        except (StoreError, msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return {}
        return known if version == _VERSION else {}
