"""hwmon: meters the kernel has a driver for, as power (µW) or energy (µJ) attributes.

Many chips report the power of one component (a graphics card, a disk, a network card). Only those
that measure a supply are used, and only if there is one of them: two meters may sit in line, and
adding them would count the same power twice.
"""

from harness.agent import tree
from harness.agent.probes.recorder import Counter, Facts, Sampler
from harness.agent.tree import Unreadable

# driver's chip name -> what it covers; a shunt monitor sits wherever the board's designer put it
_CHIPS = {
    "ina209": "rail",
    "ina219": "rail",
    "ina220": "rail",
    "ina226": "rail",
    "ina228": "rail",
    "ina230": "rail",
    "ina231": "rail",
    "ina237": "rail",
    "ina238": "rail",
    "ina260": "rail",
    "power_meter": "board",
    "fam15h_power": "package",
}


# The kernel's ACPI meter gives a mean over a second or more; a shunt monitor converts in ms.
_PERIODS_S = {"power_meter": 1.0}


def find(root):
    """Return a Counter (energy) or Sampler (power) over the one supply meter, or raise."""
    meters = []  # type: list[tuple[str, str]]
    others = []  # type: list[tuple[str, str]]
    for folder in tree.find(root, "/sys/class/hwmon/hwmon[0-9]*"):
        inputs = _inputs(root, folder)
        if not inputs:
            continue
        chip = _chip(root, folder)
        (meters if chip in _CHIPS else others).extend((chip, path) for path in inputs)
    if len(meters) == 1:
        return _probe(root, *meters[0])
    if meters:
        names = ", ".join(path for _, path in meters)
        raise Unreadable("several supply meters, and nothing tells which is the total: " + names)
    if others:
        names = ", ".join("%s (%s)" % (chip, path) for chip, path in others)
        raise Unreadable("only meters of single components: " + names)
    raise Unreadable("no power or energy attribute below /sys/class/hwmon")


def _chip(root, folder):
    try:
        return tree.text(root, folder + "/name")
    except Unreadable:
        return "a chip without a name"


def _inputs(root, folder):
    """Return a chip's energy attributes, else its power attributes, measured before averaged."""
    for pattern in ("/energy[0-9]*_input", "/power[0-9]*_input", "/power[0-9]*_average"):
        found = tree.find(root, folder + pattern)
        if found:
            return found
    return []


def _probe(root, chip, path):
    def read():
        return tree.number(root, path)

    read()
    if "/energy" in path:
        return Counter(Facts("hwmon", "counter", _CHIPS[chip], path, chip), [(read, None)])
    facts = Facts("hwmon", "sampled", _CHIPS[chip], path, chip)
    return Sampler(facts, [(chip, lambda: read() * 1e-6)], _PERIODS_S.get(chip, 0.1))
