"""Scaled units for show."""

from __future__ import annotations

import pytest

from harness.units import scale_of, show


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "s", "—"),
        (0.0123, "s", "12.3 ms"),
        (999.7, "per_s", "1000 /s"),
        (1200.0, "per_s", "1.2 k/s"),
        (90_300_000, "bytes", "90.3 MB"),
        (5e-10, "s", "0.5 ns"),
        (0, "bytes", "0 B"),
    ],
)
def test_show(value, unit, text):
    assert show(value, unit) == text


def test_scale_of_keeps_the_value_above_one():
    assert scale_of(0.0123, "s") == (1e-3, "ms")
    assert scale_of(-2.0, "w") == (1.0, "W")
