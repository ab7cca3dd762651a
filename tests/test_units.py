"""Scaled units for show."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.units import (
    parse_bytes,
    parse_duration_s,
    parse_energy_j,
    parse_fraction,
    scale_of,
    show,
)


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


@pytest.mark.parametrize("value", [2e-05, 0.5, 180.0])
def test_a_duration_or_a_fraction_is_read_back_as_python_writes_it(value):
    assert parse_duration_s(str(value)) == value
    assert parse_fraction(str(value / 1000)) == value / 1000


@pytest.mark.parametrize("text", ["0", "0s", "-1s", "1e999s", "9" * 400, "nan", "inf", "", "s"])
def test_no_time_and_endless_time_are_refused(text):
    with pytest.raises(UsageError, match="not a duration"):
        parse_duration_s(text)


@pytest.mark.parametrize(
    ("text", "value"), [("500 MB", 5e8), ("64KiB", 65536), (" 1.5 GB ", 1.5e9), ("7 B", 7)]
)
def test_an_amount_of_memory_has_a_unit(text, value):
    assert parse_bytes(text) == value


def test_an_energy_has_a_unit():
    assert parse_energy_j("12 mJ") == 0.012
    assert parse_energy_j("3 µJ") == pytest.approx(3e-6)


@pytest.mark.parametrize("text", ["500", "0 MB", "5 mb", "5 TBs", "-1 MB", "", "1e3 MB", "5 s"])
def test_an_amount_that_could_be_another_is_refused(text):
    with pytest.raises(UsageError, match="not an amount of memory"):
        parse_bytes(text)
    with pytest.raises(UsageError, match="not an energy"):
        parse_energy_j(text)
