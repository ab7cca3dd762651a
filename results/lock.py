"""Locks that end with their process, whatever ends the process.

A session has one writer. A store has many, and one of them at a time publishes sealed parts or
removes any; readers never wait for them.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from harness.errors import StoreError
from results.durable import translated
from results.layout import LOCK

WAIT_S = 60.0
_POLL_S = 0.005


def lock(directory: Path) -> int:
    """Return a descriptor that holds the session's lock until it is closed or its process ends."""
    descriptor = _open(directory)
    if not _taken(descriptor):
        who = _holder(descriptor)
        os.close(descriptor)
        raise StoreError(
            f"session {directory.name!r} is being written by {who}", "wait until it ends or stop it"
        )
    if not _is_current(descriptor, directory):
        os.close(descriptor)
        return lock(directory)
    _sign(descriptor)
    return descriptor


@contextlib.contextmanager
def store_lock(root: Path | None, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the lock of the store at `root` for the block; a block inside a block is no wait.

    Whoever publishes sealed parts, or moves or removes any, holds it. Waits up to `wait_s` seconds,
    then StoreError names who has it. A bucket (None) has no lock: what is published there replaces
    nothing, and whoever compacts or prunes it has to be alone.
    """
    if root is None:
        yield
        return
    held = _held(root)
    with _waiting(held.thread, root, wait_s):
        if not held.depth:
            held.descriptor = _wait(root, wait_s)
        held.depth += 1
        try:
            yield
        finally:
            held.depth -= 1
            if not held.depth:
                os.close(held.descriptor)


def rewriting(root: Path | None) -> tuple[int, bool]:
    """Return a stamp that changes with each holder of a store's lock, and whether it is held.

    A listing is complete for certain where the stamp was the same before and after it, and nobody
    held the lock.
    """
    if root is None:
        return 0, False
    try:
        descriptor = os.open(root / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return 0, False
    try:
        return os.fstat(descriptor).st_mtime_ns, not _taken(descriptor, fcntl.LOCK_SH)
    except OSError:
        return 0, False
    finally:
        os.close(descriptor)


class _Held:
    """One store's lock as this process has it."""

    def __init__(self) -> None:
        self.thread = threading.RLock()
        self.depth = 0
        self.descriptor = -1


_HELD: dict[tuple[int, Path], _Held] = {}


def _held(root: Path) -> _Held:
    """Return this process's record of a store's lock; a forked child begins with none."""
    return _HELD.setdefault((os.getpid(), root.absolute()), _Held())


@contextlib.contextmanager
def _waiting(thread: threading.RLock, root: Path, wait_s: float) -> Iterator[None]:
    """Keep the other threads of this process out for the block."""
    if not thread.acquire(timeout=wait_s):
        raise _busy(root, "another thread of this process")
    try:
        yield
    finally:
        thread.release()


def _wait(root: Path, wait_s: float) -> int:
    """Return a descriptor that holds the lock of the store at `root`."""
    with translated("lock", root / LOCK):
        descriptor = _open(root)
        end = time.monotonic() + wait_s
        while True:
            if _taken(descriptor):
                if _is_current(descriptor, root):
                    break
                os.close(descriptor)
                descriptor = _open(root)
            elif time.monotonic() >= end:
                who = _holder(descriptor)
                os.close(descriptor)
                raise _busy(root, who)
            else:
                time.sleep(_POLL_S)
        _sign(descriptor)
        return descriptor


def _busy(root: Path, who: str) -> StoreError:
    return StoreError(
        f"the store {str(root)!r} is being changed by {who}", "wait until it ends or stop it"
    )


def _open(directory: Path) -> int:
    return os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)


def _is_current(descriptor: int, directory: Path) -> bool:
    """Tell whether a lock's file still lies there: who locks one that was removed is not alone."""
    try:
        return os.path.samestat(os.fstat(descriptor), (directory / LOCK).stat())
    except FileNotFoundError:
        return False


def _taken(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Take the lock if nobody has it; tell whether it is ours."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        return False
    return True


def _holder(descriptor: int) -> str:
    """Return who wrote a lock's file last, as a clause."""
    pid = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
    return f"process {pid}" if pid.isdigit() else "another process"


def _sign(descriptor: int) -> None:
    """Put our number into the lock's file.

    It only serves the message: a full disk must not keep anything from being opened.
    """
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
