"""Bytes that are on the disk when a call returns, and the sentence for when they cannot be.

A file is published by writing it beside its final name, syncing it, linking it to that name without
replacing anything, and syncing the directory: a reader sees all of it or nothing, whatever is
killed in between.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from harness.errors import StoreError

ELSEWHERE = "or choose another place with --store"
RESUME = "then continue with boardmark run --resume (a gate is measured again)"

_CURES = {
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "free some of your quota there",
    errno.EFBIG: "raise the file size limit of this process (ulimit -f)",
    errno.EACCES: "give yourself permission to do that",
    errno.EPERM: "give yourself permission to do that",
    errno.EROFS: "mount it writable",
    errno.ENOTDIR: "move the file away that is in its place",
    errno.EEXIST: "move away what is in its place",
    errno.EISDIR: "move the directory away that is in its place",
    errno.ENOENT: "check that the path is right and still there",
    errno.EIO: "look at the kernel log for errors of that disk",
    errno.EINVAL: "move away what is in its place: it is no file",
    errno.ELOOP: "move the link away that is in its place",
}


@contextlib.contextmanager
def translated(action: str, path: Path, kept: str = "") -> Iterator[None]:
    """Turn an OSError of the block into a StoreError that says how to go on.

    `action` and `path` say what failed; `kept`, a clause like "4 finished runs are kept", says what
    is safe in spite of it and that the session can be resumed.
    """
    try:
        yield
    except OSError as error:
        cause = (os.strerror(error.errno) if error.errno else str(error)).lower()
        cure = _CURES.get(error.errno or 0, "look at the disk")
        safe = f"; {kept}" if kept else ""
        advice = f"{cure}, {RESUME}" if kept else f"{cure} {ELSEWHERE}"
        raise StoreError(f"cannot {action} {str(path)!r}: {cause}{safe}", advice) from error


def is_full(error: StoreError) -> bool:
    """Tell whether it is for want of room that something could not be written."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading; OSError for anything else: a pipe or a device would never end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISREG(kind):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    number = errno.EISDIR if stat.S_ISDIR(kind) else errno.EINVAL
    raise OSError(number, os.strerror(number))


def read_file(path: Path) -> bytes:
    """Return the bytes of a file; OSError as `open_file`."""
    with open_file(path) as file:
        return file.read()


def write_all(descriptor: int, data: bytes) -> None:
    """Write `data` with one call; a short write is an error, not to be continued."""
    written = os.write(descriptor, data)
    if written != len(data):
        os.write(descriptor, data[written:])  # says why: a full disk, a quota, a size limit
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def sync_directory(path: Path) -> None:
    """Return when the names in the directory `path` are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # some network and FAT mounts cannot sync a directory and say so this way
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def make_directory(path: Path) -> None:
    """Make `path` and its missing parents, each name on the disk when this returns."""
    missing = [path, *path.parents]
    for directory in reversed([entry for entry in missing if not entry.is_dir()]):
        directory.mkdir(mode=0o755, exist_ok=True)
        sync_directory(directory.parent)


def publish(data: bytes, path: Path) -> bool:
    """Give `path` the content `data`, durably and without replacing a file that is there already.

    An existing file is left as it is, and False returned: names carry the digest of the content.
    Raises OSError.
    """
    with _written_beside(data, path) as beside:
        new = link(beside, path)
    sync_directory(path.parent)
    return new


def replace(data: bytes, path: Path) -> None:
    """Give `path` the content `data`, durably: readers see the old content or all of the new."""
    with _written_beside(data, path) as beside:
        beside.replace(path)
    sync_directory(path.parent)


@contextlib.contextmanager
def _written_beside(data: bytes, path: Path) -> Iterator[Path]:
    """Give a synced file with `data` in the directory of `path`; it goes with the block."""
    beside = path.with_name(f".tmp-{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    descriptor = os.open(beside, flags, 0o644)
    try:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield beside
    finally:
        beside.unlink(missing_ok=True)


def link(source: Path, path: Path) -> bool:
    """Name the file `source` also `path`, or rename it where there are no hard links (FAT).

    False where `path` is taken already: it is left as it is. Raises OSError.
    """
    try:
        os.link(source, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
        if path.exists():
            return False
        source.rename(path)
    return True
