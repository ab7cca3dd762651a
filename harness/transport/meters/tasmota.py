"""Any plug that runs Tasmota with an energy sensor: `Status 8`, its sensors.

The names of the answer's fields are those of Tasmota's documentation as we remember it; no device
of ours has confirmed them.
"""

from __future__ import annotations

from devices.lab import Meter
from harness.transport.meters import fetch, json_path, reading
from harness.transport.meters.reading import Gap

_WH_PER_KWH = 1000


def read(meter: Meter) -> reading.Reading:
    """Return the power, the energy counter and the voltage."""
    status = fetch.answer(fetch.page(meter.url, "/cm", {"cmnd": "Status 8"}))
    energy = json_path.at(status, "StatusSNS.ENERGY")
    if not isinstance(energy, dict):
        raise Gap("its answer has no object 'StatusSNS.ENERGY'")
    total = energy.get("Total")
    if isinstance(total, int | float) and not isinstance(total, bool):
        total *= _WH_PER_KWH
    return reading.of(json_path.at(energy, "Power"), total, energy.get("Voltage"))
