"""Logarithmic axes with plain numbers."""

from __future__ import annotations

import math
from typing import Any


def plain_ticks(axis: Any, limits: tuple[float, float]) -> None:
    """Label a logarithmic matplotlib `axis` with plain numbers, and few of them."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axis.set_major_locator(FixedLocator(ticks(*limits)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def ticks(low: float, high: float) -> list[float]:
    """Return round numbers between `low` and `high`, both above 0: at most eight of them."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    found: list[float] = []
    for steps in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        every = [step * 10.0**decade for decade in range(first, last + 1) for step in steps]
        found = [value for value in every if low <= value <= high]
        if len(found) <= 8:
            return found
    return found[:: math.ceil(len(found) / 8)]
