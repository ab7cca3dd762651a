"""What a board leaves to a model: its memory less what its system takes, and its cores."""

from __future__ import annotations

import msgspec

from devices.schema import Device
from harness.errors import UsageError
from harness.units import show

# Nobody measured it on most boards: a system without a desktop, firmware and graphics memory.
_SYSTEM_BYTES = 400e6
_SYSTEM_SHARE = 0.1


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes for a model's processes on `board`; `assumed` unless they were measured there."""

    board: str
    title: str
    ram_bytes: int
    budget_bytes: int
    assumed: bool
    source: str
    cores: int


def of(device: Device) -> Budget:
    """Return the budget of a board; UsageError where its profile tells no memory or no cores."""
    if device.ram_bytes is None or not device.clusters:
        raise UsageError(
            f"the profile {device.name!r} tells no {'cores' if device.ram_bytes else 'memory'}",
            "add ram_bytes and clusters to it: what is not known cannot be limited",
        )
    usable, ram = device.usable_bytes, device.ram_bytes
    system = max(_SYSTEM_BYTES, _SYSTEM_SHARE * ram)
    if usable is not None:
        source = f"{show(usable, 'bytes')} of {show(ram, 'bytes')}, as measured on the board"
    else:
        source = (
            f"{show(ram, 'bytes')} less {show(system, 'bytes')} for its system: an assumption, not"
            " a measurement"
        )
    return Budget(
        board=device.name,
        title=device.title,
        ram_bytes=ram,
        budget_bytes=int(ram - system) if usable is None else usable,
        assumed=usable is None,
        source=source,
        cores=sum(len(cluster.ids) for cluster in device.clusters),
    )
