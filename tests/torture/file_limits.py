"""Writes that really stop in the middle: a file may grow to so many bytes and no further."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from .judge import Break, Case, tried
from .processes import Ended, ForkServer
from .records import Campaign, Row, Scope, added

FAULT = "short writes: RLIMIT_FSIZE at each size"
# A prime, so that the limits fall everywhere in the records.
_STEP_BYTES = {"full": 199, "reduced": 4999}


def play(scope: Scope) -> list[Row]:
    """Limit the files of a writer to every size up to that of its largest file."""
    with tempfile.TemporaryDirectory() as name, ForkServer() as server:
        folder = Path(name)
        largest = _largest(server, folder / "untroubled")
        limits = range(0, largest, _STEP_BYTES[scope])
        findings = tried(server, _cases(server, folder, limits))
        return [added(FAULT, findings, f"0 to {largest:,} bytes in steps of {limits.step}")]


def _largest(server: ForkServer, where: Path) -> int:
    """Return the bytes of the largest file that a writer leaves, in the journal or sealed."""
    server.run("write", where)
    sealed = max(path.stat().st_size for path in where.rglob("*") if path.is_file())
    return max(sealed, 16_000)


def _cases(server: ForkServer, folder: Path, limits: range) -> Iterator[tuple[Case, Break]]:
    for limit in limits:
        case = Case(
            name=f"{FAULT}, {limit} bytes", where=folder / f"store-{limit}", cause="file too large"
        )
        yield case, partial(_limited, server, limit)


def _limited(server: ForkServer, limit: int, where: Path) -> Ended:
    return server.run("write", where, file_limit_bytes=limit)


CAMPAIGN = Campaign("file-limits", play)
