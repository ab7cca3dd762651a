"""Batteries of the machine itself, while they supply it: power_supply entries of type Battery.

A battery that charges or rests tells nothing of what the machine draws. Entries of USB-C ports
(UCSI, tcpm) show the contract that was negotiated with the supply and are never a measurement,
whatever type they claim.
"""

from harness.agent import tree
from harness.agent.probes.recorder import Facts, Sampler
from harness.agent.tree import Unreadable

_CONTRACTS = ("ucsi", "tcpm")
_NOTE = "the whole machine with its screen; a gauge renews its value every 1 to 30 s"
# Asking a gauge more often than this only asks its cache.
_PERIOD_S = 1.0


def find(root):
    """Return a Sampler over the batteries that discharge now; raise Unreadable without one."""
    batteries = []
    for path in tree.find(root, "/sys/class/power_supply/*"):
        if not path.rpartition("/")[2].lower().startswith(_CONTRACTS) and _is_own(root, path):
            batteries.append(path)
    if not batteries:
        raise Unreadable("no battery of this machine below /sys/class/power_supply")
    used = [path for path in batteries if _word(root, path, "status") == "Discharging"]
    if not used:
        raise Unreadable("no battery discharges: what they tell is not what the machine draws")
    rails = [(path.rpartition("/")[2], _reader(root, path)) for path in used]
    for _, read in rails:
        read()
    return Sampler(Facts("battery", "sampled", "board", " ".join(used), _NOTE), rails, _PERIOD_S)


def _is_own(root, path):
    """Tell whether an entry is a battery, and not that of a mouse."""
    kind, scope = _word(root, path, "type"), _word(root, path, "scope")
    return kind == "Battery" and scope != "Device"


def _word(root, path, name):
    try:
        return tree.text(root, path + "/" + name)
    except Unreadable:
        return None


def _reader(root, path):
    """Return a function that reads a battery's power in W, whichever way its gauge tells it."""

    def read():
        status = tree.text(root, path + "/status")
        if status != "Discharging":
            raise Unreadable("%s: the battery is %s" % (path, status[:40].lower()))
        if tree.exists(root, path + "/power_now"):
            return abs(tree.number(root, path + "/power_now")) * 1e-6
        microvolt = tree.number(root, path + "/voltage_now")
        # Some gauges count what flows out as negative.
        return microvolt * abs(tree.number(root, path + "/current_now")) * 1e-12

    return read
