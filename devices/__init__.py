"""Boards: one profile per TOML file here, and this host, which is detected and called `local`.

    names()                     the profiles, a user's own among them
    load(name)                  one of them, also by alias
    match(identity)             the profile of a machine that was identified, if there is one
    resolve(name, identity)     the device a command means, if the identified machine is it

A board is added by adding a file, here or in the user's folder (`devices/catalog.py`);
`devices/schema.py` documents its keys. `devices/lab.py` reads where boards are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from devices.catalog import LOCAL, load, names, origin, profiles, read, words
from devices.schema import Cluster, Device
from harness.errors import UsageError

__all__ = [
    "LOCAL",
    "describe_host",
    "fits",
    "load",
    "local",
    "match",
    "names",
    "not_this_board",
    "origin",
    "read",
    "resolve",
    "words",
]


def match(identity: Mapping[str, Any]) -> Device | None:
    """Return the profile of an identified machine; a user's own goes before a shipped one."""
    return next((device for device in profiles().values() if fits(device, identity)), None)


def fits(device: Device, identity: Mapping[str, Any]) -> bool:
    """Tell whether the identified machine is this board: SoC or CPU first, board second."""
    board = identity.get("board") or {}
    return _same_processor(device, identity, board) and _same_board(device, board)


def _same_processor(device: Device, identity: Mapping[str, Any], board: Mapping[str, Any]) -> bool:
    chips = {word.rpartition(",")[2] for word in board.get("compatible") or ()}
    chips.add(identity.get("soc") or "")
    cpu = identity.get("cpu_model") or ""
    by_name = any(part in cpu for part in device.identity.cpu_model)
    return by_name or not chips.isdisjoint(device.identity.soc)


def _same_board(device: Device, board: Mapping[str, Any]) -> bool:
    wanted = device.identity
    if not (wanted.compatible or wanted.dt_model or wanted.dmi_product):
        return True
    model, product = board.get("dt_model") or "", board.get("dmi_product") or ""
    return (
        not set(wanted.compatible).isdisjoint(board.get("compatible") or ())
        or any(model.startswith(start) for start in wanted.dt_model)
        or any(part in product for part in wanted.dmi_product)
    )


def local(identity: Mapping[str, Any]) -> Device:
    """Return this host as a device: its profile, or one made of what was detected.

    The name of a host without a profile is made of its board's or its processor's model, so that it
    stays the same when clocks, kernels or addresses change.
    """
    known = match(identity)
    if known:
        return known
    board = identity.get("board") or {}
    title = board.get("dt_model") or identity.get("cpu_model") or "unknown machine"
    return Device(
        name=_slug(title),
        title=title,
        soc=identity.get("soc"),
        arch=identity.get("arch"),
        clusters=tuple(
            Cluster(core=row["core"], ids=tuple(row["ids"]), max_hz=row["max_hz"])
            for row in identity.get("clusters") or ()
            if row["core"]
        ),
        isa=tuple(identity.get("isa") or ()),
        ram_bytes=identity.get("ram_bytes"),
        os=identity.get("os"),
        python=identity.get("python"),
    )


def _slug(title: str) -> str:
    """Return a name for files and tables: "Intel(R) Xeon(R) CPU @ 2.20GHz" gives intel-xeon."""
    plain = re.sub(r"\((R|TM|tm)\)|@.*|\bCPU\b|\bProcessor\b|\bRev [\d.]+", " ", title)
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-") or "unknown"


def resolve(name: str, identity: Mapping[str, Any]) -> Device:
    """Return the device that `name` means on the identified machine.

    `local` is whatever this is; a profile's name must be what this is. UsageError otherwise.
    """
    if name in (LOCAL, local(identity).name):
        return local(identity)
    device = load(name)
    if not fits(device, identity):
        raise not_this_board(device, identity)
    return device


def not_this_board(device: Device, identity: Mapping[str, Any]) -> UsageError:
    """Build the error for a board that was asked for on a machine that is another."""
    return UsageError(
        f"this host is not a {device.title}: it is {describe_host(identity)}",
        f"run the same command on the board itself (it needs python3 >= 3.10), write in a lab file"
        f" where it is (docs/boards.md), or measure this host with DEVICE={LOCAL} (boardmark run"
        f" --device {LOCAL})",
    )


def describe_host(identity: Mapping[str, Any]) -> str:
    """Return what a machine is in one phrase: "AMD EPYC, 2 cores, 25.3 GB RAM"."""
    board = identity.get("board") or {}
    count, ram = identity.get("cpu_count"), identity.get("ram_bytes")
    parts = (
        board.get("dt_model"),
        identity.get("cpu_model") or "a processor without a name",
        f"{count} core{'s' if count != 1 else ''}" if count else None,
        f"{ram / 1e9:.1f} GB RAM" if ram else None,
    )
    return ", ".join(part for part in parts if part)
