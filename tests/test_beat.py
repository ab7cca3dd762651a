"""When the supervisor is to look next."""

from hypothesis import given
from hypothesis import strategies as st

from harness.agent import beat


class Clock:
    now_ns = 10**12

    def __call__(self):
        return self.now_ns


@given(st.floats(0.01, 2.0), st.lists(st.floats(0.0, 3.0), max_size=30))
def test_a_beat_is_due_once_a_period_and_never_twice(period_s, pauses):
    clock, real = Clock(), beat.monotonic_ns
    beat.monotonic_ns = clock
    try:
        found = beat.Beat()
        found.start(period_s)
        begin_ns, counted = clock.now_ns, 0
        for pause_s in pauses:
            clock.now_ns += round(pause_s * 1e9)
            counted += found.due()
            assert not found.due()
            assert 0 <= found.wait_s(0.25) <= min(0.25, period_s + 1e-9)
        periods = (clock.now_ns - begin_ns) / 1e9 / period_s
        assert counted <= periods + 1.001
    finally:
        beat.monotonic_ns = real


def test_one_that_stands_still_is_never_due(monkeypatch):
    found = beat.Beat()
    assert (found.due(), found.wait_s(0.25)) == (False, 0.25)
    found.start(0.0)
    assert (found.due(), found.wait_s(0.25) <= 1e-9) == (True, True)
    found.stop()
    assert (found.due(), found.wait_s(0.25)) == (False, 0.25)


def test_the_first_beat_is_at_once_and_the_next_keep_their_places(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(beat, "monotonic_ns", clock)
    found = beat.Beat()
    found.start(0.2)
    assert found.due()
    clock.now_ns += 530_000_000  # two were slept through: the one at 0.4 s is late, 0.6 s is next
    assert found.due()
    assert abs(found.wait_s(1.0) - 0.07) < 1e-9
