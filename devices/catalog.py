"""The profiles there are: those that are shipped, and those a user keeps in a folder of their own.

The user's folder is $BOARDMARK_DEVICES, else `devices` in the user's configuration folder. What it
holds is added: a name or alias that is taken already is an error, so that no file changes what a
known name means.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from devices.document import Document
from devices.schema import Device
from harness import places
from harness.errors import unknown

_SHIPPED = Path(__file__).parent
_HELP = "see devices/schema.py for the keys"
# This host, detected: no profile can be called that.
LOCAL = "local"


def names() -> tuple[str, ...]:
    """Return the names of all profiles, sorted."""
    return tuple(sorted(profiles()))


def words() -> tuple[str, ...]:
    """Return every word that means a profile, names and aliases, sorted."""
    known = profiles()
    return tuple(sorted({*known, *(word for device in known.values() for word in device.aliases)}))


def load(name: str) -> Device:
    """Return the profile with this name or alias; UsageError names the nearest."""
    known = profiles()
    if name in known:
        return known[name]
    aliases = {alias: device for device in known.values() for alias in device.aliases}
    if name not in aliases:
        raise unknown("device", name, [LOCAL, *words()])
    return aliases[name]


def user_folder() -> Path:
    """Return where a user's own profiles lie; it need not exist."""
    named = os.environ.get("BOARDMARK_DEVICES")
    return Path(named) if named else places.configuration() / "devices"


def profiles() -> dict[str, Device]:
    """Return all profiles by name, the user's first: their own board is the more particular one."""
    return _profiles(user_folder().absolute())


@cache
def _profiles(folder: Path) -> dict[str, Device]:
    shipped, own = dict(_in(_SHIPPED)), dict(_in(folder))
    taken = {LOCAL: "this host"}
    for path, device in (*shipped.items(), *own.items()):
        for key, word in (("name", device.name), *(("aliases", word) for word in device.aliases)):
            if word in taken:
                raise Document(path, "device profile").wrong(
                    (key,), f"key {key!r}: {word!r} already means {taken[word]}", "choose another"
                )
            taken[word] = device.title
    return {device.name: device for device in (*own.values(), *shipped.values())}


def _in(folder: Path) -> Iterator[tuple[Path, Device]]:
    for path in sorted(folder.glob("*.toml")):
        if not path.name.startswith("."):  # what editors and file systems leave beside a file
            yield path, read(path)


def read(path: Path) -> Device:
    """Return the profile in a TOML file; UsageError names the file, the line and the key."""
    document = Document(path, "device profile")
    device = document.record(Device, advice=_HELP)
    if device.name != path.stem:
        raise document.wrong(
            ("name",), f"'name' is {device.name!r}", f"name it {path.stem!r}, like its file"
        )
    return device


def origin(device: Device) -> str:
    """Tell where a profile comes from: "shipped" or "user"."""
    return "shipped" if (_SHIPPED / f"{device.name}.toml").is_file() else "user"
