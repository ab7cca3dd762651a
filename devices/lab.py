"""The lab file: which boards can be reached, how, and what measures their power.

    find()      the lab file that is used unless a command names one, if there is one
    load(path)  its boards, every field checked against what it may hold

`lab.example.toml` shows the keys. Nothing that is read here can smuggle an option or a shell
command into what it is used for: see `devices/address.py`.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

import backends
import devices
from devices import address
from devices.document import Document, Key
from harness import places
from harness.errors import UsageError, unknown

V = TypeVar("V")
FILE = "lab.toml"
_HELP = "lab.example.toml shows every key"
_KEY = r"[A-Za-z0-9_][A-Za-z0-9_:-]{0,63}"
_JSON_PATH = re.compile(rf"{_KEY}(\[\d{{1,4}}\]|\.{_KEY}){{0,16}}")
# 1 PB: what is larger is a slip of the unit.
_LARGEST_CACHE_GB = 1e6


# Scope of a meter -> seconds of work and of rest that one measurement takes at least. At the wall
# one reads once a second and lags behind: a minute, as the rules of power benchmarks have it.
PASS_S = {"wall": (60.0, 20.0), "board": (12.0, 12.0)}


class Meter(msgspec.Struct, frozen=True, kw_only=True):
    """A power meter that the desk reads every `period_s`; `scope` is what it sees of the supply.

    `power_path` and `energy_path` say where in a JSON answer the watts and a counter of watt hours
    stand, like a.b[0].power.
    """

    kind: Literal["shelly", "tasmota", "http-json"]
    url: str
    channel: int = 0
    power_path: str | None = None
    energy_path: str | None = None
    period_s: float = 1.0
    scope: Literal["wall", "board"] = "wall"


class Reachable(msgspec.Struct, frozen=True, kw_only=True):
    """A board and the way to it.

    `address` is [user@]host[:port]; `python` runs the agent and every runtime that `interpreters`
    ({backend: path}) does not name. `profile` is the name of the profile it must turn out to be,
    None: whatever it is. `cache_limit_bytes` is what its cache may take, None: the usual.
    """

    name: str
    address: str
    python: str = "python3"
    profile: str | None = None
    ssh_config: Path | None = None
    cache_limit_bytes: int | None = None
    interpreters: dict[str, str] = {}
    meter: Meter | None = None


class Lab(msgspec.Struct, frozen=True, kw_only=True):
    """The boards of one lab file, by name, in the file's order."""

    path: Path
    boards: dict[str, Reachable]


class _Meter(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    kind: Literal["shelly", "tasmota", "http-json"]
    url: str
    channel: int | None = None
    power_path: str | None = None
    energy_path: str | None = None
    period_s: float = 1.0
    scope: Literal["wall", "board"] = "wall"


class _Board(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    address: str
    python: str = "python3"
    profile: str | None = None
    ssh_config: str | None = None
    cache_limit_gb: float | None = None
    interpreters: dict[str, Any] = {}
    meter: _Meter | None = None


class _File(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    boards: dict[str, Any] = {}


def find() -> Path | None:
    """Return the lab file to use: $BOARDMARK_LAB, else the first of three places that has one.

    These are the current folder, the checkout and the user's configuration folder. What the
    variable names is returned whether it exists or not: `load` says what is wrong with it.
    """
    named = os.environ.get("BOARDMARK_LAB")
    if named:
        return Path(named)
    root = places.checkout()
    folders = (Path(), *((root,) if root else ()), places.configuration())
    return next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)


def load(path: Path) -> Lab:
    """Return the boards of a lab file; UsageError names the file, the line and the key."""
    document = Document(path, "lab file")
    file = document.record(_File, advice=_HELP)
    return Lab(path=path, boards={name: _board(document, name) for name in file.boards})


def _board(document: Document, name: str) -> Reachable:
    at = ("boards", name)
    _checked(document, at, address.name, name)
    if name == devices.LOCAL:
        raise document.wrong(at, f"{name!r} is this host's own name", "give the board another one")
    board = document.record(_Board, at, _HELP)

    def read(key: str, reader: Callable[[Any], V]) -> V | None:
        value = getattr(board, key)
        return None if value is None else _checked(document, (*at, key), reader, value)

    return Reachable(
        name=name,
        address=str(read("address", address.parse)),
        python=read("python", address.path) or board.python,
        profile=read("profile", _profile),
        ssh_config=read("ssh_config", lambda text: _ssh_config(document.path.parent, text)),
        cache_limit_bytes=read("cache_limit_gb", _cache_limit_bytes),
        interpreters=_interpreters(document, (*at, "interpreters"), board.interpreters),
        meter=_meter(document, (*at, "meter"), board.meter) if board.meter else None,
    )


def _checked(document: Document, key: tuple[Key, ...], read: Callable[[Any], V], value: Any) -> V:
    """Return the value as `read` understands it, or raise its complaint with file and line."""
    try:
        return read(value)
    except UsageError as error:
        raise document.value(key, error) from error


def _profile(word: str) -> str:
    return devices.load(word).name


def _ssh_config(folder: Path, text: str) -> Path:
    """Return the file, relative to the lab file's folder; `~` is the home folder of the desk."""
    plain = text
    if text.startswith("~/"):
        folder, plain = Path.home(), text[2:]
    file = (folder / address.path(plain)).absolute()
    if not file.is_file():
        raise UsageError(f"there is no file {str(file)!r}", "correct or remove it")
    return file


def _cache_limit_bytes(size_gb: float) -> int:
    if not (math.isfinite(size_gb) and 0 < size_gb <= _LARGEST_CACHE_GB):
        raise UsageError(f"{size_gb} is no size in GB", "write it like 2.0")
    return int(size_gb * 1e9)


def _interpreters(
    document: Document, at: tuple[Key, ...], table: Mapping[str, Any]
) -> dict[str, str]:
    for backend, path in table.items():
        key = (*at, backend)
        if backend not in backends.TABLE:
            raise document.value(key, unknown("runtime", backend, backends.TABLE))
        if not isinstance(path, str):
            raise document.value(key, UsageError(f"not a path: {path!r}", _HELP))
        _checked(document, key, address.path, path)
    return dict(table)


def _meter(document: Document, at: tuple[Key, ...], meter: _Meter) -> Meter:
    checks: tuple[tuple[str, str | None, Callable[[Any], object]], ...] = (
        ("url", None, address.url),
        ("channel", "shelly", _channel),
        ("power_path", "http-json", _json_path),
        ("energy_path", "http-json", _json_path),
        ("period_s", None, _period_s),
    )
    for key, kind, read in checks:
        value = getattr(meter, key)
        if value is not None:
            _only_for(document, (*at, key), meter.kind, kind or meter.kind)
            _checked(document, (*at, key), read, value)
    if meter.kind == "http-json" and meter.power_path is None:
        raise document.wrong(
            (*at, "power_path"),
            "an http-json meter needs the key 'power_path'",
            "write where the watts stand in its answer, like a.b[0].power",
        )
    return Meter(
        kind=meter.kind,
        url=meter.url,
        channel=meter.channel or 0,
        power_path=meter.power_path,
        energy_path=meter.energy_path,
        period_s=meter.period_s,
        scope=meter.scope,
    )


def _only_for(document: Document, key: tuple[Key, ...], kind: str, wanted: str) -> None:
    if kind != wanted:
        error = UsageError(f"only a meter of the kind {wanted!r} has it", "remove it")
        raise document.value(key, error)


def _channel(number: int) -> int:
    if not 0 <= number <= 255:
        raise UsageError(f"{number} is no channel", "the first one is 0")
    return number


def _period_s(period_s: float) -> float:
    if not 0.1 <= period_s <= 10:
        raise UsageError(f"{period_s} is no time between two reads", "from 0.1 to 10 seconds")
    return period_s


def _json_path(text: str) -> str:
    if not _JSON_PATH.fullmatch(text):
        raise UsageError(f"{text[:80]!a} is no path to a number", "write it like a.b[0].power")
    return text
