"""When to look next: beats of a fixed period, those that were slept through left out."""

from harness.agent.probes.recorder import monotonic_ns


class Beat(object):
    """Due at once and then every `period_s`, until it is stopped."""

    def __init__(self):
        """Stand still."""
        self._period_ns = 0
        self._next_ns = None

    def start(self, period_s):
        """Be due now, and every `period_s` from now on."""
        self._period_ns = max(1, int(period_s * 1e9))
        self._next_ns = monotonic_ns()

    def stop(self):
        """Be due no more."""
        self._next_ns = None

    def wait_s(self, otherwise_s):
        """Return how long one may sleep until the next beat, `otherwise_s` at the most."""
        if self._next_ns is None:
            return otherwise_s
        return min(otherwise_s, max(0, self._next_ns - monotonic_ns()) * 1e-9)

    def due(self):
        """Tell whether a beat is due, and count it."""
        if self._next_ns is None:
            return False
        late_ns = monotonic_ns() - self._next_ns
        if late_ns < 0:
            return False
        self._next_ns += (late_ns // self._period_ns + 1) * self._period_ns
        return True
