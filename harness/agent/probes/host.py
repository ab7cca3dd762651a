"""What else the machine was doing: one cheap snapshot before a run and one after it."""

from harness.agent import tree
from harness.agent.probes.recorder import monotonic_ns
from harness.agent.tree import Unreadable

_STAT = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
# Zones that show no temperature: a constant 100 C, and an estimate for the fan.
_IGNORED_ZONES = ("PMIC-Die", "thermal-fan-est")


def snapshot(root="/"):
    """Return the counters and readings of this moment; what cannot be read is None with its reason.

    cpu: ticks by state of all cores together; pressure: total stall in µs; frequency_hz per cpufreq
    policy; temperature_c per thermal zone; swap: pages in and out since boot.
    """
    asked = (
        ("cpu", _cpu),
        ("pressure", _pressure),
        ("frequency_hz", _frequency),
        ("temperature_c", _temperature),
        ("swap", _swap),
    )
    found = {"t_ns": monotonic_ns(), "unknown": {}}
    for key, ask in asked:
        try:
            found[key] = ask(root)
        except Unreadable as reason:
            found[key] = None
            found["unknown"][key] = str(reason)
    return found


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


def _frequency(root):
    paths = tree.find(root, "/sys/devices/system/cpu/cpufreq/policy[0-9]*/scaling_cur_freq")
    found = _readable(root, ((path.split("/")[-2], path) for path in paths), 1e3)
    if not found:
        raise Unreadable("/sys/devices/system/cpu/cpufreq has no readable policy")
    return found


def _temperature(root):
    zones = []
    for path in tree.find(root, "/sys/class/thermal/thermal_zone[0-9]*/type"):
        try:
            zones.append((tree.text(root, path), path[: -len("type")] + "temp"))
        except Unreadable:
            continue  # an unnamed zone cannot be matched between two snapshots
    found = _readable(root, (zone for zone in zones if zone[0] not in _IGNORED_ZONES), 1e-3)
    if not found:
        raise Unreadable("/sys/class/thermal has no readable zone")
    return found


def _readable(root, named_paths, scale):
    """Return {name: value * scale} of the files that answer; a rail that is off gives EAGAIN."""
    found = {}
    for name, path in named_paths:
        try:
            found[name] = tree.number(root, path) * scale
        except Unreadable:
            continue
    return found


def _swap(root):
    rows = tree.table(root, "/proc/vmstat")
    if "pswpin" not in rows or "pswpout" not in rows:
        raise Unreadable("/proc/vmstat counts no swapped pages")
    return {"in": rows["pswpin"], "out": rows["pswpout"]}


def delta(before, after):
    """Return what happened between two snapshots.

    window_s; busy_share, iowait_share and steal_share of all cores' time; pressure_share {resource:
    share of the window in which some task waited}; swap_in_pages, swap_out_pages; frequency_hz and
    temperature_c {name: [before, after]} of what both snapshots saw; unknown {key: reason}.
    """
    window_s = (after["t_ns"] - before["t_ns"]) * 1e-9
    shares = _shares(before["cpu"], after["cpu"])
    swap = _moves(before["swap"], after["swap"])
    stalls = _moves(before["pressure"], after["pressure"])
    waited = stalls and window_s > 0
    return {
        "window_s": window_s,
        "busy_share": shares and 1.0 - shares["idle"] - shares["iowait"],
        "iowait_share": shares and shares["iowait"],
        "steal_share": shares and shares["steal"],
        "pressure_share": {key: us * 1e-6 / window_s for key, us in stalls.items()}
        if waited
        else None,
        "swap_in_pages": swap and swap["in"],
        "swap_out_pages": swap and swap["out"],
        "frequency_hz": _pairs(before["frequency_hz"], after["frequency_hz"]),
        "temperature_c": _pairs(before["temperature_c"], after["temperature_c"]),
        "unknown": dict(before["unknown"], **after["unknown"]),
    }


def _moves(before, after):
    if before is None or after is None:
        return None
    return {key: after[key] - before[key] for key in before}


def _shares(before, after):
    moves = _moves(before, after)
    total = sum(moves.values()) if moves else 0
    return {key: move / total for key, move in moves.items()} if total > 0 else None


def _pairs(before, after):
    if before is None or after is None:
        return None
    return {key: [before[key], after[key]] for key in before if key in after}
