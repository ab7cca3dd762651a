"""What A/A sessions said, kept beside them: judging a hundred again takes seconds.

`null-minima.json` in the store is derived from its sealed sessions, which never change, and may be
deleted at any time.
"""

from __future__ import annotations

import contextlib
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import msgspec

from harness.gate.policy import Policy
from harness.types import digest
from harness.whole_file import write_whole

FILE = "null-minima.json"
# Raised when the same runs and policy would give another p.
_METHOD = 1
_MOST_RULES = 16


Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Cache(msgspec.Struct, kw_only=True):
    """`designs` holds a digest per A/A session, "" for one that cannot be read; `minima` its p.

    Both by the session's id, the latter under a digest of all that p depends on.
    """

    designs: dict[str, str] = {}
    minima: dict[str, dict[str, Probability]] = {}

    def of(self, policy: Policy) -> dict[str, Probability]:
        """Return the minima under `policy`, to be read and added to; the latest used stay."""
        key = digest([_METHOD, version("boardmark"), policy.alpha, policy.margins])
        mine = self.minima.pop(key, {})
        while len(self.minima) >= _MOST_RULES:
            self.minima.pop(next(iter(self.minima)))
        self.minima[key] = mine
        return mine


def read(store: Path) -> Cache:
    """Return what the store keeps; an empty cache where there is none that can be read."""
    try:
        return msgspec.json.decode((store / FILE).read_bytes(), type=Cache)
    except (OSError, msgspec.MsgspecError, RecursionError):
        return Cache()


def write(store: Path, cache: Cache) -> None:
    """Keep `cache`; a store that cannot be written is read again next time."""
    with contextlib.suppress(OSError):
        write_whole(store / FILE, msgspec.json.encode(cache))
