"""External power meters, read over HTTP from the desk: one file per kind, each with `read(meter)`.

    read(meter)  one Reading, or Gap: a read that failed is a hole in the series, never a zero

A meter is what the lab file says (`devices.lab.Meter`). Nothing of its address gets into a reading
or into the reason of a gap, because both are kept with the results.
"""

from __future__ import annotations

from collections.abc import Callable

from devices.lab import Meter
from harness.transport.meters import http_json, shelly, tasmota
from harness.transport.meters.reading import Gap, Reading

__all__ = ["KINDS", "Gap", "Reading", "read"]

KINDS: dict[str, Callable[[Meter], Reading]] = {
    "shelly": shelly.read,
    "tasmota": tasmota.read,
    "http-json": http_json.read,
}


def read(meter: Meter) -> Reading:
    """Return what the meter shows now; raise Gap where it does not tell."""
    return KINDS[meter.kind](meter)
