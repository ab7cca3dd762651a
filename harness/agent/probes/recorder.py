"""The two ways to record power: difference a counter, or sample a meter and integrate.

Every source file of this package finds its files and hands them to one of these; both offer the
same

    start()      begin a window
    sample()     call it every `period_s` inside the window; never raises, a failed read is a gap
    stop()       end the window; the series, its energy, and how far it can be trusted

Times are CLOCK_MONOTONIC nanoseconds at the middle of a read.
"""

import time

from harness.agent.tree import Unreadable

MIN_SAMPLES = 10
# RAPL counters move about once a millisecond: below this window their step is more than 1 % of it.
MIN_WINDOW_S = 0.2


def monotonic_ns():
    """Return CLOCK_MONOTONIC in nanoseconds, also on Python 3.6."""
    clock = getattr(time, "monotonic_ns", None)
    return clock() if clock else int(time.monotonic() * 1e9)


def trapezoid_j(t_ns, w):
    """Return the energy in J below the straight lines between power samples `w` (W) at `t_ns`."""
    steps = range(1, len(w))
    return sum((t_ns[i] - t_ns[i - 1]) * 1e-9 * (w[i - 1] + w[i]) / 2.0 for i in steps)


def unwrapped(before, after, size):
    """Return how far a counter moved that wraps after `size`, at most once; None: cannot tell."""
    if after >= before:
        return after - before
    return after - before + size if size else None


def _midpoint(read):
    """Return (time in the middle of the read, its value)."""
    t0 = monotonic_ns()
    value = read()
    return (t0 + monotonic_ns()) // 2, value


class Facts(object):
    """What is true of a source before it is read: name, method, scope, source (path), note.

    method: "counter" (hardware adds up), "sampled" (we integrate) or "estimate" (sampled, but the
    total is put together from rails that may overlap). scope is what it covers: "package",
    "module", "board" or "rail" (of which nothing tells what it supplies).
    """

    def __init__(self, name, method, scope, source, note=None):
        """Keep the five facts."""
        self.name = name
        self.method = method
        self.scope = scope
        self.source = source
        self.note = note

    def rows(self):
        """Return the facts as a dict."""
        return dict(vars(self))


class Counter(object):
    """Energy counters of one source, in µJ, read once at each end of the window and differenced.

    `zones` is [(read, size)]: a function that returns the counter, and the value it wraps after.
    """

    period_s = None

    def __init__(self, facts, zones):
        """Keep the facts and the zones; nothing is read yet."""
        self.facts = facts
        self._zones = zones
        self._start = None
        self._reason = "the window was never started"

    def start(self):
        """Read every counter once."""
        self._start = self._read()

    def sample(self):
        """Do nothing: a counter needs no reads between its two."""

    def stop(self):
        """Read every counter again; return the result, see `_result`."""
        begin, end = self._start, self._read()
        if begin is None or end is None:
            return _result(self.facts, None, reason=self._reason)
        sizes = [size for _, size in self._zones]
        moves = list(map(unwrapped, begin[1], end[1], sizes))
        window_s = (end[0] - begin[0]) * 1e-9
        first = sum(begin[1]) * 1e-6
        reason = _doubt(moves, window_s)
        if reason:
            return _result(self.facts, None, window_s=window_s, n=2, reason=reason)
        energy = sum(moves) * 1e-6
        series = {"t_ns": [begin[0], end[0]], "j": [first, first + energy]}
        return _result(self.facts, energy, series=series, window_s=window_s, n=2)

    def _read(self):
        try:
            return _midpoint(lambda: [read() for read, _ in self._zones])
        except Unreadable as error:
            self._reason = str(error)
            return None


def _doubt(moves, window_s):
    """Return why these counter moves are no energy, or None."""
    if any(move is None for move in moves):
        return "the counter went backwards and its range is not known"
    if not any(moves):
        return "the counter did not move (virtual machines often show one that stands still)"
    if window_s < MIN_WINDOW_S:
        return "a window of %.3f s is too short for a counter (%.1f s)" % (window_s, MIN_WINDOW_S)
    return None


class Sampler(object):
    """Power of one or more rails that add up to a total, in W, sampled and integrated by trapezoid.

    `rails` is [(name, read)], each read returning watts.
    """

    period_s = 0.1

    def __init__(self, facts, rails):
        """Keep the facts and the rails; nothing is read yet."""
        self.facts = facts
        self._rails = rails
        self._clear()

    def _clear(self):
        self._t_ns = []
        self._w = []
        self._missed = 0
        self._reason = None

    def start(self):
        """Forget earlier samples and take the first."""
        self._clear()
        self.sample()

    def sample(self):
        """Read every rail once; a rail that fails makes this sample a gap, not a zero."""
        try:
            at, watts = _midpoint(lambda: [read() for _, read in self._rails])
        except Unreadable as error:
            self._missed += 1
            self._reason = str(error)
            return
        self._t_ns.append(at)
        self._w.append(watts)

    def stop(self):
        """Take the last sample; return the result, see `_result`."""
        self.sample()
        n = len(self._t_ns)
        totals = [sum(watts) for watts in self._w]
        series = {"t_ns": self._t_ns, "w": totals} if n else None
        if n < MIN_SAMPLES:
            reason = "%d power samples where %d are needed" % (n, MIN_SAMPLES)
            if self._missed:
                reason += "; %d reads failed, the last: %s" % (self._missed, self._reason)
            return _result(self.facts, None, series=series, n=n, missed=self._missed, reason=reason)
        gaps = [(self._t_ns[i] - self._t_ns[i - 1]) * 1e-9 for i in range(1, n)]
        rails = {name: sum(w[i] for w in self._w) / n for i, (name, _) in enumerate(self._rails)}
        return _result(
            self.facts,
            trapezoid_j(self._t_ns, totals),
            series=series,
            window_s=sum(gaps),
            n=n,
            missed=self._missed,
            gap_max_s=max(gaps),
            rails_w=rails,
        )


def _result(facts, energy_j, **found):
    """Return what stop() gives: the facts and

    series {"t_ns", "w"} or {"t_ns", "j"}, energy_j, power_w (energy over window), window_s, n (good
    reads), missed (failed reads), gap_max_s (longest time between samples), rails_w (mean per
    rail), reason (why energy_j is None). What does not apply is None.
    """
    keys = ("series", "window_s", "gap_max_s", "rails_w", "reason", "power_w")
    row = dict(dict.fromkeys(keys), n=0, missed=0, energy_j=energy_j)
    row.update(facts.rows())
    row.update(found)
    if energy_j is not None:
        row["power_w"] = energy_j / row["window_s"]
    return row
