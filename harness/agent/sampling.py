"""The timed loop and the rule that ends it.

All calls after the fixed warm-up form one series, looked at now and then between two calls. Its
steady part begins where two successive windows of 20 calls first agree (see steady.py), those
windows included. A run ends with one reason:

    precise          after min_s, on two successive looks at 50 * 1.25^k steady samples, the 95 %
                     interval of their median lay within `precision` of it (see precision.py)
    count            max_samples were taken
    budget           budget_s was used up; at least min_samples are taken even then
    no steady state  its count or budget was used up before that; all its calls are its samples
"""

import collections
import gc
import time
from array import array

from harness.agent import precision, steady


def _coarse_clock_ns():
    return int(time.perf_counter() * 1e9)


# Python 3.6 (JetPack 4.6) has no perf_counter_ns; its float clock resolves 1 ns for weeks of
# uptime.
clock_ns = getattr(time, "perf_counter_ns", _coarse_clock_ns)

# warmup_ns: the calls before the steady part; samples_ns: the others; wall_s: the seconds between
# the first of these and the last, without our looks; reason: why it ended; steady: {"reached",
# "calls", "reason"} as in the run's result; begin_ns: when the series began, as clock_ns tells it.
Timing = collections.namedtuple("Timing", "warmup_ns samples_ns wall_s reason steady begin_ns")


class Rule:
    """When to stop: counts, seconds, and the relative half-width wanted for the median, or None.

    One rule serves one series of calls. `wake` is the number of calls at which to ask it next;
    `looking_ns` the time that its looks took, which belongs to no sample and to no throughput.
    """

    def __init__(self, min_samples=5, max_samples=100000, min_s=0.0, budget_s=1.0, precision=None):
        """Take the request's `sampling` object as keywords."""
        self.min_samples = max(1, int(min_samples))
        self.max_samples = max(self.min_samples, int(max_samples))
        self.min_ns = int(min_s * 1e9)
        self.budget_ns = int(budget_s * 1e9)
        self.looking_ns = 0
        self._loop_ns = 0
        self._search = steady.Search()
        self._looks = _looks(precision)
        self._set_wake()

    def reason_to_stop(self, durations, elapsed_ns):
        """Return the reason, or None to go on: to be asked at `wake` calls and after the budget.

        `elapsed_ns` is the time from the beginning of the series to the end of its last call.
        """
        entered = clock_ns()
        self._loop_ns = elapsed_ns - self.looking_ns
        count = len(durations)
        if count == self._search.next_call:
            self._search.visit(durations, self._loop_ns)
        reason = self._reason(durations, count, elapsed_ns)
        self._set_wake()
        self.looking_ns += clock_ns() - entered
        return reason

    def _reason(self, durations, count, elapsed_ns):
        begin = self._search.begin
        kept = count - (begin or 0)
        precise = False
        if begin is not None and self._looks and kept >= self._looks.next_look:
            precise = self._looks.enough(durations, begin)
        if kept < self.min_samples:
            return None
        if precise and elapsed_ns >= self.min_ns:
            return "precise"
        full, over = count >= self._most_calls(), elapsed_ns >= self.budget_ns
        if not (full or over):
            return None
        if begin is None and count >= steady.NEEDED:
            return "no steady state"
        return "count" if full else "budget"

    def _most_calls(self):
        """Return how many calls there may be: max_samples, and those it takes to be steady."""
        if self._search.begin is not None:
            return self._search.begin + self.max_samples
        if self.max_samples < steady.NEEDED:
            return self.max_samples
        return max(steady.LONGEST_CALLS, self.max_samples)

    def _set_wake(self):
        self.wake = min(self._search.next_call, self._most_calls())
        if self._search.begin is not None and self._looks:
            self.wake = min(self.wake, self._search.begin + self._looks.next_look)

    def timing(self, durations, reason, begin_ns):
        """Return the Timing of the series that began at `begin_ns` and has ended for `reason`."""
        begin = self._search.begin or 0
        wall_s = (self._loop_ns - self._search.begin_ns) / 1e9
        told = self._search.told(len(durations))
        return Timing(durations[:begin], durations[begin:], wall_s, reason, told, begin_ns)


def _looks(wanted):
    return precision.Looks(wanted) if wanted else None


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
    """Time calls until `rule` ends it; return the Timing, its series as arrays of nanoseconds.

    The cyclic garbage collector rests meanwhile: a full collection over a large runtime's objects
    takes longer than many a model.
    """
    durations = array("q")
    append = durations.append
    clock = clock_ns
    count = len(feeds)
    index = calls = 0
    gc.collect()
    gc.disable()
    try:
        begin = clock()
        budget_ends = begin + rule.budget_ns
        while True:
            feed = feeds[index]
            start = clock()
            infer(feed)
            end = clock()
            append(end - start)
            calls += 1
            index = index + 1 if index + 1 < count else 0
            if calls >= rule.wake or end >= budget_ends:
                reason = rule.reason_to_stop(durations, end - begin)
                if reason:
                    return rule.timing(durations, reason, begin)
    finally:
        gc.enable()


def slowed(infer, share):
    """Return `infer` followed by busy work for `share` of each call's own duration.

    It makes a candidate slower by a known amount, to prove that a gate sees it.
    """
    clock = clock_ns

    def call(feed):
        begin = clock()
        answer = infer(feed)
        end = clock()
        until = end + int((end - begin) * share)
        while clock() < until:
            pass
        return answer

    return call


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
