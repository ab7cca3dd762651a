"""What a machine can measure, what not, and what would fix it: from its identity to findings.

Pure: everything that is known comes in as an argument, and nothing here reads or prints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import msgspec

import devices
from harness.plan.cases import Runtime
from harness.plan.conditions import CONDITIONS, Finding
from harness.types import Json
from harness.units import show

# Below this, a session's raw samples and built models may not fit.
_LITTLE_SPACE_BYTES = 2e9
_METER = "put a meter into the board's supply or at the wall"


class StoreState(msgspec.Struct, frozen=True, kw_only=True):
    """Where results go: `reason` says why they cannot, None if they can."""

    path: str
    free_bytes: int | None
    reason: str | None = None


def assess(identity: Json, runtimes: Sequence[Runtime], store: StoreState) -> list[Finding]:
    """Return every finding: the machine first, then the runtimes, then the store."""
    found = [finding for check in _CHECKS for finding in check(identity)]
    return [*found, *map(_runtime, runtimes), _store(store)]


def preflight(identity: Json) -> tuple[str, ...]:
    """Return a line for each condition that would disturb a session, with what would fix it."""
    found = [finding for check in CONDITIONS for finding in check(identity)]
    return tuple(
        f"{finding.topic}: {finding.text}" + (f" ({finding.fix})" if finding.fix else "")
        for finding in found
        if finding.level == "warn"
    )


def unwritable_cache(reason: str) -> Finding:
    """Return the finding that the folder of built models and of the agent takes no files."""
    return Finding(
        topic="cache",
        level="missing",
        text=f"{reason}: nothing can be built or measured",
        fix="free some space there, or name another folder in BOARDMARK_CACHE",
    )


def _machine(identity: Json) -> Iterator[Finding]:
    known = devices.match(identity)
    name = f"{known.title}: " if known else ""
    parts = (identity["arch"], identity["os"], identity["kernel"] and f"Linux {identity['kernel']}")
    told = ", ".join(part for part in parts if part)
    text = f"{name}{devices.describe_host(identity)}; {told or 'nothing else is known'}"
    yield Finding(topic="machine", level="info", text=text)
    useful = " ".join(identity["isa"]) or "none that is listed"
    yield Finding(topic="instructions", level="info", text=f"for inference: {useful}")
    if identity["python_bits"] == 32 and identity["arch"] in ("aarch64", "x86_64"):
        yield Finding(
            topic="python",
            level="warn",
            text="a 32-bit python on a 64-bit kernel: most runtimes have no wheel for it",
            fix="install the 64-bit system image",
        )


def _virtual(identity: Json) -> Iterator[Finding]:
    if identity["hypervisor"]:
        yield Finding(
            topic="virtual machine",
            level="warn",
            text="the cores are shared with other guests; clock, heat and power belong to the host",
            fix="compare only cases of one session, and measure the board itself before deciding",
        )


def _cores(identity: Json) -> Iterator[Finding]:
    count, off = identity["cpu_count"], identity["offline"]
    kinds = ", ".join(f"{len(row['ids'])}x {row['core']}" for row in identity["clusters"])
    if count == 1:
        fix = "give the virtual machine a second core" if identity["hypervisor"] else None
        text = "one core: whatever else runs takes time from what is measured"
        yield Finding(topic="cores", level="warn", text=text, fix=fix)
    elif count:
        yield Finding(topic="cores", level="ok", text=f"{count} online ({kinds})")
    if off:
        one = f"echo 1 | sudo tee /sys/devices/system/cpu/cpu{off[0]}/online"
        fix = "sudo nvpmodel -m 0 (the mode with all cores)" if identity["l4t"] else one
        text = f"switched off: {', '.join(map(str, off))}"
        yield Finding(topic="cores", level="warn", text=text, fix=fix)


def _memory(identity: Json) -> Iterator[Finding]:
    method = identity["memory"] or {}
    if method.get("vm_hwm") and method.get("clear_refs"):
        text = "exact peak per phase (VmHWM, reset through /proc/self/clear_refs)"
        yield Finding(topic="memory", level="ok", text=text)
    elif method.get("vm_hwm"):
        text = "peak of a whole run only: /proc/self/clear_refs cannot be written"
        yield Finding(topic="memory", level="warn", text=text)
    else:
        text = identity["unknown"].get("memory", "/proc/self/status names no peak (VmHWM)")
        yield Finding(topic="memory", level="missing", text=text)


def _power(identity: Json) -> Iterator[Finding]:
    power = identity["power"] or {"source": None, "reasons": []}
    source = power["source"]
    if source:
        note = f" ({source['note']})" if source["note"] else ""
        facts = f"{source['name']}, {source['method']}, scope {source['scope']}"
        text = f"{facts}{note}: {source['source']}"
        level: Literal["ok", "warn"] = "warn" if source["method"] == "estimate" else "ok"
        yield Finding(topic="power", level=level, text=text)
        return
    text = "no readable sensor; " + "; ".join(power["reasons"])
    yield Finding(topic="power", level="missing", text=text, fix=_power_fix(identity, text))


def _power_fix(identity: Json, reasons: str) -> str:
    """Return what would make power readable: the permission, the driver, or a meter."""
    if "sudo chmod" in reasons:
        return reasons[reasons.index("sudo chmod") :].split(";", maxsplit=1)[0]
    if identity["hypervisor"]:
        return "measure on the machine itself: a guest is shown no power"
    if identity["arch"] == "x86_64":
        return f"sudo modprobe intel_rapl_msr; if that shows no counter, {_METER}"
    return _METER


def _heat(identity: Json) -> Iterator[Finding]:
    zones = [zone["type"] for zone in identity["thermal_zones"]]
    if zones:
        yield Finding(topic="temperature", level="ok", text=", ".join(zones))
    else:
        reason = identity["unknown"].get("thermal_zones", "no thermal zone")
        text = f"{reason}: throttling by heat cannot be seen here"
        yield Finding(topic="temperature", level="missing", text=text)


def _runtime(runtime: Runtime) -> Finding:
    topic = f"runtime {runtime.backend}"
    if runtime.version is not None:
        return Finding(topic=topic, level="ok", text=runtime.version)
    text, _, fix = (runtime.reason or "not probed").partition("; ")
    return Finding(topic=topic, level="missing", text=text, fix=fix or None)


def _store(store: StoreState) -> Finding:
    if store.reason:
        fix = "name another folder with --store DIR"
        return Finding(topic="results", level="missing", text=store.reason, fix=fix)
    text = f"{store.path} can be written"
    if store.free_bytes is None:
        return Finding(topic="results", level="ok", text=text)
    text += f", {show(store.free_bytes, 'bytes')} free"
    if store.free_bytes < _LITTLE_SPACE_BYTES:
        fix = "free some space, or name another folder with --store DIR"
        return Finding(topic="results", level="warn", text=text, fix=fix)
    return Finding(topic="results", level="ok", text=text)


_CHECKS: tuple[Callable[[Json], Iterator[Finding]], ...] = (
    _machine,
    _virtual,
    _cores,
    *CONDITIONS,
    _memory,
    _power,
    _heat,
)
