"""A fixed piece of pure computation, timed: how fast is this machine when nothing is measured?

It touches no memory to speak of, calls no kernel and is the same on every machine, so whatever
changes its time between two runs (heat, a lower clock, a neighbour on the sibling thread, a
hypervisor) changed the machine. Its time is the median of a few short chunks: one preemption moves
one chunk, a slower clock moves them all. With a governor that follows the load it also shows how
fast the clock rises.
"""

import os

from harness.agent import cpu
from harness.agent.probes.recorder import monotonic_ns
from harness.agent.tree import Unreadable

CHUNKS = 7
# Some 4 ms a chunk on a 2020s x86 core, some 20 ms on a Cortex-A57.
_STEPS = 45000
# A reading this young still tells how the machine is.
_FRESH_NS = 1000000000


class Sentinel(object):
    """Times the computation on the cores of a run; the last reading may serve twice."""

    def __init__(self):
        """Know nothing yet."""
        self._last = None

    def before(self, cores):
        """Return ns per chunk on `cores` (None: the fastest ones), not older than a second."""
        if self._last:
            value, at_ns, where = self._last
            if where == cores and monotonic_ns() - at_ns < _FRESH_NS:
                return value
        return self.after(cores)

    def after(self, cores):
        """Return ns per chunk on `cores` (None: the fastest ones), measured now."""
        value = measure(cores)
        self._last = (value, monotonic_ns(), cores)
        return value


def measure(cores=None):
    """Return the median time of a chunk in ns on `cores`; None takes the fastest cores.

    Cores of two speeds would make two numbers of one machine, so this process stays on one kind.
    """
    allowed = os.sched_getaffinity(0)
    moved = _move(set(cores or _fastest()) & allowed)
    try:
        times = sorted(_chunk() for _ in range(CHUNKS))
    finally:
        if moved:
            _move(allowed)
    return times[CHUNKS // 2]


def _move(cores):
    """Run on `cores` from now on; return whether that could be done."""
    try:
        os.sched_setaffinity(0, cores)
    except (OSError, ValueError):
        return False  # no such cores: the run will say so
    return True


def _fastest():
    """Return the ids of the cores with the highest clock, [] where the kernel tells no clocks."""
    try:
        rows = cpu.cores("/")
    except Unreadable:
        return []
    highest = max(row["max_hz"] or 0 for row in rows)
    return [row["id"] for row in rows if highest and row["max_hz"] == highest]


def _chunk():
    """Return the ns that one chunk took: a linear congruential generator, which nothing skips."""
    value = 1
    begin = monotonic_ns()
    for _ in range(_STEPS):
        value = (value * 1103515245 + 12345) & 0x7FFFFFFF
    return monotonic_ns() - begin
