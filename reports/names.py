"""How cases are named for people: by the level, the runtime, and the side of a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from results.cases import CaseRow

SHOWN = 4


def head(row: CaseRow) -> str:
    """Name a case at the head of a row: level, runtime, and the side where it has one."""
    return f"{row.variant} · {row.backend}" + (f" · {row.side}" if row.side else "")


def label(row: CaseRow) -> str:
    """Name a case in a sentence: the level and the runtime."""
    return f"{row.variant} on {row.backend}" + (f" ({row.side})" if row.side else "")


def listed(rows: Sequence[CaseRow], shown: int = SHOWN) -> str:
    """Name the first `shown` cases, level by level, and count the rest."""
    levels: dict[str, list[str]] = {}
    for row in rows[:shown]:
        levels.setdefault(row.variant, []).append(row.backend)
    names = [f"{level} on {joined(backends)}" for level, backends in levels.items()]
    if len(rows) > shown:
        names.append(f"{len(rows) - shown} more")
    return joined(names)


def joined(words: Sequence[str]) -> str:
    """Join words as a sentence does: a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
