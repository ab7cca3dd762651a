"""Power sources, one small file each with the same function: find(root) -> probe, or Unreadable.

A probe offers start(), sample(), stop() -> dict (see recorder.py), `period_s` (how often to call
sample, None for counters) and `facts` (name, method, scope, source, note). Measure power in a phase
of its own: reading a meter costs time and power that latency samples must not contain.
"""

from harness.agent.probes import host, hwmon, ina3221, rapl, throttle
from harness.agent.tree import Unreadable

__all__ = ["REGISTRY", "choose", "describe", "host", "hwmon", "ina3221", "rapl", "throttle"]

# In order of preference: the whole module, the processor's own counter, any other meter.
REGISTRY = (("ina3221", ina3221.find), ("rapl", rapl.find), ("hwmon", hwmon.find))


def choose(root="/"):
    """Return (the first readable probe or None, ["source: reason"] of those before it)."""
    reasons = []  # type: list[str]
    for name, find in REGISTRY:
        try:
            return find(root), reasons
        except Unreadable as error:
            reasons.append("%s: %s" % (name, error))
    return None, reasons


def describe(probe):
    """Return what is known of a probe before it runs: name, method, scope, source, note."""
    return probe.facts.rows()
