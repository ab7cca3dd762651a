"""Where a store's files lie: a directory of this machine, or a prefix of an S3 bucket.

Paths are relative to the store and written with slashes. Nothing here knows what the files hold;
every failure is a StoreError (exit 2) whose sentence says how to go on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from harness.errors import StoreError, UsageError

if TYPE_CHECKING:
    import pyarrow.fs

UNFINISHED = ".tmp-"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")


class MissingError(StoreError):
    """A file that is not there, or not any more: another process may have moved or removed it."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a store: its path, its size, and when it was last written (ns, Unix)."""

    path: str
    size_bytes: int
    mtime_ns: int


class Storage(Protocol):
    """The few things a store asks of the place where it lies."""

    @property
    def label(self) -> str:
        """The place as the user wrote it: for sentences, and for --store."""

    @property
    def root(self) -> Path | None:
        """The directory; None for a bucket, which has neither locks nor live sessions."""

    def walk(self, prefix: str = "") -> Iterator[Entry]:
        """Yield the files below the folder `prefix`, sorted; none where it is missing.

        What a writer has not published yet is left out.
        """

    def read(self, path: str) -> bytes:
        """Return the bytes of a file; MissingError where there is none."""

    def publish(self, path: str, data: bytes) -> bool:
        """Give a new file its content, durable on return; False where the name is taken already.

        What is there is never replaced: names of parts carry the digest of their content.
        """

    def replace(self, path: str, data: bytes) -> None:
        """Give a file its content, durable on return, whatever it held: readers see all or none."""

    def move(self, path: str, to: str) -> None:
        """Rename a file; MissingError where it is gone, StoreError where `to` holds other bytes."""

    def remove(self, *paths: str) -> None:
        """Remove files, durable on return; one that is missing is no error."""

    def filesystem(self) -> tuple[pyarrow.fs.FileSystem, str]:
        """Return Arrow's view of the place and the store's path in it, without a trailing slash."""

    def translated(self, action: str, path: str) -> AbstractContextManager[None]:
        """Turn errors of the place in the block into StoreErrors, for what uses `filesystem()`.

        Those of a file's content, which Arrow also raises as OSError, are left as they are.
        """


def is_remote(where: str | Path) -> bool:
    """Tell whether `where` names a place on another machine by a URL."""
    return bool(_SCHEME.match(str(where)))


def open_storage(where: str | Path) -> Storage:
    """Return the place that `where` names: a directory, or s3://bucket/prefix.

    A directory need not exist yet. A bucket is asked at once, so that a wrong name, missing rights
    and an unreachable endpoint are StoreErrors here, within ten seconds. UsageError for other URLs.
    """
    if not is_remote(where):
        from results.storage.local import LocalStorage

        return LocalStorage(Path(where))
    from results.storage.bucket import BucketStorage, location

    return BucketStorage(location(str(where)))


def measurable(where: str | Path) -> Path:
    """Return the directory that sessions can be measured into; UsageError for a bucket."""
    if is_remote(where):
        raise UsageError(
            f"{shown(str(where))!r} cannot hold a running session",
            "measure into a local store, then: boardmark store merge",
        )
    return Path(where)


def shown(url: str) -> str:
    """Return a URL as it may be printed: without the user and password that some write into it."""
    return re.sub(r"(?<=://)[^/]*@", "", url)
