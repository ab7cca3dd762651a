"""Text that may go to a terminal: stored names may hold anything."""

from __future__ import annotations


def one_line(text: str) -> str:
    """Return `text` with its control characters spelled out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
