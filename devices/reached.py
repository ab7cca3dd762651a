"""A board of the lab, once it has said what it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from devices import describe_host, fits, load, local
from devices.lab import Reachable
from devices.schema import Device
from harness.errors import DeviceError


def reached(place: Reachable, identity: Mapping[str, Any]) -> Device:
    """Return the device that an identified board of the lab is.

    It bears its profile's name where the lab calls it so too (by name or alias), else the lab's:
    two boards of one kind are two devices, each with a history of its own. DeviceError where it is
    not what the lab file says.
    """
    found = load(place.profile) if place.profile else local(identity)
    if place.profile and not fits(found, identity):
        raise DeviceError(
            f"board {place.name!r} is no {found.title}: it is {describe_host(identity)}",
            "correct its 'profile' or its 'address' in the lab file",
        )
    own = place.name in (found.name, *found.aliases)
    return found if own else msgspec.structs.replace(found, name=place.name)
