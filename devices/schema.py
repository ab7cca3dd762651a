"""A board's profile: what is known about it before it is reached, in one strict schema.

Units are in the names (base units). An unknown key is an error. What is not known is left out and
None; what no source confirms is named in a note with `confirmed = false` and shown as such.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Positive = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(gt=0)]
CoreId = Annotated[int, msgspec.Meta(ge=0)]
Word = Annotated[str, msgspec.Meta(min_length=1)]
Version = Annotated[str, msgspec.Meta(pattern=r"^[0-9]+(\.[0-9]+)+\Z")]
# A word of the command line: no option, nothing a shell or a file name reads differently.
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]*\Z")]


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

    core: Word
    ids: tuple[CoreId, ...]
    max_hz: Positive | None = None


class Cache(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One level of cache; `shared` says by whom: "core", "cluster" or "all"."""

    level: Annotated[int, msgspec.Meta(ge=1, le=4)]
    kind: Literal["instruction", "data", "unified"]
    size_bytes: Count
    shared: Literal["core", "cluster", "all"]
    core: str | None = None


class Peak(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A theoretical peak, in operations per second, with the formula and clock it comes from."""

    unit: str
    precision: Literal["fp32", "fp16", "int8"]
    per_s: Positive
    formula: Word


class PowerMode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named mode of the vendor's power tool and what it caps; its watts are a name only."""

    name: str
    id: CoreId | None = None
    named_w: Positive | None = None
    cores: Count | None = None
    max_hz: Positive | None = None


class Power(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where power can be measured: the probe or "external", the rails, which are the total.

    `scope` is what the total sees; it is an estimate where `total_is_estimate`. `idle_w` and
    `load_w` are typical figures for planning, never shown as measurements.
    """

    probe: Literal["ina3221", "rapl", "hwmon", "pmic", "external"]
    scope: Literal["package", "module", "board"]
    rails: tuple[Word, ...] = ()
    total: tuple[Word, ...] = ()
    total_is_estimate: bool = False
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


class Emulation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which QEMU user-mode emulator plays the board's processor, and as which CPU model.

    `cpu` is a name of `qemu-<arch> -cpu help`. It has no instruction that the board lacks; what it
    lacks itself is said in a note.
    """

    arch: Literal["aarch64", "x86_64"]
    cpu: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*\Z")]


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
    """A board: what it is, what it can do at most, how to recognise it, what runs on it.

    `ram_bytes` is what is soldered on; `usable_bytes` what a process was seen to get of it, None
    where nobody has measured that. `os`, `glibc` and `python` are those the board usually runs.
    """

    name: Name
    title: Word
    aliases: tuple[Name, ...] = ()
    soc: str | None = None
    arch: str | None = None
    identity: Identity = Identity()
    clusters: tuple[Cluster, ...] = ()
    isa: tuple[str, ...] = ()
    caches: tuple[Cache, ...] = ()
    ram_bytes: Count | None = None
    usable_bytes: Count | None = None
    bandwidth_bytes_per_s: Positive | None = None
    bandwidth_formula: Word | None = None
    peaks: tuple[Peak, ...] = ()
    power_modes: tuple[PowerMode, ...] = ()
    power: Power | None = None
    thermal: Thermal = Thermal()
    emulation: Emulation | None = None
    os: str | None = None
    glibc: Version | None = None
    python: Version | None = None
    wheels: tuple[Wheel, ...] = ()
    documented: tuple[Documented, ...] = ()
    notes: tuple[Note, ...] = ()
