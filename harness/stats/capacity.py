"""From trials under limits to the smallest limit that passes: pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

Word = Literal["pass", "oom", "thrashing", "failed"]


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One trial: how many bytes there were, what came of it, and why in one clause."""

    limit_bytes: int
    word: Word
    why: str = ""

    @property
    def passed(self) -> bool:
        """Tell whether everything ran to its end and had room."""
        return self.word == "pass"


class Bracket(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest limit that passed and the largest below it that did not; None for neither.

    A limit that passed below one that did not counts for nothing: it was luck.
    """

    passing: Trial | None
    failing: Trial | None


def bracket(trials: Iterable[Trial]) -> Bracket:
    """Return what the trials say about the smallest limit that passes."""
    found = tuple(trials)
    failing = max(
        (trial for trial in found if not trial.passed),
        key=lambda trial: trial.limit_bytes,
        default=None,
    )
    passing = min(
        (
            trial
            for trial in found
            if trial.passed and (failing is None or trial.limit_bytes > failing.limit_bytes)
        ),
        key=lambda trial: trial.limit_bytes,
        default=None,
    )
    return Bracket(passing=passing, failing=failing)
