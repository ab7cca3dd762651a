"""One writer per session: a lock that ends with its process, whatever ends the process."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from harness.errors import StoreError

LOCK = "lock"


def lock(directory: Path) -> int:
    """Return a descriptor that holds the session's lock until it is closed or its process ends."""
    descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        who = f"process {holder}" if holder.isdigit() else "another process"
        raise StoreError(
            f"session {directory.name!r} is being written by {who}", "wait until it ends or stop it"
        ) from None
    # the number only serves that message: a full disk must not keep a session from being opened
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
    return descriptor
