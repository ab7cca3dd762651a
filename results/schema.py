"""Format 2 of the tables of sealed sessions: their columns, and what a part says of itself.

    sessions      one row per session: the plan as JSON beside the columns people search by
    environments  one row per session: the device it ran on
    runs          one row per run and one per skipped case: scalars to query, the result as JSON
    samples       one row per run and series: raw durations in order
    probes        one row per run and reading: what the device did beside it

Units are in the column names, or in `unit` beside the values; null is unknown. `device` and `month`
are no columns of the files but of their paths, so that every parquet engine can skip by them; the
logical schema, which readers get, has both. A skipped case has no run_id, seq, block or case_key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from harness.errors import StoreError

VERSION = "2.0"
TABLES = ("sessions", "environments", "runs", "samples", "probes")
PARTITIONS = ("month", "device")

_PREFIX = "boardmark."
_VERSION = re.compile(r"(\d{1,6})(?:\.(\d{1,6}))?")
_KNOWN = ("schema_version", "table", "writer", "sessions", "device", "month", "content", "listing")

_COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "sessions": (
        ("session_id", "string"),
        ("content", "string"),
        ("created_unix_s", "float64"),
        ("kind", "string"),
        ("suite", "string"),
        ("models", "strings"),
        ("seed", "int64"),
        ("blocks", "int64"),
        ("cases", "int64"),
        ("skipped", "int64"),
        ("runs", "int64"),
        ("harness_version", "string"),
        ("command", "strings"),
        ("notes", "strings"),
        ("plan_json", "string"),
    ),
    "environments": (
        ("session_id", "string"),
        ("environment_digest", "string"),
        ("board", "string"),
        ("soc", "string"),
        ("cpu_model", "string"),
        ("cpu_count", "int64"),
        ("arch", "string"),
        ("ram_bytes", "int64"),
        ("os", "string"),
        ("kernel", "string"),
        ("l4t", "string"),
        ("jetpack", "string"),
        ("python", "string"),
        ("governors", "strings"),
        ("hypervisor", "bool"),
        ("environment_json", "string"),
    ),
    "runs": (
        ("session_id", "string"),
        ("created_unix_s", "float64"),
        ("kind", "string"),
        ("suite", "string"),
        ("run_id", "string"),
        ("seq", "int64"),
        ("block", "int64"),
        ("case_key", "string"),
        ("side", "string"),
        ("model", "string"),
        ("model_digest", "string"),
        ("model_origin", "string"),
        ("variant", "string"),
        ("backend", "string"),
        ("runtime_version", "string"),
        ("scenario", "string"),
        ("batch", "int64"),
        ("threads", "int64"),
        ("artifact_sha256", "string"),
        ("artifact_format", "string"),
        ("size_bytes", "int64"),
        ("status", "string"),
        ("reason", "string"),
        ("disturbed", "bool"),
        ("stop_reason", "string"),
        ("started_unix_s", "float64"),
        ("duration_s", "float64"),
        ("samples", "int64"),
        ("import_s", "float64"),
        ("load_s", "float64"),
        ("first_inference_s", "float64"),
        ("timed_wall_s", "float64"),
        ("latency_p50_s", "float64"),
        ("throughput_per_s", "float64"),
        ("peak_rss_bytes", "int64"),
        ("peak_anon_bytes", "int64"),
        ("peak_file_bytes", "int64"),
        ("energy_j", "float64"),
        ("power_w", "float64"),
        ("power_method", "string"),
        ("power_scope", "string"),
        ("power_reason", "string"),
        ("quality_metric", "string"),
        ("quality", "float64"),
        ("quality_reference", "float64"),
        ("quality_loss", "float64"),
        ("quality_loss_lo", "float64"),
        ("quality_loss_hi", "float64"),
        ("quality_n", "int64"),
        ("quality_reason", "string"),
        ("fidelity", "float64"),
        ("sqnr_db", "float64"),
        ("evidence_version", "string"),
        ("evidence_threads", "int64"),
        ("evidence_provider", "string"),
        ("evidence_nodes_total", "int64"),
        ("evidence_nodes_on_provider", "int64"),
        ("evidence_precision", "string"),
        ("result_json", "string"),
        ("extra_json", "string"),
    ),
    "samples": (
        ("session_id", "string"),
        ("run_id", "string"),
        ("metric", "string"),
        ("unit", "string"),
        ("values", "int64s"),
    ),
    "probes": (
        ("session_id", "string"),
        ("run_id", "string"),
        ("probe", "string"),
        ("metric", "string"),
        ("unit", "string"),
        ("phase", "string"),
        ("offsets_s", "float64s"),
        ("values", "float64s"),
        ("reason", "string"),
    ),
}


class FooterError(Exception):
    """A part's metadata that are not what a writer put there; the message is a clause."""


class Footer(msgspec.Struct, frozen=True, kw_only=True):
    """What a part says of itself, in the metadata of its file.

    `sessions` maps the id of each session it covers to the digest of that session's content. A part
    of format 1 covers the one in its name: `content` is that session's digest, `sessions` is empty
    and `device` and `month` are None. In a part of `sessions` that covers one, `listing` is its
    line in a list as JSON, so that a list need not read rows. `more` are entries that a newer minor
    version added.
    """

    version: str = VERSION
    table: str
    writer: str
    sessions: dict[str, str]
    device: str | None = None
    month: str | None = None
    content: str | None = None
    listing: str | None = None
    more: dict[str, str] = {}

    @property
    def major(self) -> int:
        """Return the number of the format; a part of a larger one than ours cannot be read."""
        return _numbers(self.version)[0]


def major() -> int:
    """Return the number of the format that is written here, and the largest that is read."""
    return _numbers(VERSION)[0]


@lru_cache(maxsize=len(TABLES))
def schema(table: str) -> Any:
    """Return the pyarrow schema of the files of `table`, one of TABLES."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "bool": pa.bool_(),
        "int64": pa.int64(),
        "float64": pa.float64(),
        "strings": pa.list_(pa.string()),
        "int64s": pa.list_(pa.int64()),
        "float64s": pa.list_(pa.float64()),
    }
    return pa.schema([pa.field(name, types[kind]) for name, kind in _COLUMNS[table]])


@lru_cache(maxsize=len(TABLES))
def logical(table: str) -> Any:
    """Return the pyarrow schema that readers of `table` get: the file's, then month and device."""
    import pyarrow as pa

    shape = schema(table)
    for name in PARTITIONS:
        shape = shape.append(pa.field(name, pa.string()))
    return shape


def metadata(footer: Footer) -> dict[bytes, bytes]:
    """Return `footer` as the metadata of a file; what it does not know is left out."""
    entries = {
        "schema_version": footer.version,
        "table": footer.table,
        "writer": footer.writer,
        "sessions": msgspec.json.encode(footer.sessions, order="sorted").decode(),
        "device": footer.device,
        "month": footer.month,
        "content": footer.content,
        "listing": footer.listing,
    }
    known = {name: text for name, text in entries.items() if text is not None}
    return {
        (_PREFIX + name).encode(): text.encode()
        for name, text in sorted((footer.more | known).items())
    }


def footer(found: Mapping[bytes, bytes] | None) -> Footer:
    """Return what the metadata of a file say; FooterError where no writer of ours put them there.

    Of a newer format (see `major`) only the version can be relied on.
    """
    texts = {
        key.decode("utf-8", "replace").removeprefix(_PREFIX): value.decode("utf-8", "replace")
        for key, value in (found or {}).items()
        if key.startswith(_PREFIX.encode())
    }
    if not _VERSION.fullmatch(texts.get("schema_version", "")):
        raise FooterError("it carries no schema version")
    try:
        sessions = msgspec.json.decode(texts.get("sessions", "{}"), type=dict[str, str])
    except msgspec.MsgspecError as error:
        raise FooterError(f"its list of sessions cannot be read: {error}") from error
    return Footer(
        version=texts["schema_version"],
        table=texts.get("table", ""),
        writer=texts.get("writer", ""),
        sessions=sessions,
        device=texts.get("device"),
        month=texts.get("month"),
        content=texts.get("content"),
        listing=texts.get("listing"),
        more={name: text for name, text in texts.items() if name not in _KNOWN},
    )


def joined(footers: Sequence[Footer], writer: str) -> Footer:
    """Return the footer of one part that takes the place of several of one table and partition.

    It is of their newest version and covers all their sessions; StoreError where two hold the same
    session with different content. Of entries that we do not know, those are kept on which all
    agree.
    """
    first = footers[0]
    sessions: dict[str, str] = {}
    for one in footers:
        for session_id, content in one.sessions.items():
            if sessions.setdefault(session_id, content) != content:
                raise StoreError(f"two parts hold session {session_id!r} with different content")
    more = {
        name: text
        for name, text in first.more.items()
        if all(one.more.get(name) == text for one in footers)
    }
    newest = max((VERSION, *(one.version for one in footers)), key=_numbers)
    return Footer(
        version=newest,
        table=first.table,
        writer=writer,
        sessions=sessions,
        device=first.device,
        month=first.month,
        more=more,
    )


def _numbers(version: str) -> tuple[int, int]:
    """Return major and minor of a version; format 1 had no minor."""
    match = _VERSION.fullmatch(version)
    if match is None:
        raise StoreError(f"not a schema version: {version!r}")
    return int(match[1]), int(match[2] or 0)
