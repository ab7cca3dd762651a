"""Measure how the store's questions grow with it and write the table of docs/store.md.

    make grow

A figure in bold misses its target.
"""

from __future__ import annotations

import os
import platform
import tempfile
from pathlib import Path
from typing import Any

from bench import asked, generated_store

from .false_alarms import machine, today

DOCUMENT = Path(__file__).parents[2] / "docs" / "store.md"
BEGIN, END = "<!-- growth: begin -->", "<!-- growth: end -->"
RUNS = (10_000, 100_000, 1_000_000)
_HEADER = (
    "| runs | sessions | parts | on disk | all runs | latest of each case | 90 nights of a case "
    "| 10 nights of a case | list sessions | most memory |"
)
_SECOND, _LIST_S, _MEMORY_BYTES = 1.0, 0.5, 500e6


def main() -> None:
    """Build the stores one after another, ask them, and rewrite the document."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [measured(Path(folder) / str(runs), runs) for runs in RUNS]
    content = rendered(rows)
    DOCUMENT.write_text(inserted(DOCUMENT.read_text(), content))
    print(content)


def measured(where: Path, runs: int) -> dict[str, Any]:
    """Return the figures of one store."""
    store = generated_store.write(where, generated_store.Size(runs=runs))
    sizes = [entry.size_bytes for entry in store.storage.walk("parts")]
    asked.asked(where, "scan", times=1)
    asked.listed_s(where, times=2)
    found = {name: asked.asked(where, name) for name in asked.QUESTIONS}
    return {
        "runs": runs,
        "sessions": runs // generated_store.RUNS_PER_SESSION,
        "parts": len(sizes),
        "bytes": sum(sizes),
        "list sessions": asked.listed_s(where),
        "memory": max(one["peak_rss_bytes"] for one in found.values()),
        **{name: one["median_s"] for name, one in found.items()},
    }


def rendered(rows: list[dict[str, Any]]) -> str:
    """Return the table as Markdown, and what it was measured on."""
    lines = [_HEADER, "|" + "--:|" * (_HEADER.count("|") - 1), *map(_line, rows)]
    least, most = rows[0], rows[-1]
    factor = most["runs"] // least["runs"]
    scans, few = (most[name] / least[name] for name in ("scan", "ten nights"))
    lines += [
        "",
        f"From the first line to the last there is {factor} times as much: asking all runs takes "
        f"{scans:.1f} times as long, ten nights of one case {few:.1f} times.",
        f"{machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {today()}.",
    ]
    return "\n".join(lines)


def inserted(document: str, content: str) -> str:
    """Return the document with `content` between the markers."""
    before, _, rest = document.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{DOCUMENT.name} has lost its markers")
    return f"{before}{BEGIN}\n{content}\n{END}{after}"


def _line(row: dict[str, Any]) -> str:
    cells = [f"{row['runs']:,}", f"{row['sessions']:,}", f"{row['parts']:,}"]
    cells.append(f"{row['bytes'] / 1e6:.1f} MB")
    cells += [_seconds(row[name], _SECOND) for name in ("scan", "latest", "trend", "ten nights")]
    cells.append(_seconds(row["list sessions"], _LIST_S))
    memory = f"{row['memory'] / 1e6:.0f} MB"
    cells.append(memory if row["memory"] < _MEMORY_BYTES else f"**{memory}**")
    return "| " + " | ".join(cells) + " |"


def _seconds(value: float, target: float) -> str:
    return f"{value:.2f} s" if value < target else f"**{value:.2f} s**"


if __name__ == "__main__":
    main()
