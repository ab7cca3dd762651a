"""Figures as people read them, and text that is safe to show; unknown is a dash, never a 0."""

from __future__ import annotations

import statistics
import unicodedata
from collections.abc import Iterable

from harness.units import scale_of

DASH = "—"
LONGEST_TEXT = 300
_ROUNDING = 1e-12  # what sums of floats leave of a zero
_FLOAT32_ROUNDING = 1e-7  # what a comparison of float32 outputs leaves of one
_SPACE = "\u00a0"  # keeps a figure and its unit on one line
_THIN = "\u202f"  # sets thousands apart, and never ends a line either


def plain(text: object, limit: int = LONGEST_TEXT) -> str:
    """Return `text` on one line, at most `limit` characters, without any invisible character.

    Control characters drive terminals, formatting characters turn the reading direction round, and
    lone surrogates cannot be written to a file: none of them belongs into a name or a reason.
    """
    kept = []
    for character in str(text)[: limit * 4]:
        category = unicodedata.category(character)
        if character.isspace():
            kept.append(character if character in (_SPACE, _THIN) else " ")
        elif category[0] != "C":
            kept.append(character)
    line = "".join(kept).strip(" ")
    return line if len(line) <= limit else line[: limit - 1] + "…"


def percent(fraction: float | None) -> str:
    """Return 0.251 as `25.1 %`, with three significant digits and at most two decimals."""
    if fraction is not None and abs(fraction) < _FLOAT32_ROUNDING:
        fraction = 0.0
    return DASH if fraction is None else f"{_digits(fraction * 100)}{_SPACE}%"


def times(ratio: float | None) -> str:
    """Return 1.623 as `1.62×`."""
    return DASH if ratio is None else f"{_digits(ratio)}×"


def signed(ratio: float | None) -> str:
    """Return a ratio as the change it is: 1.041 is `+4.10 %`, 0.96 is `−4.00 %`, 1 is `0 %`."""
    if ratio is None:
        return DASH
    text = percent(ratio - 1)
    return f"+{text}" if ratio - 1 >= _FLOAT32_ROUNDING else text


def interval(lo: float | None, hi: float | None, factor: float = 1.0) -> str | None:
    """Return the interval over `factor` as `1.58 – 1.66`; None where an end is unknown."""
    if lo is None or hi is None:
        return None
    low, high = _digits(lo / factor), _digits(hi / factor)
    return f"{low}{_SPACE}–{_SPACE}{high}"


def scaled(value: float | None, factor: float) -> str:
    """Return `value` / `factor` with three significant digits."""
    return DASH if value is None else _digits(value / factor)


def common_scale(values: Iterable[float | None], unit: str) -> tuple[float, str]:
    """Return the factor and name of the scale that suits the middle of `values`, for one column."""
    known = [abs(value) for value in values if value]
    return scale_of(statistics.median_low(known) if known else 1.0, unit)


def _digits(value: float) -> str:
    """Return three significant digits, at most two decimals from 0.1 up, with a true minus sign."""
    size = abs(value)
    if size < _ROUNDING:
        return "0"
    if size < 0.095:
        text = f"{value:.2g}"
    else:
        decimals = 2 if size < 9.995 else 1 if size < 99.95 else 0
        text = f"{value:,.{decimals}f}".replace(",", _THIN)
    return text.replace("-", "−")
