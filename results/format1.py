"""The tables of a sealed session: version, columns, and what stands in the metadata of each part.

    sessions   one row per session: the whole plan as JSON beside the columns people search by
    runs       one row per run and one per skipped case: scalars to query, the whole result as JSON
    samples    one row per run and series: the raw values in order

Units are in the column names; null is unknown. A skipped case has no run_id, seq, block or
case_key.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

SCHEMA_VERSION = 1
TABLES = ("sessions", "runs", "samples")

_VERSION = b"boardmark.schema_version"
_TABLE = b"boardmark.table"
_WRITER = b"boardmark.writer"
_CONTENT = b"boardmark.content"

_COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "sessions": (
        ("session_id", "string"),
        ("created_unix_s", "float64"),
        ("device", "string"),
        ("suite", "string"),
        ("models", "list"),
        ("seed", "int64"),
        ("blocks", "int64"),
        ("cases", "int64"),
        ("skipped", "int64"),
        ("runs", "int64"),
        ("harness_version", "string"),
        ("command", "list"),
        ("notes", "list"),
        ("environment_json", "string"),
        ("plan_json", "string"),
        ("runs_part", "string"),
        ("samples_part", "string"),
    ),
    "runs": (
        ("run_id", "string"),
        ("session_id", "string"),
        ("seq", "int64"),
        ("block", "int64"),
        ("case_key", "string"),
        ("device", "string"),
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
    ),
    "samples": (
        ("run_id", "string"),
        ("metric", "string"),
        ("unit", "string"),
        ("values", "int64s"),
    ),
}


@lru_cache(maxsize=len(TABLES))
def schema(table: str) -> Any:
    """Return the pyarrow schema of `table`, one of TABLES."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "int64": pa.int64(),
        "float64": pa.float64(),
        "list": pa.list_(pa.string()),
        "int64s": pa.list_(pa.int64()),
    }
    return pa.schema([pa.field(name, types[kind]) for name, kind in _COLUMNS[table]])


def metadata(table: str, writer: str, content: str) -> dict[bytes, bytes]:
    """Return what a part says of itself: version, table, writer, digest of its session."""
    return {
        _VERSION: str(SCHEMA_VERSION).encode(),
        _TABLE: table.encode(),
        _WRITER: writer.encode(),
        _CONTENT: content.encode(),
    }


def version_of(found: dict[bytes, bytes] | None) -> int | None:
    """Return the schema version in a part's metadata, or None where there is none."""
    text = (found or {}).get(_VERSION, b"")
    return int(text) if text.isdigit() else None
