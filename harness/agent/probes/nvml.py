"""NVML: the graphics cards of NVIDIA, through the library that their driver brings.

It tells of the cards alone. Jetson modules have an NVML too, which knows no power: there the
module's own meters are used.
"""

from harness.agent import board, tree
from harness.agent.probes.recorder import Counter, Facts, Sampler
from harness.agent.tree import Unreadable

_LIBRARY = "libnvidia-ml.so.1"
_NOTE = "the graphics card alone"
# The counter moves, and the power is renewed, about ten times a second.
_STEP_S = 0.1
# Libraries that were opened once, by path; starting NVML takes up to a second.
_OPENED = {}  # type: dict


def find(root):
    """Return a Counter (energy) or Sampler (power) over all cards, or raise Unreadable."""
    if _is_jetson(root):
        raise Unreadable("a Jetson's NVML tells no power")
    library = _open(root)
    cards = [_card(library, at) for at in range(_count(library))]
    if not cards:
        raise Unreadable("NVML knows no graphics card")
    source = "%s, %d of NVIDIA's cards" % (_LIBRARY, len(cards))
    try:
        counters = [_reader(library, card, _ENERGY) for card in cards]
        facts = Facts("nvml", "counter", "gpu", source, _NOTE)
        return Counter(facts, [(_scaled(read, 1000), None) for read in counters], _STEP_S)
    except Unreadable:
        pass  # cards older than Volta count no energy
    powers = [_reader(library, card, _POWER) for card in cards]
    facts = Facts("nvml", "sampled", "gpu", source, _NOTE + "; its driver averages")
    rails = [("card %d" % at, _scaled(read, 1e-3)) for at, read in enumerate(powers)]
    return Sampler(facts, rails)


# function, name of the C type that it fills: millijoules since the driver started, milliwatts
_ENERGY = ("nvmlDeviceGetTotalEnergyConsumption", "c_ulonglong")
_POWER = ("nvmlDeviceGetPowerUsage", "c_uint")


def _is_jetson(root):
    try:
        return any(name.startswith("nvidia,tegra") for name in board.compatible(root))
    except Unreadable:
        return False


def _open(root):
    """Return the library after its start; below another root than / only a file there counts."""
    path = _LIBRARY if root == "/" else tree.inside(root, "/usr/lib/" + _LIBRARY)
    if path in _OPENED:
        return _OPENED[path]
    try:
        import ctypes

        library = ctypes.CDLL(path)
    except (ImportError, OSError):
        words = "%s cannot be loaded: no driver of NVIDIA's cards here"
        raise Unreadable(words % _LIBRARY) from None
    _checked(library, "nvmlInit_v2", [])
    _OPENED[path] = library
    return library


def _checked(library, name, arguments):
    """Call a function of NVML; raise Unreadable with its number for anything but success."""
    try:
        code = getattr(library, name)(*arguments)
    except AttributeError:
        raise Unreadable("%s has no %s" % (_LIBRARY, name)) from None
    if code != 0:
        raise Unreadable("%s gives error %d" % (name, code))


def _count(library):
    import ctypes

    count = ctypes.c_uint()
    _checked(library, "nvmlDeviceGetCount_v2", [ctypes.byref(count)])
    return count.value


def _card(library, at):
    import ctypes

    handle = ctypes.c_void_p()
    _checked(library, "nvmlDeviceGetHandleByIndex_v2", [ctypes.c_uint(at), ctypes.byref(handle)])
    return handle


def _reader(library, card, question):
    """Return a function that asks one card one question, after a first answer."""
    import ctypes

    name, kind = question

    def read():
        value = getattr(ctypes, kind)()
        _checked(library, name, [card, ctypes.byref(value)])
        return value.value

    read()
    return read


def _scaled(read, factor):
    return lambda: read() * factor
