"""What this machine is and what it can tell about itself, as one plain dict.

`identify(root)` asks every question of QUESTIONS. A question that cannot be answered leaves None
(or an empty list) and its reason in "unknown": never a guess, never a 0. Nothing that names a
person or a place is read: no host name, serial number or network address.
"""

import os
import platform
import struct

from harness.agent import board, cpu, probes, tree
from harness.agent.tree import Unreadable


def ram_bytes(root):
    """Return the memory the kernel manages, in bytes."""
    return _meminfo(root, "MemTotal")


def available_bytes(root):
    """Return what a new process could take without swapping, in bytes."""
    return _meminfo(root, "MemAvailable")


def swap_bytes(root):
    """Return the size of all swap space in bytes; 0 means that there is none."""
    return _meminfo(root, "SwapTotal")


def swap_used_bytes(root):
    """Return how much lies in swap space now, in bytes."""
    return swap_bytes(root) - _meminfo(root, "SwapFree")


def on_battery(root):
    """Tell whether a battery of the machine itself supplies it now."""
    mains, batteries = [], []
    for path in tree.find(root, "/sys/class/power_supply/*"):
        kind = _word(root, path + "/type")
        if kind == "Battery" and _word(root, path + "/scope") != "Device":
            batteries.append(_word(root, path + "/status"))
        elif kind in ("Mains", "USB"):
            mains.append(_word(root, path + "/online") == "1")
    if any(mains) or (mains and not batteries):
        return False
    if not batteries:
        raise Unreadable("/sys/class/power_supply lists neither a mains adapter nor a battery")
    return "Discharging" in batteries or bool(mains)


def _word(root, path):
    """Return the word in a file, None where it cannot be read: a supply need not tell all."""
    try:
        return tree.text(root, path)
    except Unreadable:
        return None


def _meminfo(root, key):
    rows = tree.table(root, "/proc/meminfo")
    if key not in rows:
        raise Unreadable("/proc/meminfo has no %s" % key)
    return rows[key] * 1024


def kernel(root):
    """Return the kernel's release."""
    return tree.text(root, "/proc/sys/kernel/osrelease")


def load_1m(root):
    """Return the mean number of runnable tasks over the last minute."""
    try:
        return float(tree.text(root, "/proc/loadavg").split()[0])
    except (IndexError, ValueError):
        raise Unreadable("/proc/loadavg holds no number") from None


def thermal_zones(root):
    """Return [{"path", "type"}] of the zones that name themselves."""
    found = []
    for path in tree.find(root, "/sys/class/thermal/thermal_zone[0-9]*"):
        try:
            found.append({"path": path, "type": tree.text(root, path + "/type")})
        except Unreadable:
            continue  # a zone without a type cannot be told from the others
    if not found:
        raise Unreadable("/sys/class/thermal has no thermal zone")
    return found


def power(root):
    """Return {"source": the probe that would be used or None, "reasons": why others cannot be}."""
    probe, reasons = probes.choose(root)
    return {"source": probes.describe(probe) if probe else None, "reasons": reasons}


def memory(root):
    """Return whether peak memory can be read (vm_hwm) and reset between phases (clear_refs)."""
    reset = os.access(tree.inside(root, "/proc/self/clear_refs"), os.W_OK)
    return {"vm_hwm": "VmHWM:" in tree.text(root, "/proc/self/status"), "clear_refs": reset}


# key -> who answers it
QUESTIONS = (
    ("arch", cpu.arch),
    ("kernel", kernel),
    ("os", board.os_name),
    ("libc", board.libc),
    ("soc", board.soc),
    ("board", board.board),
    ("cpu_model", cpu.model),
    ("cpu_count", cpu.count),
    ("cores", cpu.cores),
    ("clusters", cpu.clusters),
    ("offline", cpu.offline),
    ("features", cpu.features),
    ("isa", cpu.isa),
    ("caches", cpu.caches),
    ("governors", cpu.governors),
    ("turbo", cpu.turbo),
    ("turbo_off", cpu.turbo_off),
    ("smt", cpu.smt),
    ("isolated", cpu.isolated),
    ("hypervisor", board.hypervisor),
    ("ram_bytes", ram_bytes),
    ("available_bytes", available_bytes),
    ("swap_bytes", swap_bytes),
    ("swap_used_bytes", swap_used_bytes),
    ("load_1m", load_1m),
    ("l4t", board.l4t),
    ("jetpack", board.jetpack),
    ("module", board.module),
    ("power_mode", board.power_mode),
    ("thermal_zones", thermal_zones),
    ("power", power),
    ("on_battery", on_battery),
    ("throttled", probes.throttle.pi),
    ("memory", memory),
)
# Unanswered, these are empty lists.
LISTS = (
    "cores",
    "clusters",
    "offline",
    "features",
    "isa",
    "caches",
    "governors",
    "isolated",
    "thermal_zones",
)


def identify(root="/"):
    """Return the identity of the machine whose /proc, /sys and /etc lie below `root`.

    Keys: those of QUESTIONS, python and python_bits (of the interpreter that runs this) and unknown
    ({key: reason}). Units are in the names; the value can be written as JSON. throttled is what a
    Raspberry Pi's firmware says of itself, see `probes.throttle.pi`.
    """
    facts = {"python": platform.python_version(), "python_bits": struct.calcsize("P") * 8}
    unknown = {}
    for key, answer in QUESTIONS:
        try:
            facts[key] = answer(root)
        except (Unreadable, ValueError) as reason:  # ValueError: a list of cores that is none
            facts[key] = [] if key in LISTS else None
            unknown[key] = str(reason)
    facts["unknown"] = unknown
    return facts
