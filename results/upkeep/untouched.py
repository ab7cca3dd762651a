"""A store that is looked at and must stay as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from harness.errors import StoreError
from results.storage import Entry, Storage

if TYPE_CHECKING:
    import pyarrow.fs


class Untouched:
    """A storage that can be read; whoever would write to it gets a StoreError.

    It has no `root`, so that nobody takes its lock, which is a file.
    """

    root = None

    def __init__(self, storage: Storage) -> None:
        """Name the place."""
        self._storage = self.original = storage
        self.label = storage.label

    def walk(self, prefix: str = "") -> Iterator[Entry]:
        """Yield the files below the folder `prefix`."""
        return self._storage.walk(prefix)

    def read(self, path: str) -> bytes:
        """Return the bytes of a file."""
        return self._storage.read(path)

    def publish(self, path: str, _data: bytes) -> bool:
        """Refuse."""
        raise self._refusal(path)

    def replace(self, path: str, _data: bytes) -> None:
        """Refuse."""
        raise self._refusal(path)

    def move(self, path: str, _to: str) -> None:
        """Refuse."""
        raise self._refusal(path)

    def remove(self, *paths: str) -> None:
        """Refuse."""
        raise self._refusal(*paths)

    def filesystem(self) -> tuple[pyarrow.fs.FileSystem, str]:
        """Return Arrow's view of the place, which nobody here writes through."""
        return self._storage.filesystem()

    def translated(self, action: str, path: str) -> AbstractContextManager[None]:
        """Turn errors of the place in the block into StoreErrors."""
        return self._storage.translated(action, path)

    def _refusal(self, *paths: str) -> StoreError:
        return StoreError(f"{self.label!r} is only looked at, so {paths[0]!r} stays as it is")
