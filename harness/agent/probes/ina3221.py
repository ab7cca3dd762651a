"""INA3221: the three-channel meters on Jetson modules, read by either of two drivers.

Up to JetPack 4 NVIDIA's IIO driver gives milliwatts; later the mainline hwmon driver gives
millivolts and milliamperes. Which rails add up to the whole module depends on the board and is
recognised by their names; adding a rail to a total that contains it counts its power twice.
"""

from harness.agent import tree
from harness.agent.probes.recorder import Facts, Sampler
from harness.agent.tree import Unreadable

_IIO = "/sys/bus/i2c/drivers/ina3221x/[0-9]*-[0-9]*/iio[:_]device*/rail_name_[0-9]"
_HWMON = "/sys/bus/i2c/drivers/ina3221/[0-9]*-[0-9]*/hwmon/hwmon*/in[1-3]_label"

# One rail that is the module's input: Nano, TX1 | TX2, Xavier NX, Orin Nano, Orin NX.
_INPUTS = ("POM_5V_IN", "VDD_IN")
# Rails that together are the module, for boards without an input rail.
_XAVIER = frozenset(("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"))
_ORIN = frozenset(("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"))
_ORIN_NOTE = "sum of four rails, of which VIN_SYS_5V0 may contain the memory rail"


def find(root):
    """Return a Sampler over the rails that make up the module; raise Unreadable without one."""
    rails = _rails(root)
    if not rails:
        raise Unreadable("no INA3221 below /sys/bus/i2c/drivers/ina3221 or ina3221x")
    chosen, method, note = total(rails)
    for name in chosen:
        rails[name][1]()
    source = " ".join(rails[name][0] for name in chosen)
    facts = Facts("ina3221", method, "module", source, note)
    return Sampler(facts, [(name, rails[name][1]) for name in chosen])


def total(names):
    """Return (rails to add, method, note) for the rail names of a board, or raise Unreadable."""
    for rail in _INPUTS:
        if rail in names:
            return [rail], "sampled", None
    if _XAVIER.issubset(names):
        return sorted(_XAVIER), "sampled", "sum of the module's six rails; it has no input rail"
    if _ORIN.issubset(names):
        return sorted(_ORIN), "estimate", _ORIN_NOTE
    raise Unreadable("nothing tells which of these rails is the total: " + ", ".join(sorted(names)))


def _rails(root):
    """Return {rail name: (path, read in W)} of both drivers; a link to a meter is that meter."""
    found = {}  # type: dict[str, tuple[str, object]]
    for path in tree.find(root, _IIO) + tree.find(root, _HWMON):
        try:
            name = tree.text(root, path)
        except Unreadable:
            continue  # a channel without a name cannot be placed
        if name and name != "NC":
            folder, _, label = path.rpartition("/")
            reader = _iio_w if label.startswith("rail_name") else _hwmon_w
            found[name] = (path, reader(root, folder, "".join(c for c in label if c.isdigit())))
    return found


def _iio_w(root, folder, channel):
    def read():
        return tree.number(root, "%s/in_power%s_input" % (folder, channel)) * 1e-3

    return read


def _hwmon_w(root, folder, channel):
    def read():
        millivolt = tree.number(root, "%s/in%s_input" % (folder, channel))
        return millivolt * tree.number(root, "%s/curr%s_input" % (folder, channel)) * 1e-6

    return read
