"""When to give a board up that was lost: after three times in a row, with a wait in between."""

from __future__ import annotations

import time
from collections.abc import Sequence

from harness.errors import BoardLost

# A board whose network flickers is back in seconds, one that restarts in less than a minute.
_PAUSES_S = (2.0, 30.0)


class Strikes:
    """Counts how often in a row a board was lost."""

    def __init__(self, pauses_s: Sequence[float] = _PAUSES_S) -> None:
        """Take the seconds to wait after each loss; the one after the last sets the board aside."""
        self._pauses_s = pauses_s
        self._count = 0

    def clear(self) -> None:
        """Forget the losses: the board answered."""
        self._count = 0

    def hit(self, error: BoardLost) -> None:
        """Wait before the next try; raise BoardLost where there was one try too many."""
        if self._count >= len(self._pauses_s):
            raise BoardLost(
                f"the board was lost {self._count + 1} times in a row and is set aside:"
                f" {error.message}",
                error.advice,
            )
        time.sleep(self._pauses_s[self._count])
        self._count += 1
