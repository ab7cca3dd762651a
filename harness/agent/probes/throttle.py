"""Whether something held the processor back: heat, current, a weak supply, a CPU quota."""

from harness.agent import tree
from harness.agent.tree import Unreadable

_X86 = "/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle"
_X86_COUNTS = ("core_throttle_count", "package_throttle_count")
_HWMON = "/sys/class/hwmon/hwmon[0-9]*"
# Jetson Orin: under-voltage, average and instantaneous over-current.
_JETSON_COUNTS = ("oc1_event_cnt", "oc2_event_cnt", "oc3_event_cnt")
_PI = "/sys/devices/platform/soc*/soc*firmware/get_throttled"
# Bits 0-3 of get_throttled are the state now, bits 16-19 what the firmware remembers.
_PI_BITS = ("under_voltage", "frequency_capped", "throttled", "soft_temperature_limit")
_REMEMBERED = 16
# Words in the names of cooling devices that slow a processor down. Fans slow nothing, and a dimmed
# backlight or a temperature offset stands above zero on a cool machine.
_SLOWING = ("processor", "cpu", "gpu", "npu", "devfreq", "powerclamp", "idle", "balanced", "heavy")


def state(root):
    """Return {"counts": {name: events since boot}, "bits": the Pi's word or None}."""
    counted = _counted(root)
    bits = _pi_bits(root)
    if not counted and bits is None:
        raise Unreadable("neither thermal_throttle, get_throttled nor soctherm_oc exists")
    return {"counts": counted, "bits": bits}


def counts(root):
    """Return [(name, paths)]: a count is the sum over its files, one per core or one per chip."""
    cores = tree.find(root, _X86)
    chips = _named_hwmon(root, "soctherm_oc")
    found = [(name, [path + "/" + name for path in cores]) for name in _X86_COUNTS]
    found += [(name, [path + "/" + name for path in chips]) for name in _JETSON_COUNTS]
    return [(name, paths) for name, paths in found if paths]


def count(root, paths):
    """Return the sum over the files that answer; a core that went offline has none."""
    readable = tree.numbers(root, ((path, path) for path in paths), 1)
    if not readable:
        raise Unreadable("%s cannot be read" % paths[0])
    return sum(readable.values())


def _counted(root):
    found = {}
    for name, paths in counts(root):
        try:
            found[name] = count(root, paths)
        except Unreadable:
            continue  # a kernel that keeps some of the counts
    return found


def _named_hwmon(root, wanted):
    """Return the hwmon folders of that name: their numbers change from boot to boot."""
    found = []
    for path in tree.find(root, _HWMON + "/name"):
        try:
            if tree.text(root, path) == wanted:
                found.append(path[: -len("/name")])
        except Unreadable:
            continue  # an unnamed sensor is not the one that is looked for
    return found


def _pi_bits(root):
    """Return the firmware's word; other kernels only tell the under-voltage of now (rpi_volt)."""
    for path in tree.find(root, _PI):
        try:
            return int(tree.text(root, path), 16)
        except (Unreadable, ValueError):
            continue
    for folder in _named_hwmon(root, "rpi_volt"):
        try:
            return tree.number(root, folder + "/in0_lcrit_alarm") & 1
        except Unreadable:
            continue
    return None


def pi(root):
    """Return {"now": names, "remembered": names} of what holds a Raspberry Pi back, or held it.

    What is remembered happened at some time since power came on; reading does not clear it.
    """
    bits = _pi_bits(root)
    if bits is None:
        raise Unreadable("no Raspberry Pi firmware tells of throttling")
    return {"now": _names(bits), "remembered": _names(bits >> _REMEMBERED)}


def _names(bits):
    return [name for at, name in enumerate(_PI_BITS) if bits >> at & 1]


def events(before, after):
    """Return {name: increase} of every count both states have; 0 where nothing happened.

    A Pi's bit counts as one event where it was set at either end or is newly remembered. A count
    that went down was reset meanwhile and is left out.
    """
    moves = {
        name: after["counts"][name] - count
        for name, count in before["counts"].items()
        if after["counts"].get(name, -1) >= count
    }
    if before["bits"] is not None and after["bits"] is not None:
        fresh = (after["bits"] & ~before["bits"]) >> _REMEMBERED
        seen = before["bits"] | after["bits"] | fresh
        moves.update((name, seen >> at & 1) for at, name in enumerate(_PI_BITS))
    return moves


def bits_now(root):
    """Return {name: 1 or 0} of what holds a Raspberry Pi back at this moment."""
    names = pi(root)["now"]
    return {name: int(name in names) for name in _PI_BITS}


def slowing(root):
    """Return [(type, paths of their states)] of the cooling devices that can slow a processor."""
    found = {}  # type: dict
    paths = tree.find(root, "/sys/class/thermal/cooling_device[0-9]*/type")
    for path in paths:
        try:
            kind = tree.text(root, path)
        except Unreadable:
            continue  # like a thermal zone without a name
        if any(word in kind.lower() for word in _SLOWING):
            found.setdefault(kind, []).append(path[: -len("type")] + "cur_state")
    if not paths:
        raise Unreadable("/sys/class/thermal has no cooling device")
    return sorted(found.items())


def cooling_state(root, paths):
    """Return the largest state among devices of one type; 0 slows nothing."""
    states = tree.numbers(root, ((path, path) for path in paths), 1)
    if not states:
        raise Unreadable("%s cannot be read" % paths[0])
    return max(0, *states.values())


def cooling(root):
    """Return {type: state} of the cooling devices that slow a processor now; {} when none does."""
    found = {}
    for kind, paths in slowing(root):
        try:
            found[kind] = cooling_state(root, paths)
        except Unreadable:
            continue  # its rail is off
    return {kind: state for kind, state in found.items() if state > 0}


def quota_periods(root):
    """Return in how many scheduler periods our group's CPU quota ran out, since it was made."""
    for path in _cpu_groups(root):
        try:
            rows = tree.table(root, path + "/cpu.stat")
        except Unreadable:
            continue
        if "nr_throttled" in rows:
            return rows["nr_throttled"]
    raise Unreadable("no cgroup of this process counts nr_throttled")


def _cpu_groups(root):
    """Return the folders that may be our CPU group: both cgroup versions, inside a container too.

    A container without a cgroup namespace is told a path that it cannot see; its own group is then
    what is mounted at the top.
    """
    folders = []  # type: list
    for line in tree.text(root, "/proc/self/cgroup").splitlines():
        _, controllers, path = (line.split(":", 2) + ["", ""])[:3]
        if not controllers:
            tops = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        elif "cpu" in controllers.split(","):
            tops = ["/sys/fs/cgroup/" + controllers, "/sys/fs/cgroup/cpu"]
        else:
            continue
        folders.extend(top + path.rstrip("/") for top in tops)
        folders.extend(tops)
    return folders
