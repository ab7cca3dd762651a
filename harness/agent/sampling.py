"""The timed loop and the rule that ends it.

A run ends with one reason:

    precise   after min_s, on two successive looks (from n = 50 on, each at 1.25 times the last),
    the
              95 % order-statistic interval of the median lay within `precision` of it
    count     max_samples were taken
    budget    budget_s was used up; at least min_samples are taken even then
"""

import gc
import math
import time
from array import array

_FIRST_LOOK = 50
_LOOK_RATIO = 1.25


def _coarse_clock_ns():
    return int(time.perf_counter() * 1e9)


# Python 3.6 (JetPack 4.6) has no perf_counter_ns; its float clock resolves 1 ns for weeks of
# uptime.
clock_ns = getattr(time, "perf_counter_ns", _coarse_clock_ns)


class Rule:
    """When to stop: counts, seconds, and the relative half-width wanted for the median, or None.

    `looking_ns` is the time that the looks themselves took: it belongs to no sample and to no
    throughput.
    """

    def __init__(self, min_samples=5, max_samples=100000, min_s=0.0, budget_s=1.0, precision=None):
        """Take the request's `sampling` object as keywords."""
        self.min_samples = max(1, int(min_samples))
        self.max_samples = max(self.min_samples, int(max_samples))
        self.min_ns = int(min_s * 1e9)
        self.budget_ns = int(budget_s * 1e9)
        self.precision = precision
        self.looking_ns = 0
        self._next_look = _FIRST_LOOK
        self._precise_looks = 0

    def reason_to_stop(self, samples, elapsed_ns):
        """Return the reason, or None to go on. Called between two samples, never inside one."""
        count = len(samples)
        if count < self.min_samples:
            return None
        if count >= self.max_samples:
            return "count"
        if elapsed_ns >= self.budget_ns:
            return "budget"
        if self.precision and count >= self._next_look and elapsed_ns >= self.min_ns:
            return self._look(samples)
        return None

    def _look(self, samples):
        begin = clock_ns()
        self._next_look = math.ceil(len(samples) * _LOOK_RATIO)
        within = half_width(samples) <= self.precision
        self._precise_looks = self._precise_looks + 1 if within else 0
        self.looking_ns += clock_ns() - begin
        return "precise" if self._precise_looks >= 2 else None


def half_width(samples):
    """Return the relative half-width of the median's 95 % order-statistic interval.

    Ranks n/2 -+ 1.96 * sqrt(n)/2: the normal approximation to Binomial(n, 1/2), good from n = 20.
    """
    ordered = sorted(samples)
    count = len(ordered)
    reach = 0.98 * math.sqrt(count)
    low = ordered[max(0, math.floor(count / 2.0 - reach))]
    high = ordered[min(count - 1, math.ceil(count / 2.0 + reach))]
    middle = ordered[count // 2]
    return max(high - middle, middle - low) / float(middle) if middle else 0.0


def warm_up(infer, feeds, min_calls, min_s):
    """Call until both bounds are reached; return the durations in nanoseconds, in order."""
    durations = array("q")
    begin = clock_ns()
    index = 0
    while True:
        start = clock_ns()
        infer(feeds[index % len(feeds)])
        end = clock_ns()
        durations.append(end - start)
        index += 1
        if index >= min_calls and end - begin >= min_s * 1e9:
            return durations


def sample(infer, feeds, rule):
    """Time calls until `rule` ends it; return (durations in ns, reason, seconds without looks).

    The cyclic garbage collector rests meanwhile: a full collection over a large runtime's objects
    takes longer than many a model.
    """
    durations = array("q")
    append = durations.append
    clock = clock_ns
    count = len(feeds)
    index = 0
    gc.collect()
    gc.disable()
    try:
        begin = clock()
        while True:
            feed = feeds[index]
            start = clock()
            infer(feed)
            end = clock()
            append(end - start)
            index = index + 1 if index + 1 < count else 0
            reason = rule.reason_to_stop(durations, end - begin)
            if reason:
                return durations, reason, (end - begin - rule.looking_ns) / 1e9
    finally:
        gc.enable()


def repeat_for(infer, feeds, seconds):
    """Call for `seconds` without timing single calls; return (calls, wall seconds)."""
    calls = 0
    begin = clock_ns()
    limit = begin + int(seconds * 1e9)
    while True:
        infer(feeds[calls % len(feeds)])
        calls += 1
        end = clock_ns()
        if end >= limit:
            return calls, (end - begin) / 1e9
