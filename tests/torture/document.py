"""The table of docs/durability.md, between its markers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .records import Row

DOCUMENT = Path(__file__).parents[2] / "docs" / "durability.md"
BEGIN, END = "<!-- torture: begin -->", "<!-- torture: end -->"
_HEAD = ("fault", "cases", "lost", "duplicated", "tracebacks", "broken", "note")


def table(rows: Sequence[Row]) -> str:
    """Return all rows as a Markdown table, the totals in the last one."""
    lines = [_line(_HEAD), _line(["---", *["---:"] * 5, "---"])]
    lines += [_line([row.fault, *_counts([row]), row.note]) for row in rows]
    return "\n".join([*lines, _line(["**all**", *_counts(rows), ""])])


def inserted(text: str, content: str) -> str:
    """Return `text` with what stands between its markers replaced by `content`."""
    head, _, rest = text.partition(BEGIN)
    _, marker, tail = rest.partition(END)
    if not marker:
        raise ValueError(f"{DOCUMENT.name} has no {BEGIN} ... {END}")
    return f"{head}{BEGIN}\n{content}\n{END}{tail}"


def _counts(rows: Sequence[Row]) -> list[str]:
    numbers = [
        sum(row.cases for row in rows),
        sum(row.lost for row in rows),
        sum(row.duplicated for row in rows),
        sum(row.tracebacks for row in rows),
        sum(len(row.broken) for row in rows),
    ]
    return [f"{number:,}" for number in numbers]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
