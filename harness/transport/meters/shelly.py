"""Shelly plugs and relays of the second generation on: their RPC over HTTP."""

from __future__ import annotations

from devices.lab import Meter
from harness.transport.meters import fetch, json_path, reading


def read(meter: Meter) -> reading.Reading:
    """Return the power, the energy counter and the voltage of the meter's channel."""
    url = fetch.page(meter.url, "/rpc/Switch.GetStatus", {"id": str(meter.channel)})
    status = fetch.answer(url)
    counter = json_path.at(status, "aenergy.total") if _has_counter(status) else None
    voltage = status.get("voltage") if isinstance(status, dict) else None
    return reading.of(json_path.at(status, "apower"), counter, voltage)


def _has_counter(status: object) -> bool:
    """Tell whether this model counts energy: some only switch and show the power."""
    return isinstance(status, dict) and status.get("aenergy") is not None
