"""How fast the processor's clock ran, how fast it may run, and whether time itself jumped.

Frequencies are in Hz per cpufreq policy; the kernel's files hold kHz.
"""

import time

from harness.agent import tree
from harness.agent.tree import Unreadable

_POLICIES = "/sys/devices/system/cpu/cpufreq/policy[0-9]*"
# Linux's number: the time module has no name for it before Python 3.7.
_CLOCK_BOOTTIME = 7
_HIGHEST_HZ = 2e10


def frequency(root):
    """Return what each policy's clock is now."""
    return _per_policy(root, "scaling_cur_freq")


def highest(root):
    """Return what each policy's hardware can do, with turbo where there is one."""
    return _per_policy(root, "cpuinfo_max_freq")


def limit(root):
    """Return what each policy's clock is capped to: by a person, a power mode or heat."""
    return _per_policy(root, "scaling_max_freq")


def policies(root, name):
    """Return [(policy, path of its attribute `name`)]."""
    return [(path.split("/")[-2], path) for path in tree.find(root, _POLICIES + "/" + name)]


def read(root, path):
    """Return the clock in Hz that a policy's file holds; none runs at 0."""
    hertz = tree.number(root, path) * 1e3
    if not 0 < hertz < _HIGHEST_HZ:
        raise Unreadable("%s holds %g Hz, which is no clock of a processor" % (path, hertz))
    return hertz


def _per_policy(root, name):
    found = {}
    for policy, path in policies(root, name):
        try:
            found[policy] = read(root, path)
        except Unreadable:
            continue  # a policy whose cores are offline
    if not found:
        raise Unreadable("/sys/devices/system/cpu/cpufreq has no readable policy")
    return found


def governor(root):
    """Return {policy: word}: who decides how fast a policy's clock runs."""
    found = {}
    for policy, path in policies(root, "scaling_governor"):
        try:
            found[policy] = tree.text(root, path)
        except Unreadable:
            continue  # as above
    if not found:
        raise Unreadable("/sys/devices/system/cpu/cpufreq names no governor")
    return found


def time_in_state(root):
    """Return {policy: {frequency in Hz: time spent at it since boot in 10 ms}}."""
    found = {}
    for path in tree.find(root, _POLICIES + "/stats/time_in_state"):
        try:
            found[path.split("/")[-3]] = {
                float(khz) * 1e3: int(spent)
                for khz, spent in (line.split() for line in tree.text(root, path).splitlines())
            }
        except (Unreadable, ValueError):
            continue  # a policy whose cores went offline meanwhile
    if not found:
        raise Unreadable("no cpufreq policy keeps stats/time_in_state (intel_pstate never does)")
    return found


def mean_frequency(before, after):
    """Return {policy: Hz}, the time-weighted mean between two `time_in_state`.

    f = sum(f_i * dt_i) / sum(dt_i); a policy whose times did not move is left out.
    """
    means = {}
    for policy in before:
        spent = {
            hz: after[policy][hz] - ticks
            for hz, ticks in before[policy].items()
            if hz in after.get(policy, {})
        }
        total = sum(spent.values())
        if total > 0 and min(spent.values()) >= 0:
            means[policy] = sum(hz * ticks for hz, ticks in spent.items()) / total
    return means


def suspended(root):
    """Return the seconds this machine slept since boot (CLOCK_BOOTTIME - CLOCK_MONOTONIC)."""
    return _ahead(_CLOCK_BOOTTIME)


def wall_clock(root):
    """Return CLOCK_REALTIME - CLOCK_MONOTONIC in s: it only moves when the wall clock is set."""
    return _ahead(time.CLOCK_REALTIME)


def _ahead(clock):
    """Return how far `clock` is ahead of CLOCK_MONOTONIC, in s."""
    try:
        first = time.monotonic()
        there = time.clock_gettime(clock)
        return there - (first + time.monotonic()) / 2.0
    except OSError as error:
        raise Unreadable("clock %d cannot be read: %s" % (clock, error.strerror)) from error
