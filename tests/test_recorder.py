import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.agent.probes import recorder


@given(
    st.lists(st.tuples(st.integers(1, 10**9), st.floats(0, 100)), min_size=2, max_size=40),
    st.integers(0, 10**15),
)
def test_trapezoid_of_a_line_is_exact(steps, start):
    """Energy lies between the extremes, and a straight line is integrated exactly."""
    t_ns = [start]
    for gap, _ in steps[1:]:
        t_ns.append(t_ns[-1] + gap)
    watts = [value for _, value in steps]
    window = (t_ns[-1] - t_ns[0]) * 1e-9
    energy = recorder.trapezoid_j(t_ns, watts)
    slack = 1e-9 + 1e-9 * abs(energy)
    assert min(watts) * window - slack <= energy <= max(watts) * window + slack
    line = [3.0 + 2.0 * (t - start) * 1e-9 for t in t_ns]
    assert recorder.trapezoid_j(t_ns, line) == pytest.approx(3.0 * window + window**2)


@given(st.integers(1, 10**12), st.data())
def test_unwrapped_sees_one_wrap(size, data):
    before = data.draw(st.integers(0, size - 1))
    moved = data.draw(st.integers(0, size - 1))
    assert recorder.unwrapped(before, (before + moved) % size, size) == moved
