"""Text in aligned columns for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence

from reports.figures import plain

_WIDEST = 40


def aligned(lines: Sequence[Sequence[str]], words: Collection[int], widest: int = _WIDEST) -> str:
    """Return the lines as columns as wide as their widest cell, cut at `widest` characters.

    The columns of `words` stand to the left; the others are figures and stand to the right.
    """
    cells = [[plain(cell, widest).replace("\u00a0", " ") for cell in line] for line in lines]
    widths = [max(width(line[column]) for line in cells) for column in range(len(cells[0]))]
    rows = []
    for line in cells:
        padded = [
            cell + " " * (wide - width(cell))
            if column in words
            else " " * (wide - width(cell)) + cell
            for column, (cell, wide) in enumerate(zip(line, widths, strict=True))
        ]
        rows.append("  " + "  ".join(padded).rstrip())
    return "\n".join(rows)


def width(text: str) -> int:
    """Return the columns `text` takes on a terminal: wide characters two, combining ones none."""
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1
        for one in text
    )
