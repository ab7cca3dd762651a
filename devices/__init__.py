"""Boards: one profile per TOML file here, and this host, which is detected and called `local`.

    names()                     the profiles
    load(name)                  one of them, also by alias
    match(identity)             the profile of a machine that was identified, if there is one
    resolve(name, identity)     the device a command means, if the identified machine is it

A board is added by adding a file; `devices/schema.py` documents its keys.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from devices.schema import Cluster, Device
from harness.errors import UsageError, unknown

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_FOLDER = Path(__file__).parent
LOCAL = "local"


def names() -> tuple[str, ...]:
    """Return the names of all profiles, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


@cache
def load(name: str) -> Device:
    """Return the profile with this name or alias; UsageError names the nearest."""
    if name in names():
        return read(_FOLDER / f"{name}.toml")
    aliases = {alias: own for own in names() for alias in read(_FOLDER / f"{own}.toml").aliases}
    if name not in aliases:
        raise unknown("device", name, [LOCAL, *names(), *aliases])
    return load(aliases[name])


def read(path: Path) -> Device:
    """Return the profile in a TOML file; UsageError names the file and the key that is wrong."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the device profile {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    try:
        device = msgspec.convert(table, Device)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{path}: {_key_of(error)}", "see devices/schema.py for the keys"
        ) from error
    if device.name != path.stem:
        raise UsageError(
            f"{path}: 'name' is {device.name!r}", f"name it {path.stem!r}, like its file"
        )
    return device


def _key_of(error: msgspec.ValidationError) -> str:
    """Say which key is wrong: msgspec gives "Object contains unknown field `x` - at `$.power`"."""
    message, _, where = str(error).partition(" - at `$")
    parent = where.rstrip("`").lstrip(".")
    field = re.search(r"(unknown|missing required) field `([^`]*)`", message)
    if field:
        key = f"{parent}.{field.group(2)}" if parent else field.group(2)
        return f"{'unknown' if field.group(1) == 'unknown' else 'missing'} key {key!r}"
    return f"key {parent!r}: {message[:1].lower()}{message[1:]}"


def match(identity: Mapping[str, Any]) -> Device | None:
    """Return the profile of an identified machine: SoC or CPU first, board second."""
    board = identity.get("board") or {}
    for name in names():
        device = load(name)
        if _same_processor(device, identity, board) and _same_board(device, board):
            return device
    return None


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
    if match(identity) != device:
        raise not_this_board(device, identity)
    return device


def not_this_board(device: Device, identity: Mapping[str, Any]) -> UsageError:
    """Build the error for a board that was asked for on a machine that is another."""
    return UsageError(
        f"this host is not a {device.title}: it is {describe_host(identity)}",
        f"run the same command on the board itself (it needs python3 >= 3.10), or measure this host"
        f" with DEVICE={LOCAL} (boardmark run --device {LOCAL})",
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
