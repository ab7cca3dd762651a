"""A file's content as its identity: streamed hashes, never a parse."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

CHUNK_BYTES = 1 << 20


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of `path` in hex, read in chunks of 1 MiB."""
    state = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            state.update(chunk)
    return state.hexdigest()


def files_sha256(files: Iterable[Path], root: Path) -> str:
    """Return one SHA-256 over several files: their paths below `root` and their contents.

    A single file has its plain SHA-256, so that anybody can check it with sha256sum.
    """
    ordered = sorted(files)
    if len(ordered) == 1:
        return file_sha256(ordered[0])
    state = hashlib.sha256()
    for path in ordered:
        state.update(f"{path.relative_to(root).as_posix()}\0{file_sha256(path)}\n".encode())
    return state.hexdigest()
