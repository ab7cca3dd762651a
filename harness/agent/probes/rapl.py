"""RAPL: the energy counters of Intel and AMD processors, through powercap. Packages only.

A package excludes memory, disk, network and the power supply. `intel-rapl-mmio` shows the same
package a second time and is never added; neither are the subzones, which are parts of their
package.
"""

from harness.agent import tree
from harness.agent.probes.recorder import Counter, Facts
from harness.agent.tree import Unreadable

_ZONES = "/sys/class/powercap/intel-rapl:[0-9]*"
FIX = "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj"


def find(root):
    """Return a Counter over every processor package; raise Unreadable with the reason."""
    zones = []
    for path in tree.find(root, _ZONES):
        if tree.text(root, path + "/name").startswith("package"):
            zones.append(path)
    if not zones:
        raise Unreadable("no processor package in /sys/class/powercap/intel-rapl:*")
    try:
        counters = [_zone(root, path) for path in zones]
    except Unreadable as error:
        if error.denied:
            advice = "%s; until the next boot this lets everyone read it: %s" % (error, FIX)
            raise Unreadable(advice, denied=True) from error
        raise
    return Counter(Facts("rapl", "counter", "package", " ".join(zones)), counters)


def _zone(root, path):
    """Return (read, size) of one zone, after a first read that shows it can be read."""

    def read():
        return tree.number(root, path + "/energy_uj")

    read()
    return read, tree.number(root, path + "/max_energy_range_uj")
