"""Files that are complete or not there, whatever stops the writing."""

from __future__ import annotations

import secrets
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Give the file `path` the content `data`: all of it, or what was there before. Raises OSError.

    A link stays a link to the same place; a device or a pipe is written to, never replaced.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    target = path.resolve()
    beside = target.with_name(f".tmp-{secrets.token_hex(8)}")
    try:
        beside.write_bytes(data)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
