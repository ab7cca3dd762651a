"""Which board this is: device tree on Arm, DMI on x86, NVIDIA's release file on a Jetson."""

import os
import re

from harness.agent import cpu, tree
from harness.agent.tree import Unreadable

# exact L4T release -> JetPack; other releases by their major number
_JETPACK = {
    "32.6.1": "4.6", "32.7.1": "4.6.1", "32.7.2": "4.6.2", "32.7.3": "4.6.3", "32.7.4": "4.6.4",
    "32.7.5": "4.6.5", "32.7.6": "4.6.6",
}  # fmt: skip
_JETPACK_MAJOR = {"32": "4", "34": "5", "35": "5", "36": "6", "38": "7", "39": "7"}
_GLIBC = "/lib/*/libc-[0-9]*.so"
_MUSL = "/lib/ld-musl-*.so.1"
_VIRTUAL_VENDORS = ("QEMU", "Bochs", "Xen", "VMware, Inc.", "innotek GmbH")


def board(root):
    """Return dt_model, compatible, dmi_vendor and dmi_product; None where there is none."""
    rows = {
        "dt_model": _first(root, "/proc/device-tree/model", "/sys/firmware/devicetree/base/model"),
        "compatible": compatible(root),
        "dmi_vendor": _first(root, "/sys/class/dmi/id/sys_vendor"),
        "dmi_product": _first(root, "/sys/class/dmi/id/product_name"),
    }
    if not any(rows.values()):
        raise Unreadable("neither /proc/device-tree/model nor /sys/class/dmi/id can be read")
    return rows


def _first(root, *paths):
    for path in paths:
        try:
            return tree.text(root, path) or None
        except Unreadable:
            continue
    return None


def compatible(root):
    """Return the device tree's compatible strings, board first; [] without a device tree."""
    for path in ("/proc/device-tree/compatible", "/sys/firmware/devicetree/base/compatible"):
        try:
            return tree.strings(root, path)
        except Unreadable:
            continue
    return []


def soc(root):
    """Return the SoC: the part after the comma of the last compatible string ("brcm,bcm2711")."""
    words = compatible(root)
    if not words:
        raise Unreadable(
            "no /proc/device-tree/compatible: a machine without one is known by its CPU"
        )
    return words[-1].rpartition(",")[2]


def l4t(root):
    """Return the Jetson Linux release, like R32.6.1."""
    line = tree.text(root, "/etc/nv_tegra_release")
    found = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", line)
    if not found:
        raise Unreadable("/etc/nv_tegra_release does not name a release")
    return "R%s.%s" % found.groups()


def jetpack(root):
    """Return the JetPack version of the L4T release, as exact as it is known."""
    release = l4t(root)[1:]
    version = _JETPACK.get(release) or _JETPACK_MAJOR.get(release.split(".")[0])
    if version is None:
        raise Unreadable("no JetPack version is known for L4T R%s" % release)
    return version


def module(root):
    """Return a Jetson's module, like p3448-0000: the first number in its device tree's file."""
    path = "/proc/device-tree/nvidia,dtsfilename"
    found = re.search(r"p\d{4}-\d{4}", tree.text(root, path).rsplit("/", 1)[-1])
    if not found:
        raise Unreadable(path + " names no module")
    return found.group()


def power_mode(root):
    """Return {"id", "name"} of the mode that nvpmodel set; a name it does not tell is None.

    The modes cap clocks and switch cores off: figures of two modes are of two machines.
    """
    path = "/var/lib/nvpmodel/status"
    found = re.search(r"pmode:(\d+)", tree.text(root, path))
    if not found:
        raise Unreadable(path + " names no mode")
    number = int(found.group(1))
    try:
        modes = tree.text(root, "/etc/nvpmodel.conf")
    except Unreadable:
        modes = ""
    line = r"^\s*<\s*POWER_MODEL\s+ID=%d\s+NAME=(\S+)\s*>" % number
    named = re.search(line, modes, re.MULTILINE)
    return {"id": number, "name": named.group(1) if named else None}


def libc(root):
    """Return the C library, like "glibc 2.27": what wheels are built for.

    It is asked of the running interpreter, below another root read from what is installed there.
    """
    if root == "/":
        try:
            named = os.confstr("CS_GNU_LIBC_VERSION")
        except (ValueError, OSError):  # another C library does not know the name
            named = None
        if named:
            return named
    for path in tree.find(root, _GLIBC):
        found = re.search(r"libc-([\d.]+)\.so$", path)
        if found:
            return "glibc " + found.group(1)
    return "musl" if tree.find(root, _MUSL) else _packaged_glibc(root)


def _packaged_glibc(root):
    """Return the glibc that Debian's package list names: from 2.34 on its file does not."""
    path = "/var/lib/dpkg/status"
    stanza = r"^Package: libc6\n(?:.+\n)*?Version: ([\d.]+)"
    found = re.search(stanza, tree.text(root, path), re.MULTILINE)
    if not found:
        raise Unreadable("neither the C library's file nor %s tells its version" % path)
    return "glibc " + found.group(1)


def hypervisor(root):
    """Tell whether this is a virtual machine: CPUID's flag on x86, device tree or DMI elsewhere."""
    have = cpu.features(root)
    if "lm" in have or "sse2" in have:
        return "hypervisor" in have
    known = board(root)
    if known["dmi_vendor"] in _VIRTUAL_VENDORS or "linux,dummy-virt" in known["compatible"]:
        return True
    if known["compatible"]:
        return False
    raise Unreadable("neither the device tree nor DMI tells whether this is a virtual machine")


def os_name(root):
    """Return the distribution's own name for itself (PRETTY_NAME)."""
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        if tree.exists(root, path):
            found = re.search(r'^PRETTY_NAME="?([^"\n]+)"?', tree.text(root, path), re.MULTILINE)
            if found:
                return found.group(1)
    raise Unreadable("/etc/os-release does not name the system")
