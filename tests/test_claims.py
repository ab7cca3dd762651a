"""The rules of a verdict, one by one, and what must hold for any figure."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suites import Claim
from suites.claims import Measured, judge


def claim(
    metric: str = "speed", kind: str = "equal", value: float | None = 1.8, **more: Any
) -> Claim:
    return Claim(
        source="S1",
        table="levels",
        level="int8-dynamic",
        metric=metric,  # type: ignore[arg-type]
        kind=kind,  # type: ignore[arg-type]
        value=value,
        text="as documented",
        **more,
    )


def ours(value: float, half: float = 0.0) -> Measured:
    return Measured(value=value, lo=value - half, hi=value + half, architecture="x86_64")


@pytest.mark.parametrize(
    ("documented", "measured", "verdict", "reason"),
    [
        # a speed-up of 1.8x
        (claim(), ours(1.78, 0.05), "reproduced", "contains"),
        (claim(rounding=0.05), ours(1.84), "reproduced", "contains"),
        (claim(), ours(1.84), "partly", "larger than documented"),
        (claim(), ours(9.0, 0.1), "partly", "larger than documented"),
        (claim(), ours(1.5, 0.05), "partly", "38% of the documented effect is missing"),
        (claim(), ours(1.3, 0.05), "not reproduced", "62% of the documented effect is missing"),
        (claim(), ours(1.01, 0.05), "not reproduced", "cannot be told from no effect"),
        (claim(), ours(0.8, 0.05), "not reproduced", "the other way"),
        # memory down to a quarter
        (claim("memory", value=0.25), ours(0.3, 0.01), "partly", "7% of the documented"),
        (claim("memory", value=0.25), ours(0.95, 0.01), "not reproduced", "93% of the documented"),
        (claim("memory", value=0.25), ours(1.2, 0.01), "not reproduced", "the other way"),
        (claim("size", value=0.125, rounding=0.0005), ours(0.1254), "reproduced", "contains"),
        # a bound: at most 1 % of the quality lost
        (claim("quality_loss", "at_most", 0.01), ours(0.002, 0.001), "reproduced", "better side"),
        (claim("quality_loss", "at_most", 0.01), ours(-0.02, 0.001), "reproduced", "better side"),
        (claim("quality_loss", "at_most", 0.01), ours(0.02, 0.02), "partly", "not decided"),
        (claim("quality_loss", "at_most", 0.01), ours(0.004, 0.01), "partly", "not decided"),
        (claim("quality_loss", "at_most", 0.01), ours(0.008, 0.002), "reproduced", "better side"),
        (claim("speed", "at_least", 2.0), ours(2.05, 0.1), "partly", "not decided"),
        (claim("quality_loss", "at_most", 0.01), ours(0.013, 0.001), "partly", "30% more than"),
        (claim("quality_loss", "at_most", 0.01), ours(0.3, 0.01), "not reproduced", "more than"),
        (claim("speed", "at_least", 2.0), ours(2.5, 0.1), "reproduced", "better side"),
        (claim("speed", "at_least", 2.0), ours(1.8, 0.1), "partly", "20% of the documented"),
        # a documented cost: latency 15 % up, or 3.2 % lost
        (claim("latency", value=1.15), ours(1.3, 0.01), "not reproduced", "100% more than"),
        (claim("latency", value=1.15), ours(0.5, 0.01), "not reproduced", "the other way"),
        (claim("quality_loss", value=0.032), ours(0.0), "not reproduced", "no effect"),
        # nothing to hold against it
        (claim(unmeasurable="an absolute figure"), ours(1.8), "not measurable here", "absolute"),
        (claim(value=None), ours(1.8), "not measurable here", "no figure is documented"),
        (claim(architecture="aarch64"), ours(1.8), "not measurable here", "this is x86_64"),
        (claim(), Measured(value=None, reason="skipped: no"), "not measurable here", "skipped: no"),
        (claim(), Measured(value=1.8), "not measurable here", "no interval"),
        # a documented absence of any effect
        (claim(value=1.0), ours(1.5, 0.1), "not reproduced", "cannot be told"),
    ],
)
def test_verdict(documented, measured, verdict, reason):
    finding = judge(documented, measured)
    assert (finding.verdict, reason in finding.reason) == (verdict, True), finding


def test_the_architecture_of_the_claim_is_no_obstacle_on_that_architecture():
    measured = Measured(value=2.3, lo=2.2, hi=2.4, architecture="aarch64")
    assert judge(claim(value=2.3, architecture="aarch64"), measured).verdict == "reproduced"


finite = st.floats(0.01, 100)


@given(finite, finite, st.floats(0, 10))
def test_an_interval_around_the_documented_figure_always_reproduces_it(value, centre, half):
    half = max(half, abs(centre - value) * 1.01)
    assert judge(claim(value=value), ours(centre, half)).verdict == "reproduced"


@given(finite, finite, st.floats(0, 10), st.sampled_from(["at_most", "at_least"]))
def test_a_bound_is_reproduced_only_by_a_whole_interval_on_its_side(value, centre, half, kind):
    measured = ours(centre, half)
    holds = measured.hi <= value if kind == "at_most" else measured.lo >= value
    finding = judge(claim(kind=kind, value=value), measured)
    assert (finding.verdict == "reproduced") == holds


@given(st.floats(1.1, 10), st.floats(1.0, 10), st.floats(0.01, 1))
def test_a_smaller_speed_up_never_gets_a_better_verdict(documented, measured, step):
    order = ["not reproduced", "partly", "reproduced"]
    below = min(measured, documented)
    better = judge(claim(value=documented), ours(below)).verdict
    worse = judge(claim(value=documented), ours(below - step)).verdict
    assert order.index(worse) <= order.index(better)
