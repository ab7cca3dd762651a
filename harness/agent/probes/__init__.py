"""Power sources, one small file each with the same function: find(root) -> probe, or Unreadable.

A probe offers start(), sample(), stop() -> dict and moment() -> W (see recorder.py), `period_s`
(how often to call sample), `window_s` (the shortest energy pass that suits it), `cheap` (it may be
read beside a measurement) and `facts` (name, method, scope, source, note). Measure energy in a
phase of its own: reading a meter costs time and power that latency samples must not contain.
"""

import importlib

from harness.agent.probes import host, thermal, throttle
from harness.agent.tree import Unreadable

__all__ = ["REGISTRY", "choose", "describe", "host", "survey", "thermal", "throttle"]


def _source(name):
    # The measured child reads no power and must not carry the sources in its memory.
    return lambda root: importlib.import_module("harness.agent.probes." + name).find(root)


# In order of preference: the whole module, the processor's own counter, any other meter of the
# supply, and last what feeds a screen too, or a graphics card alone.
REGISTRY = (
    ("ina3221", _source("ina3221")),
    ("pmic", _source("pmic")),
    ("rapl", _source("rapl")),
    ("hwmon", _source("hwmon")),
    ("battery", _source("battery")),
    ("nvml", _source("nvml")),
)


def choose(root="/"):
    """Return (the first readable probe or None, ["source: reason"] of those before it)."""
    reasons = []  # type: list[str]
    for name, find in REGISTRY:
        try:
            return find(root), reasons
        except Unreadable as error:
            reasons.append("%s: %s" % (name, error))
    return None, reasons


def survey(root="/"):
    """Return (the probe that `choose` gives, [facts of other readable ones], reasons of the rest).

    A package and a graphics card are two figures: nothing here adds what one source tells to what
    another does.
    """
    found, reasons = [], []  # type: list, list[str]
    for name, find in REGISTRY:
        try:
            found.append(find(root))
        except Unreadable as error:
            reasons.append("%s: %s" % (name, error))
    return (found[0] if found else None), [describe(probe) for probe in found[1:]], reasons


def describe(probe):
    """Return what is known of a probe before it runs: its facts and window_s_needed."""
    return dict(probe.facts.rows(), window_s_needed=probe.window_s)
