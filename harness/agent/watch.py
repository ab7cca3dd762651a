"""What heat does while samples are taken: temperature, clock, throttling over time, up to 5 Hz.

The supervisor reads when it wakes from its select(): no thread, and nothing in the measured child.
Which files there are is found out once; a moment costs one read of each.
"""

from harness.agent import probes
from harness.agent.beat import Beat
from harness.agent.probes import clock, thermal, throttle
from harness.agent.probes.recorder import monotonic_ns
from harness.agent.tree import Unreadable

MOST_HZ = 5.0
_POWER = "power_w"


class Watch(object):
    """The series of one run's timed phase; hears the child's phases and reads in between."""

    def __init__(self, request):
        """Take `watch_hz` of the request; without it nothing is ever read."""
        hz = request.get("watch_hz")
        self._period_s = 1.0 / min(float(hz), MOST_HZ) if hz else None
        self._root = request.get("root", "/")
        self._beat = Beat()
        self._t_ns = []
        self._readers = []
        self._series = {}  # type: dict
        self._reasons = {}  # type: dict
        self._missed = 0

    def hear(self, phase):
        """Begin before the warm-up, end after the last sample."""
        if self._period_s is None:
            return
        if phase == "first":
            self._readers, self._reasons = _readers(self._root)
            self._beat.start(self._period_s)
            self.tick()
        elif phase == "steady":
            self._beat.stop()

    def wait_s(self, otherwise_s):
        """Return how long the supervisor may sleep until the next moment."""
        return self._beat.wait_s(otherwise_s)

    def tick(self):
        """Read everything once if that is due."""
        if not self._beat.due():
            return
        begin_ns = monotonic_ns()
        for key, name, read in self._readers:
            series = self._series.setdefault((key, name), [])
            try:
                series.append(read())
            except Unreadable as reason:
                series.append(None)
                self._missed += 1
                self._reasons[_label(key, name)] = str(reason)
        self._t_ns.append((begin_ns + monotonic_ns()) // 2)

    def result(self, timed_begin_ns):
        """Return the run's watch, None unless it was asked for.

        "t_s" since `timed_begin_ns`, the CLOCK_MONOTONIC of the first timed call; {name: values}
        under each of "temperature_c", "frequency_hz", "limit_frequency_hz", "cooling" (states) and
        "throttle" (a count since the begin, a Raspberry Pi's bits as they are), "power_w" where
        that can be had on the side, "power_by" then tells of its source; None for a failed read.
        "missed" counts those, "reasons" tells of them and of what cannot be watched here.
        """
        if self._period_s is None:
            return None
        kept = [i for i, t_ns in enumerate(self._t_ns) if t_ns >= (timed_begin_ns or 0)]
        reasons = dict(self._reasons)
        if timed_begin_ns is None:
            reasons["t_s"] = "the run ended before it told when its samples began"
            timed_begin_ns = self._t_ns[0] if self._t_ns else 0
        found = {"t_s": [(self._t_ns[i] - timed_begin_ns) * 1e-9 for i in kept]}  # type: dict
        for (key, name), values in self._series.items():
            series = [values[i] for i in kept]
            if all(value is None for value in series):
                continue  # its reason is there
            if key == _POWER:
                found.update({key: series, "power_by": name.rows()})
            else:
                found.setdefault(key, {})[name] = series
        found.update(missed=self._missed, reasons=reasons, period_s=self._period_s)
        return found


def _label(key, name):
    return key if key == _POWER else "%s.%s" % (key, name)


def _readers(root):
    """Return [(key, name, read)] of all that can be watched, and {key: why not} of the rest."""
    found, reasons = [], {}  # type: list, dict
    for key, sensors in _SENSORS:
        try:
            named = sensors(root)
        except Unreadable as reason:
            reasons[key] = str(reason)
            continue
        if not named:
            reasons[key] = "this machine has no such reading"
        found.extend((key, name, read) for name, read in named)
    return found, reasons


def _temperatures(root):
    return [(name, _reading(thermal.read, root, path)) for name, path in thermal.zones(root)]


def _clocks(attribute):
    def sensors(root):
        paths = clock.policies(root, attribute)
        return [(policy, _reading(clock.read, root, path)) for policy, path in paths]

    return sensors


def _coolers(root):
    devices = throttle.slowing(root)
    return [(kind, _reading(throttle.cooling_state, root, paths)) for kind, paths in devices]


def _reading(read, root, where):
    return lambda: read(root, where)


def _throttles(root):
    found = [(name, _increase(root, paths)) for name, paths in throttle.counts(root)]
    try:
        names = sorted(throttle.bits_now(root))
    except Unreadable:
        names = []
    return found + [(name, _bit(root, name)) for name in names]


def _increase(root, paths):
    first = []

    def read():
        now = throttle.count(root, paths)
        first.append(now)
        return now - first[0]

    return read


def _bit(root, name):
    return lambda: throttle.bits_now(root)[name]


def _power(root):
    probe, reasons = probes.choose(root)
    if probe is None:
        raise Unreadable("; ".join(reasons))
    if not probe.cheap:
        raise Unreadable("reading %s takes too much time beside a measurement" % probe.facts.source)
    return [(probe.facts, probe.moment)]


_SENSORS = (
    ("temperature_c", _temperatures),
    ("frequency_hz", _clocks("scaling_cur_freq")),
    ("limit_frequency_hz", _clocks("scaling_max_freq")),
    ("cooling", _coolers),
    ("throttle", _throttles),
    (_POWER, _power),
)
