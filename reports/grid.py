"""What a table is before it is drawn: headers, rows in groups, cells with their badges."""

from __future__ import annotations

from typing import Literal

import msgspec

Tone = Literal["good", "warn", "bad", "neutral"]


class Badge(msgspec.Struct, frozen=True, kw_only=True):
    """A word that qualifies a cell; the tone only repeats in colour what the word says."""

    text: str
    tone: Tone = "neutral"


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One figure or sentence, `span` columns wide; `detail` is its interval or reason."""

    text: str
    detail: str | None = None
    badges: tuple[Badge, ...] = ()
    span: int = 1


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """One column's heading with its unit; figures stand to the right, words to the left."""

    text: str
    unit: str = ""
    figures: bool = True


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row: its heading, its cells, and whether it is set back because it is not ranked."""

    head: str
    cells: tuple[Cell, ...]
    detail: str | None = None
    doubtful: bool = False


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Rows under one heading; `cells` stand beside the heading, empty for nothing to say."""

    head: str
    rows: tuple[Row, ...]
    cells: tuple[Cell, ...] = ()


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """One table with its caption and the notes below it; the first header is the rows'."""

    id: str
    caption: str
    headers: tuple[Header, ...]
    groups: tuple[Group, ...]
    notes: tuple[str, ...] = ()
