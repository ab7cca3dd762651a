"""One error base, with the exit code and the advice a person gets to read.

BoardmarkError                 exit code
├── UsageError                 2   a wrong word, option, file or shape; nothing was run
├── StoreError                 2   the results cannot be read or written
├── Inconclusive               3   the data cannot tell
└── DeviceError                4   a board or runtime failed; results so far are kept
    └── BoardLost              4   the board itself cannot be reached or stopped answering
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BoardmarkError(Exception):
    """A failure a person can act on: one sentence and the next step."""

    exit_code = 1

    def __init__(self, message: str, advice: str | None = None) -> None:
        """Keep the sentence and the advice apart so that each can be shown on its own."""
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        """One line: what went wrong, then what to do."""
        return f"{self.message}; {self.advice}" if self.advice else self.message


class UsageError(BoardmarkError):
    """The request cannot be carried out as it was typed."""

    exit_code = 2


class StoreError(BoardmarkError):
    """The results store cannot be used."""

    exit_code = 2


class Inconclusive(BoardmarkError):
    """The measurement ended without an answer."""

    exit_code = 3


class DeviceError(BoardmarkError):
    """A board or a runtime failed."""

    exit_code = 4


class BoardLost(DeviceError):
    """The board cannot be reached or stopped answering: what runs on it is not known."""


def unknown(kind: str, word: str, known: Iterable[str]) -> UsageError:
    """Build the error for a word that is in no table, with the nearest known words."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names)}"
    return UsageError(f"unknown {kind} {word!r}", hint)
