"""Figures for people, and text that cannot do harm."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.axes import ticks
from reports.figures import common_scale, interval, percent, plain, scaled, times


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        (0.0, "0\u00a0%"),
        (0.251, "25.1\u00a0%"),
        (1.0, "100\u00a0%"),
        (0.0037, "0.37\u00a0%"),
        (0.00012, "0.012\u00a0%"),
        (-0.012, "−1.20\u00a0%"),
        (1.1102230246251565e-16, "0\u00a0%"),
        (-2.4e-08, "0\u00a0%"),
        (12.5, "1\u202f250\u00a0%"),
    ],
)
def test_percent(value, text):
    assert percent(value) == text


def test_times_interval_and_scaled():
    assert times(1.623) == "1.62×"
    assert times(None) == "—"
    assert interval(1.58, 1.66) == "1.58\u00a0–\u00a01.66"
    assert interval(0.0158, 0.0166, 1e-3) == "15.8\u00a0–\u00a016.6"
    assert interval(None, 1.0) is None
    assert scaled(0.0123, 1e-3) == "12.3"
    assert scaled(None, 1e-3) == "—"


def test_a_column_takes_the_scale_of_its_middle():
    assert common_scale([0.001, 0.02, 3.0, None], "s") == (1e-3, "ms")
    assert common_scale([None], "s") == (1.0, "s")
    assert common_scale([2e6, 3e6], "bytes") == (1e6, "MB")


def test_plain_takes_the_teeth_out():
    assert plain("\x1b[31mred\x1b[0m") == "[31mred[0m"
    assert plain("a\u202eb\u2066c\u200bd") == "abcd"
    assert plain("one\ntwo\tthree") == "one two three"
    assert plain("\ud800x") == "x"
    assert len(plain("y" * 10_000)) == 300


@given(st.text(max_size=2000))
def test_plain_never_lets_an_invisible_character_through(text):
    shown = plain(text)
    assert len(shown) <= 300
    assert all(unicodedata.category(one)[0] != "C" for one in shown)
    shown.encode()


@given(st.floats(1e-9, 1e6), st.floats(1.001, 1e6))
def test_ticks_lie_inside_and_are_few(low, ratio):
    found = ticks(low, low * ratio)
    assert len(found) <= 8
    assert found == sorted(found)
    assert all(low <= value <= low * ratio for value in found)
