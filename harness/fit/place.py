"""Where in the control groups of this host a limited group can be made, or why nowhere.

The order is benchexec's: version 2 where memory is controlled there, else version 1; below the
group that we are in, so that limits which hold for us hold for what we start as well.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from harness.errors import DeviceError

_NEEDS = {
    1: "run it as root",
    2: "run it as root, or as: systemd-run --user --scope -p MemoryAccounting=yes boardmark run …",
}


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The folders in which groups can be made: of version 2 one, of version 1 one per controller.

    `cpuset` is None where cores cannot be limited by a group; affinity then does it.
    """

    version: int
    memory: Path
    cpuset: Path | None


def find(root: Path = Path("/")) -> Place:
    """Return where groups can be made below `root`; DeviceError with what would make it possible.

    Looks only; nothing is written.
    """
    mounts = _mounts(root)
    own = _own(root)
    if "" in mounts and "memory" in _words(mounts[""] / "cgroup.controllers"):
        return _version_2(mounts[""], own.get("", "/"))
    if "memory" in mounts:
        return _version_1(mounts, own)
    raise DeviceError(
        f"this host cannot limit memory: {_off(root)}",
        "add cgroup_enable=memory to the kernel's command line (on Raspberry Pi OS in"
        " /boot/firmware/cmdline.txt) and restart, or use another Linux host",
    )


def _off(root: Path) -> str:
    """Return what is missing: control groups at all, or the one for memory."""
    for line in _text(root / "proc/cgroups").splitlines():
        words = line.split()
        if words[:1] == ["memory"] and words[-1:] == ["0"]:
            return "the kernel's memory controller is switched off"
    return "no control group hierarchy with a memory controller is mounted"


def _version_2(mount: Path, own: str) -> Place:
    """Return the nearest group above us that gives memory to its children, at last the root.

    A group that holds processes itself cannot, so it is never our own.
    """
    group = mount / own.strip("/")
    while True:
        passed_on = _words(group / "cgroup.subtree_control")
        if _may_write(group) and (group == mount or "memory" in passed_on):
            has_cores = "cpuset" in passed_on or group == mount
            return Place(version=2, memory=group, cpuset=group if has_cores else None)
        if group == mount or mount not in group.parents:
            raise _forbidden(2)
        group = group.parent


def _version_1(mounts: dict[str, Path], own: dict[str, str]) -> Place:
    memory = mounts["memory"] / own.get("memory", "/").strip("/")
    if not _may_write(memory):
        raise _forbidden(1)
    cpuset = mounts.get("cpuset")
    if cpuset:
        cpuset = cpuset / own.get("cpuset", "/").strip("/")
    return Place(version=1, memory=memory, cpuset=cpuset if cpuset and _may_write(cpuset) else None)


def _forbidden(version: int) -> DeviceError:
    return DeviceError(
        "this host can limit memory (control groups, version"
        f" {version}), but not for {os.environ.get('USER') or 'this user'}",
        _NEEDS[version],
    )


def _may_write(group: Path) -> bool:
    return os.access(group, os.W_OK) and os.access(group / "cgroup.procs", os.W_OK)


def _mounts(root: Path) -> dict[str, Path]:
    """Return the mount of version 2 under "" and those of version 1 by controller."""
    found: dict[str, Path] = {}
    for line in _text(root / "proc/self/mounts").splitlines():
        words = line.split()
        if len(words) < 4 or words[2] not in ("cgroup", "cgroup2"):
            continue
        path = root / words[1].encode().decode("unicode_escape").lstrip("/")
        for name in words[3].split(",") if words[2] == "cgroup" else ("",):
            found.setdefault(name, path)
    return found


def _own(root: Path) -> dict[str, str]:
    """Return the group we are in by controller, that of version 2 under ""."""
    found = {}
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            found[name] = path
    return found


def _words(path: Path) -> list[str]:
    return _text(path).split()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""  # not there: the same as a file that names nothing


def room(where: Place, root: Path = Path("/")) -> int:
    """Return the bytes that a group may be given at the most: what is free here, less a tenth.

    A limit on a group above it holds as well.
    """
    lines = _text(root / "proc/meminfo").splitlines()
    free = next((int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), 0)
    most = int(0.9 * 1024 * free)
    group = where.memory
    while (group / "cgroup.procs").exists():
        for name in ("memory.max", "memory.limit_in_bytes"):
            word = _text(group / name).strip()
            if word.isdecimal():
                most = min(most, int(word))
        group = group.parent
    return most
