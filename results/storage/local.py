"""A store in a directory of this machine: every name is on the disk before a call returns."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from results import durable
from results.durable import make_directory, sync_directory, translated
from results.storage import UNFINISHED, Entry, MissingError

if TYPE_CHECKING:
    import pyarrow.fs

# No file of a store lies in so many folders.
_DEEPEST = 16


class LocalStorage:
    """The files below one directory."""

    def __init__(self, root: Path) -> None:
        """Name the directory; nothing is read or written yet."""
        self._root = root

    @property
    def label(self) -> str:
        """The directory as it was given."""
        return str(self._root)

    @property
    def root(self) -> Path:
        """The directory."""
        return self._root

    def walk(self, prefix: str = "") -> Iterator[Entry]:
        """Yield the files below `prefix`, sorted; links to directories are not followed."""
        top = self._root / prefix
        with translated("read", top):
            yield from _files(str(top), prefix.strip("/"))

    def read(self, path: str) -> bytes:
        """Return the bytes of a file; MissingError where there is none."""
        with self._present("read", path) as source:
            return durable.read_file(source)

    def publish(self, path: str, data: bytes) -> bool:
        """Write beside, sync, link without replacing, sync the directory; False if it was there."""
        target = self._root / path
        with translated("write", target):
            make_directory(target.parent)
            return durable.publish(data, target)

    def replace(self, path: str, data: bytes) -> None:
        """Write beside, sync, rename over what is there, sync the directory."""
        target = self._root / path
        with translated("write", target):
            make_directory(target.parent)
            durable.replace(data, target)

    def move(self, path: str, to: str) -> None:
        """Rename a file; killed in between, it has both names and doing it again completes it."""
        target = self._root / to
        with self._present("move", path) as source:
            make_directory(target.parent)
            if not durable.link(source, target) and source.read_bytes() != target.read_bytes():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            sync_directory(target.parent)
            source.unlink(missing_ok=True)
            sync_directory(source.parent)

    def remove(self, *paths: str) -> None:
        """Remove files, then sync each directory once."""
        folders = dict.fromkeys((self._root / path).parent for path in paths)
        for path in paths:
            with translated("remove", self._root / path):
                (self._root / path).unlink(missing_ok=True)
        for folder in folders:
            with translated("remove files from", folder), contextlib.suppress(FileNotFoundError):
                sync_directory(folder)

    def filesystem(self) -> tuple[pyarrow.fs.FileSystem, str]:
        """Return Arrow's local filesystem and the directory."""
        from pyarrow import fs

        return fs.LocalFileSystem(), str(self._root.absolute())

    @contextlib.contextmanager
    def translated(self, action: str, path: str) -> Iterator[None]:
        """Turn the OSErrors of the block that have a number into StoreErrors."""
        try:
            yield
        except OSError as error:
            if error.errno is None:  # Arrow's word for a file that is not parquet
                raise
            with self._present(action, path):
                raise

    @contextlib.contextmanager
    def _present(self, action: str, path: str) -> Iterator[Path]:
        """Turn the OSErrors of the block into StoreErrors, a missing file into MissingError."""
        with translated(action, self._root / path):
            try:
                yield self._root / path
            except FileNotFoundError as error:
                raise MissingError(
                    f"cannot {action} {str(self._root / path)!r}: it is not there",
                    "another process may have moved it, so ask again",
                ) from error


def _files(folder: str, prefix: str, depth: int = 1) -> Iterator[Entry]:
    """Yield the files below `folder`; what disappears meanwhile is left out."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        path = f"{prefix}/{entry.name}" if prefix else entry.name
        if entry.is_dir(follow_symlinks=False):
            if depth < _DEEPEST:
                yield from _files(entry.path, path, depth + 1)
        elif not entry.name.startswith(UNFINISHED) and (facts := _facts(entry)):
            yield Entry(path=path, size_bytes=facts.st_size, mtime_ns=facts.st_mtime_ns)


def _facts(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Return what is known of a file, None for anything else and for a link to nothing."""
    try:
        facts = entry.stat()
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ELOOP):
            raise
        return None
    return facts if stat.S_ISREG(facts.st_mode) else None
