"""Names and paths of a store's files; nothing here touches a file.

    store.json                                                         {"boardmark_store": 2}
    sessions/<session id>/journal.ndjson                               a session that is not sealed
    parts/<table>/month=<2026-11>/device=<quoted>/<part>.parquet       format 2
    parts/<table>/<session id>-<digest>.parquet                        format 1
    quarantine/<part>.parquet, <part>.reason.txt
    lock                                                               see lock.py
    index/                                                             a cache, rebuilt when missing

A part is named `<session id>-<digest>` where it covers one session and `compact-<digest>` where it
covers many; the digest is the first 16 hex digits of the SHA-256 of the file.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Collection
from functools import lru_cache
from urllib.parse import quote, unquote

import msgspec

PARTS = "parts"
QUARANTINE = "quarantine"
SESSIONS = "sessions"
INDEX = "index"
STORE = "store.json"
LOCK = "lock"
COMPACT = "compact"
SUFFIX = ".parquet"
SESSION_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4,16}")

_NAME = re.compile(rf"((?:{SESSION_ID.pattern}|{COMPACT})-[0-9a-f]{{16}})\{SUFFIX}")
_FOLDER = re.compile(rf"{PARTS}/(\w+)(?:/month=(\d{{4}}-\d\d)/device=([^/]*))?")


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The place of one part: `month` in UTC, `device` None in format 1, which keeps it in rows."""

    table: str
    month: str
    device: str | None
    name: str
    format: int = 2

    @property
    def folder(self) -> str:
        """Return the folder it lies in."""
        if self.format == 1:
            return f"{PARTS}/{self.table}"
        device = quote(self.device or "", safe="")
        return f"{PARTS}/{self.table}/month={self.month}/device={device}"

    @property
    def path(self) -> str:
        """Return where the part lies in its store."""
        return f"{self.folder}/{self.name}{SUFFIX}"

    @property
    def digest(self) -> str:
        """Return the first 16 hex digits of the SHA-256 that the file's bytes must have."""
        return self.name[-16:]

    @property
    def session_id(self) -> str | None:
        """Return the one session it covers, None for a compact part."""
        return None if self.compact else self.name[:-17]

    @property
    def compact(self) -> bool:
        """Tell whether it covers many sessions, which only its footer lists."""
        return self.name.startswith(COMPACT)


def parse(path: str) -> Part | None:
    """Return the place that `path` names, None for a file that is no part."""
    folder, _, file = path.rpartition("/")
    name = _NAME.fullmatch(file)
    place = _place(folder)
    if name is None or place is None:
        return None
    table, month, device = place
    if month is not None:
        return Part(table=table, month=month, device=device, name=name[1])
    if file.startswith(COMPACT):
        return None
    return Part(table=table, month=f"{file[:4]}-{file[4:6]}", device=None, name=name[1], format=1)


@lru_cache(maxsize=1024)
def _place(folder: str) -> tuple[str, str | None, str | None] | None:
    """Return table, month and device of a folder of parts, None for any other folder."""
    found = _FOLDER.fullmatch(folder)
    if found is None:
        return None
    table, month, device = found.groups()
    return table, month, None if device is None else unquote(device)


def name_of(sessions: Collection[str], data: bytes) -> str:
    """Return the name of a part with the content `data` that covers `sessions`."""
    return f"{next(iter(sessions)) if len(sessions) == 1 else COMPACT}-{digest_of(data)}"


def digest_of(data: bytes) -> str:
    """Return the digest that a part with the content `data` has in its name."""
    return hashlib.sha256(data).hexdigest()[:16]


def month_of(unix_s: float) -> str:
    """Return the month of a time in UTC, like 2026-11."""
    return time.strftime("%Y-%m", time.gmtime(unix_s))
