"""The board's thermal zones that show a temperature, in °C; the kernel's files hold 1/1000."""

from harness.agent import tree
from harness.agent.tree import Unreadable

# Zones that show no temperature: a constant 100 C, an estimate for the fan, and a constant 20 C
# that only carries a table of policies.
_IGNORED = ("PMIC-Die", "thermal-fan-est", "INT3400 Thermal")
_LONGEST_NAME = 64
# Outside of these a processor does not run: -256 is how a Tegra says that a rail is off.
_LOWEST_C = -60.0
_HIGHEST_C = 200.0


def zones(root):
    """Return [(type, path of its temperature)]; of several zones of a type the later are counted.

    An unnamed zone is left out: it cannot be told from the others.
    """
    found = []  # type: list[tuple[str, str]]
    seen = {}  # type: dict[str, int]
    for path in tree.find(root, "/sys/class/thermal/thermal_zone[0-9]*/type"):
        try:
            kind = tree.text(root, path)
        except Unreadable:
            continue
        if 0 < len(kind) <= _LONGEST_NAME and kind not in _IGNORED:
            seen[kind] = seen.get(kind, 0) + 1
            name = kind if seen[kind] == 1 else "%s %d" % (kind, seen[kind])
            found.append((name, path[: -len("type")] + "temp"))
    return found


def read(root, path):
    """Return the temperature in a zone's file; a rail that is off has none."""
    celsius = tree.number(root, path) * 1e-3
    if not _LOWEST_C < celsius < _HIGHEST_C:
        raise Unreadable("%s holds %g °C, which is no temperature here" % (path, celsius))
    return celsius


def temperature(root):
    """Return {zone: °C} of the zones that answer now."""
    found = {}
    for name, path in zones(root):
        try:
            found[name] = read(root, path)
        except Unreadable:
            continue  # EAGAIN and EINVAL are how a zone says that its rail is off
    if not found:
        raise Unreadable("/sys/class/thermal has no readable zone")
    return found
