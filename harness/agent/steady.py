"""Whether a model has warmed up: its last two windows of 20 calls look alike and show no trend.

The tests are those of pyperf's calibration and a Mann-Kendall test. Each allows for what windows of
so few calls differ by when nothing changes, so that a steady model is not called unsteady for its
noise.
"""

import collections
import math
from bisect import bisect_left, bisect_right

WINDOW = 20
NEEDED = 2 * WINDOW
# The trend is looked for over one window more than is compared.
TREND = 3 * WINDOW
# Finer than the windows: a slow model that makes only some fifty calls gets a second chance.
_GRID = 10
# The call after a check finds colder caches. No window of a fast model is to begin with such a
# call, nor is its time to be spent on checks: they are this far apart in time, and in calls unless
# ten times as long has passed.
_REST_NS = 2 * 10**6
_REST_CALLS = NEEDED + _GRID
# After both of these no steady state is expected any more.
LONGEST_CALLS = 300
_LONGEST_NS = 60 * 10**9
# Two medians closer than this are one latency; as far as this a first call is no outlier.
_SAME = 0.02
# A trend by less than this from the first window to the last is none, however sure.
_LEVEL = 0.01
# Median absolute deviations below this share of the median are too small to be compared.
_TINY = 0.005
_LARGEST_RATIO = 2.0
_LARGEST_TREND = 2.58  # two-sided 1 %
# Standard error of a window's median over its median absolute deviation, for normal noise:
# 1.4826 (deviation to sigma) * 1.2533 (median's error over the mean's) / sqrt(20).
_ERROR_PER_MAD = 1.4826 * 1.2533 / math.sqrt(WINDOW)


class Search:
    """Finds the call at which the steady part begins.

    `begin` is that call's index, None until it is known; `begin_ns` what the loop's clock showed
    then; `next_call` the number of calls at which to ask again; `reason` why it was not steady the
    last time.
    """

    def __init__(self):
        """Begin with the first call that is no fixed warm-up."""
        self.begin = None
        self.begin_ns = 0
        self.next_call = float(_GRID)
        self.reason = None
        self._marks = collections.deque([0], NEEDED // _GRID + 1)
        self._checked = (-_REST_CALLS, -_REST_NS)  # calls and time at the last check

    def visit(self, durations, loop_ns):
        """Compare the last two windows; to be called at `next_call` calls, after `loop_ns`."""
        count = len(durations)
        self._marks.append(loop_ns)
        self.next_call = count + _GRID
        if count < NEEDED or not self._rested(count, loop_ns):
            return
        self._checked = (count, loop_ns)
        self.reason = unsteady(durations)
        if self.reason is None:
            self.begin, self.begin_ns = count - NEEDED, self._marks[0]
            self.next_call = math.inf
        elif count >= LONGEST_CALLS and loop_ns >= _LONGEST_NS:
            self.next_call = math.inf

    def _rested(self, count, loop_ns):
        calls, nanoseconds = count - self._checked[0], loop_ns - self._checked[1]
        if calls < _REST_CALLS:
            return nanoseconds >= 10 * _REST_NS
        return nanoseconds >= _REST_NS

    def told(self, count):
        """Return {"reached", "calls", "reason"} of a run that ended after `count` calls."""
        if self.begin is not None:
            return {"reached": True, "calls": self.begin, "reason": None}
        if count < NEEDED:
            reason = "%d calls are too few to judge: it takes %d" % (count, NEEDED)
            return {"reached": None, "calls": 0, "reason": reason}
        reason = "no steady state in %d calls: %s" % (count, self.reason)
        return {"reached": False, "calls": 0, "reason": reason}


def unsteady(durations):
    """Return why the last of these calls are no steady state, or None where they are one.

    `durations` in nanoseconds, in order, at least `NEEDED` of them; the last `TREND` are looked at.
    """
    recent = list(durations[-TREND:])
    older, newer = _Window(recent[-NEEDED:-WINDOW]), _Window(recent[-WINDOW:])
    return (
        _other_median(older, newer)
        or _other_spread(older, newer)
        or _outlier_first(older)
        or _trend(recent)
    )


class _Window:
    def __init__(self, values):
        self.first = values[0]
        self.ordered = sorted(values)
        self.median = _middle(self.ordered)
        self.mad = _middle(sorted(abs(value - self.median) for value in values))


def _middle(ordered):
    """Return the median of an even number of sorted values."""
    half = len(ordered) // 2
    return (ordered[half - 1] + ordered[half]) / 2.0


def _other_median(older, newer):
    error = _ERROR_PER_MAD * math.sqrt(older.mad**2 + newer.mad**2)
    apart = abs(older.median - newer.median)
    if apart <= max(_SAME * newer.median, 2 * error):
        return None
    share = 100.0 * apart / max(1.0, newer.median)
    return "the medians of the last two windows of 20 calls are %.1f %% apart" % share


def _other_spread(older, newer):
    less, more = sorted((older.mad, newer.mad))
    if more <= max(_TINY * newer.median, 2 * _quantum(older, newer)):
        return None
    if more <= _LARGEST_RATIO * less:
        return None
    return "the last two windows of 20 calls scatter by %.3g and %.3g µs (median deviation)" % (
        older.mad * 1e-3,
        newer.mad * 1e-3,
    )


def _quantum(older, newer):
    """Return the smallest step between two durations: a coarse clock shows in it."""
    ordered = sorted(older.ordered + newer.ordered)
    steps = (ordered[at] - ordered[at - 1] for at in range(1, len(ordered)))
    return min((step for step in steps if step > 0), default=0)


def _outlier_first(older):
    low, high = older.ordered[WINDOW // 4], older.ordered[3 * WINDOW // 4]
    if older.first <= high + max(1.5 * (high - low), _SAME * older.median):
        return None
    return "the last two windows of 20 calls begin with an outlier"


def _trend(values):
    """Test by Mann and Kendall, without the correction for ties, which errs towards steady."""
    count = len(values)
    first, last = (_middle(sorted(part)) for part in (values[:WINDOW], values[-WINDOW:]))
    if abs(first - last) <= _LEVEL * last:
        return None
    score = 0
    ordered = []  # type: list
    for value in values:
        at = bisect_left(ordered, value)
        score += at - (len(ordered) - bisect_right(ordered, value))
        ordered.insert(at, value)
    z = score / math.sqrt(count * (count - 1) * (2 * count + 5) / 18.0)
    if abs(z) < _LARGEST_TREND:
        return None
    return "the last %d calls get %s (Mann-Kendall z = %.1f)" % (
        count,
        "slower" if z > 0 else "faster",
        z,
    )
