"""What else the machine was doing: one cheap snapshot before a run and one after it."""

import os

from harness.agent import tree
from harness.agent.probes import clock, thermal, throttle
from harness.agent.probes.recorder import monotonic_ns
from harness.agent.tree import Unreadable

_STAT = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


def _cpu(root):
    words = tree.text(root, "/proc/stat").split("\n", 1)[0].split()
    if words[:1] != ["cpu"] or len(words) < len(_STAT) + 1:
        raise Unreadable("/proc/stat does not begin with the cores' total")
    return {name: int(words[at]) for at, name in enumerate(_STAT, 1)}


def _pressure(root):
    found = {}
    for name in ("cpu", "memory", "io"):
        line = tree.text(root, "/proc/pressure/" + name).split("\n", 1)[0]
        total = line.rpartition("total=")[2]
        if not total.isdigit():
            raise Unreadable("/proc/pressure/%s names no total" % name)
        found[name] = int(total)
    return found


def _swap(root):
    lines = tree.text(root, "/proc/vmstat").splitlines()
    rows = dict(line.split()[:2] for line in lines if line.startswith("pswp"))
    try:
        return {"in": int(rows["pswpin"]), "out": int(rows["pswpout"])}
    except (KeyError, ValueError):
        raise Unreadable("/proc/vmstat counts no swapped pages") from None


# key -> who reads it
_READINGS = (
    ("cpu", _cpu),
    ("pressure", _pressure),
    ("swap", _swap),
    ("temperature_c", thermal.temperature),
    ("frequency_hz", clock.frequency),
    ("limit_frequency_hz", clock.limit),
    ("max_frequency_hz", clock.highest),
    ("governor", clock.governor),
    ("time_in_state", clock.time_in_state),
    ("throttle", throttle.state),
    ("cooling", throttle.cooling),
    ("quota", throttle.quota_periods),
    ("suspended_s", clock.suspended),
    ("wall_clock_s", clock.wall_clock),
)


def snapshot(root="/"):
    """Return the counters and readings of this moment; what cannot be read is None with its reason.

    Keys: t_ns, those of _READINGS and unknown {key: reason}. cpu: ticks by state of all cores
    together; pressure: total stall in µs; swap: pages in and out since boot.
    """
    found = {"t_ns": monotonic_ns(), "unknown": {}}
    for key, ask in _READINGS:
        try:
            found[key] = ask(root)
        except Unreadable as reason:
            found[key] = None
            found["unknown"][key] = str(reason)
    return found


def delta(before, after):
    """Return what happened between two snapshots; what either could not read is None.

    window_s; ticks: clock ticks of all cores together, the resolution of the shares; busy_share,
    iowait_share and steal_share of all cores' time; pressure_share {resource: share of the window
    in which some task waited}; swap_in_pages, swap_out_pages; frequency_hz, limit_frequency_hz and
    temperature_c {name: [before, after]} of what both snapshots saw; mean_frequency_hz and
    max_frequency_hz {policy: Hz}; governor {policy: word}; throttle_events {name: increase};
    quota_throttled_periods; cooling {device type: state after} of what slows a processor;
    suspended_s, clock_step_s; unknown {snapshot's key: reason}.
    """
    window_s = (after["t_ns"] - before["t_ns"]) * 1e-9
    found = {"window_s": window_s, "unknown": dict(before["unknown"], **after["unknown"])}
    found.update(_shares(_both(_moves, "cpu", before, after)))
    stalls = _both(_moves, "pressure", before, after)
    if stalls is not None and window_s > 0:
        stalls = {key: us * 1e-6 / window_s for key, us in stalls.items()}
    swap = _both(_moves, "swap", before, after)
    found.update(
        pressure_share=stalls,
        swap_in_pages=swap and swap["in"],
        swap_out_pages=swap and swap["out"],
        frequency_hz=_both(_pairs, "frequency_hz", before, after),
        limit_frequency_hz=_both(_pairs, "limit_frequency_hz", before, after),
        max_frequency_hz=after["max_frequency_hz"],
        governor=after["governor"],
        mean_frequency_hz=_both(clock.mean_frequency, "time_in_state", before, after),
        temperature_c=_both(_pairs, "temperature_c", before, after),
        throttle_events=_both(throttle.events, "throttle", before, after),
        quota_throttled_periods=_both(_growth, "quota", before, after),
        cooling=after["cooling"],
        suspended_s=_both(_growth, "suspended_s", before, after),
        clock_step_s=_both(_growth, "wall_clock_s", before, after),
    )
    return found


def _both(difference, key, before, after):
    """Return difference(before, after) of a key that both snapshots know, else None."""
    if before[key] is None or after[key] is None:
        return None
    return difference(before[key], after[key])


def _growth(before, after):
    return after - before


def _moves(before, after):
    return {key: after[key] - before[key] for key in before}


def _shares(moves):
    keys = ("ticks", "busy_share", "iowait_share", "steal_share")
    total = sum(moves.values()) if moves else 0
    if total <= 0:
        return dict.fromkeys(keys)
    idle = moves["idle"] + moves["iowait"]
    shares = (total, 1.0 - idle / total, moves["iowait"] / total, moves["steal"] / total)
    return dict(zip(keys, shares))


def _pairs(before, after):
    return {key: [before[key], after[key]] for key in before if key in after}


def foreign_share(before, after, ours_s):
    """Return what others computed between two snapshots, as a share of all cores' time, or None.

    `ours_s`: CPU seconds of our own processes meanwhile. Stolen time is in neither. The kernel
    counts the cores' time by ticks and ours exactly, so that the difference of a quiet machine may
    come out below nothing: that is 0.
    """
    moves = _both(_moves, "cpu", before, after)
    total = sum(moves.values()) if moves else 0
    if total <= 0:
        return None
    busy = total - sum(moves[key] for key in ("idle", "iowait", "steal"))
    return max(0.0, (busy - ours_s * os.sysconf("SC_CLK_TCK")) / total)
