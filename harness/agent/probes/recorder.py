"""The two ways to record power: difference a counter, or sample a meter and integrate.

Every source file of this package finds its files and hands them to one of these; both offer the
same

    start()      begin a window
    sample()     call it every `period_s` inside the window; never raises, a failed read is a gap
    stop()       end the window; the series, its energy, and how far it can be trusted
    moment()     the power right now in W, or since the call before; raises Unreadable

Times are CLOCK_MONOTONIC nanoseconds at the middle of a read.
"""

import time
from itertools import accumulate

from harness.agent.tree import Unreadable

MIN_SAMPLES = 10
# RAPL counters move about once a millisecond: below this window their step is more than 1 % of it.
MIN_WINDOW_S = 0.2
# What an energy pass lasts where the source does not need longer.
USUAL_WINDOW_S = 1.5
MOST_W = 2e4


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
    """Energy counters of one source, in µJ, differenced over the window.

    `zones` is [(read, size)]: a function that returns the counter, and the value it wraps after;
    `step_s` is how often the hardware moves it. The two ends make the energy; the reads between
    them see a counter that wraps more than once, and how even the power was.
    """

    period_s = 0.2
    cheap = True

    def __init__(self, facts, zones, step_s=0.001):
        """Keep the facts and the zones; nothing is read yet."""
        self.facts = facts
        self.window_s = max(USUAL_WINDOW_S, 100 * step_s)
        self._zones = zones
        self._least_s = max(MIN_WINDOW_S, 20 * step_s)
        self._last = None
        self._clear()

    def _clear(self):
        self._t_ns = []
        self._counts = []
        self._missed = 0
        self._ends = [False, False]
        self._reason = "the window was never started"

    def start(self):
        """Forget earlier reads and read every counter."""
        self._clear()
        self._ends[0] = self._read()

    def sample(self):
        """Read every counter; a read that fails is a gap between its neighbours."""
        self._read()

    def stop(self):
        """Read every counter a last time; return the result, see `_result`."""
        self._ends[1] = self._read()
        found = {"n": len(self._t_ns), "missed": self._missed}
        if not all(self._ends):
            return _result(self.facts, None, reason=self._reason, **found)
        steps = [self._moves(i) for i in range(1, len(self._counts))]
        gaps = _gaps_s(self._t_ns)
        found.update(window_s=sum(gaps), gap_max_s=max(gaps))
        reason = self._doubt(steps, found["window_s"])
        if reason:
            return _result(self.facts, None, reason=reason, **found)
        joules = list(accumulate([sum(self._counts[0])] + [sum(step) for step in steps]))
        series = {"t_ns": self._t_ns, "j": [count * 1e-6 for count in joules]}
        return _result(self.facts, sum(map(sum, steps)) * 1e-6, series=series, **found)

    def moment(self):
        """Return the mean power in W since the last call, None at the first; may raise."""
        before, self._last = self._last, self._now()
        if before is None:
            return None
        moves = list(map(unwrapped, before[1], self._last[1], self._sizes()))
        passed_s = (self._last[0] - before[0]) * 1e-9
        if None in moves or passed_s <= 0:
            return None
        return _plausible(sum(moves) * 1e-6 / passed_s, self.facts.source)

    def _sizes(self):
        return [size for _, size in self._zones]

    def _now(self):
        return _midpoint(lambda: [read() for read, _ in self._zones])

    def _read(self):
        try:
            at, counts = self._now()
        except Unreadable as error:
            self._missed += 1
            self._reason = str(error)
            return False
        self._t_ns.append(at)
        self._counts.append(counts)
        return True

    def _moves(self, i):
        return list(map(unwrapped, self._counts[i - 1], self._counts[i], self._sizes()))

    def _doubt(self, steps, window_s):
        """Return why these moves of the counters are no energy, or None."""
        if any(move is None for step in steps for move in step):
            return "the counter went backwards and its range is not known"
        if not any(map(any, steps)):
            return "the counter did not move (virtual machines often show one that stands still)"
        if window_s < self._least_s:
            words = "a window of %.3f s is too short for a counter (%.1f s)"
            return words % (window_s, self._least_s)
        if sum(map(sum, steps)) * 1e-6 > MOST_W * window_s:
            return "the counter rose faster than any board draws power"
        return None


class Sampler(object):
    """Power of one or more rails that add up to a total, in W, sampled and integrated by trapezoid.

    `rails` is [(name, read)], each read returning watts. It is read every `period_s`; `cheap` tells
    whether that may be done beside a measurement.
    """

    def __init__(self, facts, rails, period_s=0.1, cheap=True):
        """Keep the facts and the rails; nothing is read yet."""
        self.facts = facts
        self.period_s = period_s
        self.window_s = 1.5 * MIN_SAMPLES * period_s
        self.cheap = cheap
        self._rails = rails
        self._clear()

    def _clear(self):
        self._begin_ns = monotonic_ns()
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
            at, watts = _midpoint(self._now)
        except Unreadable as error:
            self._missed += 1
            self._reason = str(error)
            return
        self._t_ns.append(at)
        self._w.append(watts)

    def moment(self):
        """Return the power in W now; may raise."""
        return sum(self._now())

    def _now(self):
        watts = [read() for _, read in self._rails]
        _plausible(sum(watts), self.facts.source)
        return watts

    def stop(self):
        """Take the last sample; return the result, see `_result`."""
        self.sample()
        n = len(self._t_ns)
        totals = [sum(watts) for watts in self._w]
        gaps = _gaps_s([self._begin_ns] + self._t_ns + [monotonic_ns()])
        found = {"n": n, "missed": self._missed, "gap_max_s": max(gaps)}
        if n:
            found["series"] = {"t_ns": self._t_ns, "w": totals}
        reason = self._doubt(n, max(gaps), sum(gaps))
        if reason:
            return _result(self.facts, None, reason=reason, **found)
        rails = {name: sum(w[i] for w in self._w) / n for i, (name, _) in enumerate(self._rails)}
        found.update(rails_w=rails, window_s=sum(_gaps_s(self._t_ns)))
        return _result(self.facts, trapezoid_j(self._t_ns, totals), **found)

    def _doubt(self, n, gap_s, whole_s):
        """Return why these samples are no energy, or None."""
        if n < MIN_SAMPLES:
            reason = "%d power samples where %d are needed" % (n, MIN_SAMPLES)
        elif gap_s > whole_s / 2:
            reason = "no power sample for %.1f s of %.1f s" % (gap_s, whole_s)
        else:
            return None
        if self._missed:
            reason += "; %d reads failed, the last: %s" % (self._missed, self._reason)
        return reason


def powers_w(series):
    """Return the powers in W that a series of a result tells: its own, or those between counts.

    Two counts that were read shortly after each other, as at the end of a window, tell of none.
    """
    if not series:
        return []
    if "w" in series:
        return list(series["w"])
    joules, steps = series["j"], _gaps_s(series["t_ns"])
    least_s = max(steps, default=0) / 2
    return [(joules[i + 1] - joules[i]) / step for i, step in enumerate(steps) if step > least_s]


def _gaps_s(t_ns):
    return [(t_ns[i] - t_ns[i - 1]) * 1e-9 for i in range(1, len(t_ns))]


def _plausible(watts, source):
    """Return `watts`; what runs this program draws some, and less than a cabinet full of them."""
    if not 0 < watts < MOST_W:
        raise Unreadable("%s shows %.3g W, which is no power of a running board" % (source, watts))
    return watts


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
