"""What a meter shows at one moment, and what of an answer is taken for a figure."""

from __future__ import annotations

import math
from typing import Any

import msgspec

# A wall socket gives 4 kW, a three-phase one 22 kW.
_MOST_W = 50_000.0
_MOST_V = 1000.0


class Gap(Exception):
    """A read that gave no figure; the message is a clause that says why, and names no address."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Power in watts, and what the meter's counter (Wh) and voltmeter show where it has them."""

    power_w: float
    energy_wh: float | None = None
    voltage_v: float | None = None


def of(power_w: Any, energy_wh: Any = None, voltage_v: Any = None) -> Reading:
    """Return the reading; Gap where a value is there that cannot be one. None is not there.

    A board that runs draws power: what shows none is not its meter.
    """
    watts = _number("power", power_w, -_MOST_W, _MOST_W)
    if watts <= 0:
        raise Gap(f"it shows {watts:g} W, which no running board draws: is the board behind it?")
    return Reading(
        power_w=watts,
        energy_wh=None if energy_wh is None else _number("energy", energy_wh, 0.0, math.inf),
        voltage_v=None if voltage_v is None else _number("voltage", voltage_v, 0.0, _MOST_V),
    )


def _number(name: str, value: Any, least: float, most: float) -> float:
    """Return a finite number between the two."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Gap(f"the {name} in its answer is no number but {_shown(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not (math.isfinite(number) and least <= number <= most):
        raise Gap(f"the {name} in its answer cannot be one: {_shown(value)}")
    return number


def _shown(value: Any) -> str:
    """Return a short name of a value of the answer: of text only that it is text."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:d}" if abs(value) < 10**12 else "a number of many digits"
    names = {str: "text", bool: "true or false", list: "a list", dict: "an object"}
    return names.get(type(value), "null")
