"""How cool a board must be before a run may start: as it was when the session began."""

from __future__ import annotations

from collections.abc import Iterable

from harness.stats import heat
from harness.types import Json, Run

# Between two readings of one idle board lies a degree or two.
_MARGIN_C = 3.0
# A board in a closed case takes minutes; longer than this, it is warmer than when it began.
_TIMEOUT_S = 180.0


def wanted(runs: Iterable[Run], timeout_s: float | None = None) -> Json | None:
    """Return the request's `cool`, None before the first run that tells of a temperature.

    The board is given `timeout_s` to cool, three minutes unless the session says otherwise.
    """
    for run in runs:
        began_c = heat.start_c(run.result)
        if began_c is not None:
            return {"below_c": began_c + _MARGIN_C, "timeout_s": timeout_s or _TIMEOUT_S}
    return None
