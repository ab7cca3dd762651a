"""The rows of `environments`: the device that a session ran on, as it was identified before it."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.types import Json, digest
from results import measured

_TEXTS = ("board", "soc", "cpu_model", "arch", "os", "kernel", "l4t", "jetpack", "python")
# What differs from one session of the same machine to the next says nothing of the machine.
_MOMENTARY = ("available_bytes", "swap_used_bytes", "load_1m", "on_battery", "throttled")


def row(session_id: str, found: Json) -> Json:
    """Return the row of the environment `found` of a session; what nobody could read is null."""
    columns: Json = {name: measured.text(found, name) for name in _TEXTS}
    for name in ("cpu_count", "ram_bytes"):
        columns[name] = measured.whole(found, name)
    return {
        "session_id": session_id,
        "environment_digest": identity(found),
        **columns,
        "governors": _texts(found.get("governors")),
        "hypervisor": _truth(found.get("hypervisor")),
        "environment_json": msgspec.json.encode(found).decode(),
    }


def identity(environment: Json) -> str | None:
    """Return 16 hex digits that two sessions share if their device was set up the same way.

    Free memory, load, power supply and throttling at that moment do not count. None where the
    device was not identified.
    """
    lasting = {name: value for name, value in environment.items() if name not in _MOMENTARY}
    return digest(lasting) if lasting else None


def _texts(value: Any) -> list[str] | None:
    """Return a list of names, or None where it is not known."""
    return [str(name) for name in value] if isinstance(value, list) and value else None


def _truth(value: Any) -> bool | None:
    """Return a yes or no, or None where it is not known."""
    return value if isinstance(value, bool) else None
