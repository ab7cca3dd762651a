"""What an importer takes out of a file: its cases with what was measured, and what is around them.

None is what the file does not tell. Times are in seconds.
"""

from __future__ import annotations

import msgspec

from harness.types import Json


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One case that a tool measured, in one run of it.

    `options` are what else decides its number: they tell two entries of one name apart.
    `samples_ns` are raw durations, if the file keeps them; `reported` is the tool's own summary,
    see `summary`; `result` holds what an agent would report beside the samples (load_s, evidence).
    `notes` are sentences for the reader of a table.
    """

    scenario: str
    duration_s: float
    model: str | None = None
    variant: str | None = None
    backend: str | None = None
    runtime_version: str | None = None
    batch: int | None = None
    threads: int | None = None
    options: Json = {}
    samples_ns: tuple[int, ...] = ()
    reported: Json = {}
    result: Json = {}
    started_unix_s: float | None = None
    notes: tuple[str, ...] = ()


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One document: `tool` with its version, its entries, the machine as far as it is told.

    `documents` are the whole texts it was read from, by file name; `sha256` is what makes two
    documents the same.
    """

    tool: str
    entries: tuple[Entry, ...]
    documents: dict[str, str]
    sha256: str
    created_unix_s: float | None = None
    device: str | None = None
    environment: Json = {}


def summary(figures: Json, known: dict[str, float | int | str | None]) -> Json:
    """Return a tool's own summary: what is `known` of it in base units, its `figures` as they were.

    Names are latency_p50_s, latency_p90_s, latency_p99_s, latency_mean_s, latency_stdev_s,
    latency_min_s, latency_max_s, throughput_per_s, and n, the timed calls; `reason` says why there
    is no median. Unknown ones are left out.
    """
    told = {name: value for name, value in known.items() if value is not None}
    return {**told, "figures": figures}


def stem(path: str | None) -> str | None:
    """Return the name of a file without its folders, of either kind of slash, and its suffix."""
    if path is None:
        return None
    name = path.replace("\\", "/").rstrip("/").rpartition("/")[2]
    head, point, _ = name.rpartition(".")
    return (head if point and head else name) or None
