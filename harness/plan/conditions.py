"""What of a machine's state now would disturb a measurement, and the command that fixes each.

Pure: the identity comes in as an argument, and nothing here reads or prints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from harness.types import Json
from harness.units import show

# A machine that only waits for us has less than this many tasks ready to run.
_BUSY_LOAD = 0.5
# Less free memory than this share, and a model's own may be pushed out or end something.
_FREE_SHARE = 0.1
_GOVERNORS = "/sys/devices/system/cpu/cpufreq/policy*/scaling_governor"
_PI_WORDS = {
    "under_voltage": "the supply's voltage is too low",
    "frequency_capped": "the clock is capped",
    "throttled": "the clock is throttled",
    "soft_temperature_limit": "the soft temperature limit is reached",
}
_PI_FIX = "use the board's own power supply and a short cable; for heat, fit a heat sink or a fan"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing about a machine: works, costs precision, cannot be measured, worth knowing.

    `fix` is the command or the step that would change it, None where none would.
    """

    topic: str
    level: Literal["ok", "warn", "missing", "info"]
    text: str
    fix: str | None = None


def _clock(identity: Json) -> Iterator[Finding]:
    governors = identity["governors"]
    if not governors:
        reason = identity["unknown"].get("governors", "not known")
        yield Finding(topic="clock", level="missing", text=reason)
        return
    if governors == ["performance"]:
        yield Finding(topic="clock", level="ok", text="governor performance")
    else:
        yield Finding(
            topic="clock",
            level="warn",
            text=f"governor {', '.join(governors)}: the clock rises and falls with the load",
            fix=f"echo performance | sudo tee {_GOVERNORS}",
        )
    capped = [row for row in identity["cores"] if (row["limit_hz"] or 0) < (row["max_hz"] or 0)]
    if capped:
        low, full = capped[0]["limit_hz"] / 1e6, capped[0]["max_hz"] / 1e6
        text = f"core {capped[0]['id']} is limited to {low:.0f} of {full:.0f} MHz"
        fix = "sudo nvpmodel -m 0, then sudo jetson_clocks" if identity["l4t"] else None
        yield Finding(topic="clock", level="warn", text=text, fix=fix)


def _turbo(identity: Json) -> Iterator[Finding]:
    if identity["turbo"] is None:
        return
    if identity["turbo"]:
        text = "on: speed depends on temperature and on how many cores work"
        yield Finding(topic="turbo", level="warn", text=text, fix=identity["turbo_off"])
    else:
        yield Finding(topic="turbo", level="ok", text="off")


def _threads(identity: Json) -> Iterator[Finding]:
    if identity["smt"]:
        yield Finding(
            topic="threads per core",
            level="warn",
            text="two threads share a core, so one slows the other",
            fix="echo off | sudo tee /sys/devices/system/cpu/smt/control",
        )


def _isolation(identity: Json) -> Iterator[Finding]:
    isolated = identity["isolated"]
    text = f"isolated: {', '.join(map(str, isolated))}" if isolated else "no core is set aside"
    fix = "boardmark run --cores pins the runs; the boot parameter isolcpus= keeps others away"
    yield Finding(topic="isolation", level="info", text=text, fix=None if isolated else fix)


def _load(identity: Json) -> Iterator[Finding]:
    load = identity["load_1m"]
    if load is None:
        return
    busy = load >= _BUSY_LOAD
    text = f"{load:.2f} tasks were ready to run over the last minute"
    fix = "stop what else runs (top shows it) or wait until it is done"
    yield Finding(
        topic="load", level="warn" if busy else "ok", text=text, fix=fix if busy else None
    )


def _free_memory(identity: Json) -> Iterator[Finding]:
    total, free = identity["ram_bytes"], identity["available_bytes"]
    if total is None or free is None:
        return
    little = free < _FREE_SHARE * total
    yield Finding(
        topic="free memory",
        level="warn" if little else "ok",
        text=f"{show(free, 'bytes')} of {show(total, 'bytes')}",
        fix="stop what else runs (top shows it, M sorts by memory)" if little else None,
    )


def _swap(identity: Json) -> Iterator[Finding]:
    swap, used = identity["swap_bytes"], identity.get("swap_used_bytes")
    if swap == 0:
        yield Finding(topic="swap", level="ok", text="none: what does not fit fails")
    elif swap and used:
        text = f"{show(used, 'bytes')} of {show(swap, 'bytes')} are in use: reading them back"
        text += " takes time from what is measured"
        yield Finding(topic="swap", level="warn", text=text, fix="sudo swapoff -a")
    elif swap:
        text = f"{show(swap, 'bytes')}: a model that does not fit slows down instead of failing"
        yield Finding(topic="swap", level="info", text=text, fix="sudo swapoff -a")


def _supply(identity: Json) -> Iterator[Finding]:
    battery, pi = identity.get("on_battery"), identity.get("throttled")
    if battery:
        text = "on battery: the machine may lower its clocks to save power"
        yield Finding(topic="supply", level="warn", text=text, fix="plug in the power adapter")
    elif battery is False:
        yield Finding(topic="supply", level="ok", text="mains")
    if pi and pi["now"]:
        text = "now " + ", ".join(_PI_WORDS[name] for name in pi["now"])
        yield Finding(topic="supply", level="warn", text=text, fix=_PI_FIX)
    elif pi and pi["remembered"]:
        names = ", ".join(_PI_WORDS[name] for name in pi["remembered"])
        text = f"since power came on it happened that {names}"
        yield Finding(topic="supply", level="warn", text=text, fix=_PI_FIX)
    elif pi:
        yield Finding(
            topic="supply", level="ok", text="the firmware saw no low voltage and no limit"
        )


CONDITIONS: tuple[Callable[[Json], Iterator[Finding]], ...] = (
    _clock,
    _turbo,
    _threads,
    _isolation,
    _load,
    _free_memory,
    _swap,
    _supply,
)
