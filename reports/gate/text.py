"""A judgement for a terminal: the outcome first, then a line per verdict, then what it rests on."""

from __future__ import annotations

from collections.abc import Sequence

from harness.gate.verdict import Judgement
from reports.gate.lines import basis, headline, lines, warnings

_HEADERS = ("outcome", "metric", "base", "candidate", "change (95 % interval)", "held to", "case")


def render(judgement: Judgement) -> str:
    """Return the judgement as aligned text without any control character."""
    found = lines(judgement)
    table = [_HEADERS]
    table += [
        (line.outcome, line.metric, line.base, line.candidate, line.change, line.held, line.pair)
        for line in found
    ]
    parts = [f"{judgement.outcome.upper()}: {headline(judgement)}", _aligned(table)]
    reasons = [
        f"  {line.outcome} {line.metric}, {line.pair}: {line.reason}"
        for line in found
        if line.outcome != "PASS"
    ]
    if reasons:
        parts.append("\n".join(reasons))
    parts.append("\n".join(f"  warning: {warning}" for warning in warnings(judgement)))
    parts.append("\n".join(basis(judgement)))
    return "\n\n".join(part for part in parts if part)


def _aligned(table: Sequence[Sequence[str]]) -> str:
    """Return the rows as columns as wide as their widest cell."""
    cells = [[cell.replace("\u00a0", " ") for cell in row] for row in table]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    padded = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in cells
    )
    return "\n".join(row.rstrip() for row in padded)
