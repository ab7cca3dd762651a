"""A board's profile: what is known about it before it is reached, in one strict schema.

Units are in the names (base units). An unknown key is an error. What is not known is left out and
None; what no source confirms is named in a note with `confirmed = false` and shown as such.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Identity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the board is recognised: the SoC (or the CPU) first, the board second.

    `soc` are device-tree SoC names (the part after the comma), `cpu_model` parts of the CPU's name
    where there is no device tree. `compatible` are exact device-tree strings, `dt_model` beginnings
    of the model string, `dmi_product` parts of the DMI product name; all three empty: the processor
    suffices.
    """

    soc: tuple[str, ...] = ()
    cpu_model: tuple[str, ...] = ()
    compatible: tuple[str, ...] = ()
    dt_model: tuple[str, ...] = ()
    dmi_product: tuple[str, ...] = ()


class Cluster(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cores of one kind: their name, Linux ids and highest clock."""

    core: str
    ids: tuple[int, ...]
    max_hz: float | None = None


class Cache(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One level of cache; `shared` says by whom: "core", "cluster" or "all"."""

    level: int
    kind: Literal["instruction", "data", "unified"]
    size_bytes: int
    shared: Literal["core", "cluster", "all"]
    core: str | None = None


class Peak(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A theoretical peak, in operations per second, with the formula and clock it comes from."""

    unit: str
    precision: Literal["fp32", "fp16", "int8"]
    per_s: float
    formula: str


class PowerMode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named mode of the vendor's power tool and what it caps; its watts are a name only."""

    name: str
    id: int | None = None
    named_w: float | None = None
    cores: int | None = None
    max_hz: float | None = None


class Power(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where power can be measured: the probe or "external", the rails, which are the total.

    `idle_w` and `load_w` are typical figures for planning, never shown as measurements.
    """

    probe: Literal["ina3221", "rapl", "hwmon", "external"]
    scope: Literal["package", "module", "board"]
    rails: tuple[str, ...] = ()
    total: tuple[str, ...] = ()
    idle_w: tuple[float, float] | None = None
    load_w: tuple[float, float] | None = None


class Thermal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which thermal zones to use and to ignore, where throttling starts, where it leaves traces."""

    use: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    throttle_c: float | None = None
    throttle_sources: tuple[str, ...] = ()


class Wheel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A runtime that pip finds for the board's usual Python: newest version seen there."""

    backend: str
    version: str
    package: str


class Documented(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A figure the source documents give for this board, exactly as given; `table` is N2 or G1."""

    table: str
    quantity: str
    value: float | str
    unit: str = ""


class Note(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a reader must know about one key of the profile, and whether a source confirms it."""

    about: str
    text: str
    confirmed: bool = True


class Device(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A board: what it is, what it can do at most, how to recognise it, what runs on it."""

    name: str
    title: str
    aliases: tuple[str, ...] = ()
    soc: str | None = None
    arch: str | None = None
    identity: Identity = Identity()
    clusters: tuple[Cluster, ...] = ()
    isa: tuple[str, ...] = ()
    caches: tuple[Cache, ...] = ()
    ram_bytes: int | None = None
    bandwidth_bytes_per_s: float | None = None
    bandwidth_formula: str | None = None
    peaks: tuple[Peak, ...] = ()
    power_modes: tuple[PowerMode, ...] = ()
    power: Power | None = None
    thermal: Thermal = Thermal()
    os: str | None = None
    python: str | None = None
    wheels: tuple[Wheel, ...] = ()
    documented: tuple[Documented, ...] = ()
    notes: tuple[Note, ...] = ()
