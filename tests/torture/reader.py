"""A reader of stores that shares no code with ours: journals with json, parts with pyarrow.

It knows the two formats only as far as docs describe them: lines of a journal carry the digest of
their record, file names of parts carry the digest of their bytes, and every table of a part has a
run_id.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

_HEAD = re.compile(rb'\{"v":1,"sha256":"([0-9a-f]{64})","len":(\d+),"rec":')


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Runs of a store by id, with their raw samples in ns; `broken` names files that are not whole.

    `journaled` counts a run once per line, `sealed` once per row of every part that lies there:
    what an engine sees that knows none of our rules.
    """

    journaled: dict[str, list[tuple[int, ...]]]
    sealed: dict[str, list[tuple[int, ...]]]
    broken: tuple[str, ...] = ()

    def missing(self, expected: dict[str, tuple[int, ...]]) -> list[str]:
        """Return the ids of `expected` that are nowhere with these very samples."""
        return [
            run_id
            for run_id, samples in expected.items()
            if samples not in self.journaled.get(run_id, []) + self.sealed.get(run_id, [])
        ]

    def doubled(self) -> list[str]:
        """Return the ids that are in a journal twice or sealed twice."""
        counts = Counter({name: len(found) - 1 for name, found in self.journaled.items()})
        counts.update({name: len(found) - 1 for name, found in self.sealed.items()})
        return sorted(name for name, count in counts.items() if count > 0)


def look(store: Path) -> Seen:
    """Return what lies in the store at `store`; a torn last line of a journal is nothing."""
    journaled: dict[str, list[tuple[int, ...]]] = {}
    broken: list[str] = []
    for path in sorted(store.glob("sessions/*/journal.ndjson")):
        for record in _records(path.read_bytes()):
            if record["kind"] == "run":
                body = record["body"]
                journaled.setdefault(body["run_id"], []).append(tuple(body["samples_ns"]))
    return Seen(journaled=journaled, sealed=_sealed(store, broken), broken=tuple(broken))


def rows(store: Path, table: str) -> list[dict[str, Any]]:
    """Return the rows of every part of one table."""
    return _rows(store, table, [])


def records(journal: Path) -> list[dict[str, Any]]:
    """Return the records of one journal up to its first line that is not whole."""
    return _records(journal.read_bytes())


def _sealed(store: Path, broken: list[str]) -> dict[str, list[tuple[int, ...]]]:
    """Return each run of the parts once per row in `runs`, or in `samples` where those are more."""
    samples: dict[str, list[tuple[int, ...]]] = {}
    for row in _rows(store, "samples", broken):
        if row["metric"] == "latency":
            samples.setdefault(row["run_id"], []).append(tuple(row["values"]))
    names = Counter(row["run_id"] for row in _rows(store, "runs", broken) if row["run_id"])
    sealed = {}
    for name, count in names.items():
        found = samples.get(name, [()])
        sealed[name] = found + found[:1] * (count - len(found))
    return sealed


def _records(data: bytes) -> list[dict[str, Any]]:
    found = []
    for line in data.split(b"\n")[:-1]:
        head = _HEAD.match(line)
        record = line[head.end() : -1] if head else b""
        if head is None or len(record) != int(head[2]) or _digest(record) != head[1].decode():
            break
        found.append(json.loads(record))
    return found


def _rows(store: Path, table: str, broken: list[str]) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    found: list[dict[str, Any]] = []
    for path in sorted(store.glob(f"parts/{table}/**/*.parquet")):
        data = path.read_bytes()
        if not path.stem.endswith(_digest(data)[:16]):
            broken.append(f"{path.name} is not what its name says")
            continue
        found += pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False).to_pylist()
    return found


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
