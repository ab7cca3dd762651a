"""Any meter that answers a GET with JSON: the lab file says where in it the figures stand."""

from __future__ import annotations

from devices.lab import Meter
from harness.transport.meters import fetch, json_path, reading


def read(meter: Meter) -> reading.Reading:
    """Return the power at the meter's `power_path` and the counter at its `energy_path`, if any."""
    answer = fetch.answer(meter.url)
    counter = json_path.at(answer, meter.energy_path) if meter.energy_path else None
    return reading.of(json_path.at(answer, meter.power_path or ""), counter)
