"""Settings of this machine that cost precision: look, set, put back.

A step is one setting: {"what", "kind": "file" or "swap", "path", "before", "after", "command",
"undo"}; the commands say what a person would type. Whoever asks keeps the steps that `look` gave
before it has them set, so that an interrupted change can still be put back.
"""

import os
import re
import shlex

from harness.agent import cpu, tree
from harness.agent.tree import Unreadable

_POLICIES = "/sys/devices/system/cpu/cpufreq/policy[0-9]*"
_TUNABLE = re.compile(
    r"/sys/devices/system/cpu/(cpufreq/policy\d+/scaling_governor|cpufreq/boost"
    r"|intel_pstate/no_turbo)"
)
# Without swap, this share of the memory must be free, or a large model ends what else runs here.
_FREE_SHARE = 0.25
_SWAP_FLAG_PREFER = 0x8000  # <sys/swap.h>: the low bits are the priority
_JETSON = "sudo jetson_clocks --store, sudo nvpmodel -m 0, sudo jetson_clocks; --restore undoes it"


class _Refused(Exception):
    """Carries the reason why a setting stays as it is."""


def answer(request):
    """Return {"steps", "refused"} to "look", {"done", "refused"} to "set" and "undo".

    Set and undo take `steps`; "refused" are steps with a "reason".
    """
    root = request.get("root", "/")
    if request["do"] == "look":
        return look(root)
    return _carry_out(root, request["steps"], undo=request["do"] == "undo")


def look(root):
    """Return {"steps": what would be set, "refused": what may not be, with the reason}."""
    found = {"steps": [], "refused": []}  # type: dict
    for ask in (_governors, _turbo, _swaps):
        for step in ask(root):
            found["refused" if "reason" in step else "steps"].append(step)
    return found


def _governors(root):
    if tree.exists(root, "/etc/nv_tegra_release"):
        reason = "a Jetson's clocks belong to its power mode"
        yield {"what": "clocks", "reason": reason, "command": _JETSON}
        return
    for path in tree.find(root, _POLICIES + "/scaling_governor"):
        try:
            now = tree.text(root, path)
        except Unreadable:
            continue  # a policy whose cores are switched off
        if now == "performance":
            continue
        step = _file_step("governor of " + path.split("/")[-2], path, now, "performance")
        offered = _offered(root, path)
        if offered and "performance" not in offered:
            step["reason"] = "the kernel offers only " + ", ".join(offered)
        yield step


def _offered(root, governor):
    """Return the governors one may choose, [] where the kernel does not tell: trying shows it."""
    try:
        path = governor.replace("scaling_governor", "scaling_available_governors")
        return tree.text(root, path).split()
    except Unreadable:
        return []


def _turbo(root):
    try:
        path, on = cpu.turbo_switch(root)
        now = tree.text(root, path)
    except Unreadable:
        return  # no turbo, or none that can be switched
    if now == str(on):
        yield _file_step("turbo", path, now, str(1 - on))


def _file_step(what, path, before, after):
    command, undo = ("echo {} | sudo tee {}".format(value, path) for value in (after, before))
    return {
        "what": what,
        "kind": "file",
        "path": path,
        "before": before,
        "after": after,
        "command": command,
        "undo": undo,
    }


def _swaps(root):
    """Yield a step per swap area; one that holds pages, or that may be needed, is refused."""
    try:
        rows = tree.table(root, "/proc/meminfo")
        enough = rows["MemAvailable"] >= _FREE_SHARE * rows["MemTotal"]
        areas = _areas(root)
    except (Unreadable, KeyError):
        return
    for path, used_bytes, priority in areas:
        step = {
            "what": "swap " + path,
            "kind": "swap",
            "path": path,
            "before": str(priority),
            "after": "off",
            "command": "sudo swapoff " + shlex.quote(path),
            "undo": "sudo swapon {}{}".format(
                "-p {} ".format(priority) if priority >= 0 else "", shlex.quote(path)
            ),
        }
        if used_bytes:
            step["reason"] = "{:.3g} MB are in it".format(used_bytes / 1e6)
        elif not enough:
            step["reason"] = "little memory is free; without swap something may be ended"
        yield step


def _areas(root):
    """Return (path, bytes in use, priority) of every active swap area."""
    found = []
    for line in tree.text(root, "/proc/swaps").splitlines()[1:]:
        name, _, _, used_kb, priority = line.split()
        path = re.sub(r"\\(\d{3})", lambda octal: chr(int(octal.group(1), 8)), name)
        found.append((path, int(used_kb) * 1024, int(priority)))
    return found


def _carry_out(root, steps, undo):
    """Set each step's value, or put the previous ones back in reverse; nothing stops halfway."""
    found = {"done": [], "refused": []}  # type: dict
    for step in reversed(steps) if undo else steps:
        value = step["before"] if undo else step["after"]
        try:
            (_swap if step["kind"] == "swap" else _write)(root, step["path"], value)
            found["done"].append(step)
        except _Refused as refusal:
            found["refused"].append(dict(step, reason=str(refusal)))
    return found


def _write(root, path, value):
    if not _TUNABLE.fullmatch(path):
        raise _Refused("this is not a setting that is tuned here")
    try:
        if tree.text(root, path) == value:
            return
        with open(tree.inside(root, path), "w") as stream:
            stream.write(value)
        now = tree.text(root, path)
    except OSError as error:
        raise _Refused((error.strerror or str(error)).lower()) from error
    except Unreadable as reason:
        raise _Refused(str(reason)) from reason
    if now != value:
        raise _Refused("the kernel keeps it at " + now)


def _swap(root, path, value):
    """Switch a swap area off, or on again with the priority that `value` is."""
    try:
        active = path in [area for area, _, _ in _areas(root)]
    except Unreadable as reason:
        raise _Refused(str(reason)) from reason
    if active == (value != "off"):
        return
    import ctypes  # not every board's python has it, and most have no swap to switch

    where = tree.inside(root, path).encode("utf-8")
    kernel = ctypes.CDLL(None, use_errno=True)
    if value == "off":
        failed = kernel.swapoff(where)
    else:
        priority = int(value)
        failed = kernel.swapon(where, _SWAP_FLAG_PREFER | priority if priority >= 0 else 0)
    if failed:
        raise _Refused(os.strerror(ctypes.get_errno()).lower())
