"""The files of /proc, /sys and /etc by which an emulated board shows itself, from its profile.

The runtimes look up cores and features there before they choose kernels; the host's own would make
them choose others than on the board. What a profile does not tell is not there, so that it is
unknown and never the host's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from devices.schema import Cache, Cluster, Device
from harness.agent import midr

_CPU = "sys/devices/system/cpu"
_BASE = {"aarch64": ("fp",), "x86_64": ("fpu", "cx8", "cmov", "mmx", "sse", "sse2", "lm", "ssse3")}
_PACKAGE = ("core_siblings", "package_cpus")
_NUMBERS = {name: numbers for numbers, name in midr.CORES.items()}


def write(device: Device, folder: Path) -> None:
    """Write the files of `device` below the empty `folder`."""
    for name, text in files(device).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def files(device: Device) -> dict[str, str]:
    """Return {path: content} of what the board shows of itself."""
    cores = sorted(core for cluster in device.clusters for core in cluster.ids)
    found = {"proc/cpuinfo": _cpuinfo(device), "proc/version": "emulated\n"}
    for name in ("possible", "present", "online"):
        found[f"{_CPU}/{name}"] = f"{_ranges(cores)}\n"
    for cluster in device.clusters:
        found |= _cluster(cluster, cores)
    for number, cache in enumerate(device.caches):
        found |= _cache(cache, number, device)
    if device.ram_bytes:
        found["proc/meminfo"] = f"MemTotal: {device.ram_bytes // 1024} kB\n"
    return found | _board(device)


def _cpuinfo(device: Device) -> str:
    """Return one block per core; "" where the profile knows no cores."""
    flags = " ".join((*_BASE.get(device.arch or "", ()), *device.isa))
    named = device.identity.cpu_model[:1]
    blocks = []
    for cluster in device.clusters:
        for core in cluster.ids:
            rows = [("processor", str(core))]
            if device.arch == "x86_64":
                rows += [("vendor_id", "GenuineIntel"), ("cpu family", "6")]
                rows += [("model name", name) for name in named]
                rows += [("flags", flags)]
            else:
                rows += [("Features", flags), *_midr(cluster.core)]
            blocks.append((core, "".join(f"{key}\t: {value}\n" for key, value in rows)))
    return "\n".join(text for _, text in sorted(blocks))


def _midr(core: str) -> list[tuple[str, str]]:
    """Return the numbers of a core's main id register, none for a name that is not known."""
    if core not in _NUMBERS:
        return []
    implementer, part = _NUMBERS[core]
    return [
        ("CPU implementer", f"0x{implementer:02x}"),
        ("CPU architecture", "8"),
        ("CPU variant", "0x0"),
        ("CPU part", f"0x{part:03x}"),
        ("CPU revision", "0"),
    ]


def _midr_el1(core: str) -> int:
    """Return a core's main id register, revision 0; 15 says that features tell the architecture."""
    implementer, part = _NUMBERS[core]
    return implementer << 24 | 15 << 16 | part << 4


def _cluster(cluster: Cluster, cores: Sequence[int]) -> dict[str, str]:
    """Return topology, main id register and highest clock of a cluster's cores."""
    found = {}
    for core in cluster.ids:
        topology = {
            "core_id": str(core),
            "physical_package_id": "0",
        }
        # Each set of cores stands there under an older name and a newer one, and as a mask.
        for names, ids in ((("thread_siblings", "core_cpus"), [core]), (_PACKAGE, cores)):
            for name in names:
                topology |= {
                    name: f"{sum(1 << one for one in ids):x}",
                    f"{name}_list": _ranges(ids),
                }
        for name, value in topology.items():
            found[f"{_CPU}/cpu{core}/topology/{name}"] = f"{value}\n"
        if cluster.core in _NUMBERS:
            register = f"{_CPU}/cpu{core}/regs/identification/midr_el1"
            found[register] = f"0x{_midr_el1(cluster.core):016x}\n"
    if cluster.max_hz and cluster.ids:
        policy = f"{_CPU}/cpufreq/policy{min(cluster.ids)}"
        found[f"{policy}/affected_cpus"] = f"{' '.join(map(str, cluster.ids))}\n"
        found[f"{policy}/cpuinfo_max_freq"] = f"{cluster.max_hz / 1000:.0f}\n"
    return found


def _cache(cache: Cache, number: int, device: Device) -> dict[str, str]:
    """Return one cache as each core that has it sees it."""
    found = {}
    cores = [core for cluster in device.clusters for core in cluster.ids]
    for cluster in device.clusters:
        if cache.core not in (None, cluster.core):
            continue
        for core in cluster.ids:
            shared = {"core": [core], "cluster": cluster.ids, "all": cores}[cache.shared]
            index = f"{_CPU}/cpu{core}/cache/index{number}"
            found[f"{index}/level"] = f"{cache.level}\n"
            found[f"{index}/type"] = f"{cache.kind.capitalize()}\n"
            found[f"{index}/size"] = f"{cache.size_bytes // 1024}K\n"
            found[f"{index}/shared_cpu_list"] = f"{_ranges(shared)}\n"
    return found


def _board(device: Device) -> dict[str, str]:
    """Return the strings that the board is recognised by."""
    known = device.identity
    found = {"etc/os-release": f'PRETTY_NAME="{device.os}"\n'} if device.os else {}
    tree = "sys/firmware/devicetree/base"
    vendor = next((word.partition(",")[0] for word in known.compatible), "unknown")
    compatible = [*known.compatible, *(f"{vendor},{chip}" for chip in known.soc)]
    if compatible:
        found[f"{tree}/compatible"] = "".join(f"{word}\0" for word in compatible)
    if known.dt_model:
        found[f"{tree}/model"] = f"{known.dt_model[0]}\0"
    if known.dmi_product:
        found["sys/class/dmi/id/product_name"] = f"{known.dmi_product[0]}\n"
    return found


def _ranges(numbers: Iterable[int]) -> str:
    """Return numbers as the kernel lists them: 0-3,6."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)
