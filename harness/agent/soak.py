"""The timed loop of a soak: it calls for as long as was asked, whatever the samples look like.

A soak shows how latency moves while a board heats up, so every call belongs to it from the first
one on, and nothing ends it early: not a steady state, not a wanted precision, not a number of
samples. Of more calls than can be kept every second is let go, then every second of the rest: what
stays is every k-th call of the whole time. No pause is made for it: that would be another load.
"""

import collections
import gc
from array import array

from harness.agent.sampling import Timing, clock_ns

# A power of two, so that every k-th call is the k-th of its batch too.
_BATCH = 1 << 16

# timing: as of other runs, its samples every `every`-th of the `calls`.
Soak = collections.namedtuple("Soak", "timing calls every")


def sample(infer, feeds, seconds, most):
    """Call for `seconds`; return the Soak with at most `most` samples and half as many at least."""
    kept = _Kept(most)
    fresh = array("q")
    append = fresh.append
    clock = clock_ns
    count = len(feeds)
    index = calls = looking_ns = 0
    wake = _BATCH
    gc.collect()
    gc.disable()
    try:
        begin = clock()
        ends = begin + int(seconds * 1e9)
        while True:
            feed = feeds[index]
            start = clock()
            infer(feed)
            end = clock()
            append(end - start)
            calls += 1
            index = index + 1 if index + 1 < count else 0
            if end >= ends:
                break
            if calls == wake:
                kept.take(fresh)
                wake += _BATCH
                looking_ns += clock() - end
    finally:
        gc.enable()
    kept.take(fresh)
    told = {"reached": None, "calls": 0, "reason": "a soak shows all calls from the first one on"}
    wall_s = (end - begin - looking_ns) / 1e9
    timing = Timing(array("q"), kept.values, wall_s, "budget", told, begin)
    return Soak(timing, calls, kept.every)


class _Kept(object):
    """Every `every`-th of the durations that it was given, `most` of them at the most."""

    def __init__(self, most):
        self.values = array("q")
        self.every = 1
        self._most = max(2, int(most))

    def take(self, fresh):
        """Take over what belongs to the series, and empty `fresh`."""
        self.values.extend(fresh[:: self.every])
        del fresh[:]
        while len(self.values) > self._most:
            del self.values[1::2]
            self.every *= 2
