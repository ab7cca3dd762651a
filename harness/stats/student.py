"""Student's t without scipy: importing that costs a command 85 MB and more than a second."""

from __future__ import annotations

import math
from functools import lru_cache

_TINY = 1e-300
_PRECISION = 1e-16
_MOST_TERMS = 20_000


@lru_cache(maxsize=1024)
def t_quantile(p: float, df: float) -> float:
    """Return the value that Student's t with `df` > 0 stays below with probability `p`.

    The upper tail P(T > t) = I_x(df/2, 1/2) / 2 with x = df / (df + t^2) (Abramowitz and Stegun
    26.7.1) is inverted by bisection on ln t, so small and large t are equally accurate: relative
    error below 1e-9.
    """
    if not 0 < p < 1 or not df > 0:
        raise ValueError(f"no t quantile at p={p}, df={df}")
    if p == 0.5:
        return 0.0
    tail = min(p, 1 - p)
    low, high = -40.0, 1.0
    while _upper_tail(math.exp(high), df) > tail:
        high *= 2
    while high - low > 1e-14 * max(1.0, abs(high)):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if _upper_tail(math.exp(middle), df) > tail:
            low = middle
        else:
            high = middle
    value = math.exp((low + high) / 2)
    return value if p > 0.5 else -value


def t_upper_tail(t: float, df: float) -> float:
    """Return P(T > t) for Student's t with `df` > 0; `t` may be negative or infinite."""
    if math.isnan(t) or not df > 0:
        raise ValueError(f"no t probability at t={t}, df={df}")
    if t < 0:
        return 1 - t_upper_tail(-t, df)
    if math.isinf(t) or math.isinf(t * t):
        return 0.0
    return _upper_tail(t, df)


def _upper_tail(t: float, df: float) -> float:
    """Return P(T > t) for t >= 0."""
    square = t * t
    return _incomplete_beta(df / (df + square), square / (df + square), df / 2, 0.5) / 2


def _incomplete_beta(x: float, complement: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b); `complement` is 1 - x."""
    if complement <= 0:
        return 1.0
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(log_front + a * math.log(x) + b * math.log(complement))
    if x < (a + 1) / (a + b + 2):
        return front * _continued_fraction(x, a, b) / a
    return 1 - front * _continued_fraction(complement, b, a) / b


def _continued_fraction(x: float, a: float, b: float) -> float:
    """Return the continued fraction of Abramowitz and Stegun 26.5.8 (modified Lentz)."""
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _away_from_zero(1 + term * d)
            c = _away_from_zero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return value


def _away_from_zero(value: float) -> float:
    """Return `value`, or a tiny number where Lentz's method would divide by zero."""
    return value if abs(value) > _TINY else _TINY
