"""What the processor is: cores, clusters, clocks, caches and usable instructions.

Arm kernels print no usable model name (a Jetson's says "ARMv8 Processor rev 1 (v8l)"), so the name
comes from each core's MIDR. Choose kernels and predict gains from `isa`, not from a board's name.
"""

import os

from harness.agent import tree
from harness.agent.midr import core_name
from harness.agent.tree import Unreadable

# What inference kernels dispatch on, in the kernels' own spelling, weakest first.
ISA = (
    "neon", "vfpv4", "asimd", "fphp", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2",
    "sse4_1", "sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw",
    "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16",
)  # fmt: skip
_CPU = "/sys/devices/system/cpu"
_NO_POLICY = {"max_hz": None, "limit_hz": None, "governor": None, "policy": None}


def processors(root):
    """Return one dict per online core in /proc/cpuinfo, keys as the kernel prints them."""
    blocks = tree.text(root, "/proc/cpuinfo").split("\n\n")
    found = []
    for block in blocks:
        rows = (line.partition(":") for line in block.splitlines())
        entry = {key.strip(): value.strip() for key, colon, value in rows if colon}
        if entry.get("processor", "").isdigit():
            found.append(entry)
    if not found:
        raise Unreadable("/proc/cpuinfo lists no processor")
    return found


def count(root):
    """Return how many cores are online."""
    return len(processors(root))


def features(root):
    """Return the flags that every core has, in the first core's order."""
    sets = [entry.get("flags", entry.get("Features", "")).split() for entry in processors(root)]
    shared = [flag for flag in sets[0] if all(flag in other for other in sets[1:])]
    if not shared:
        raise Unreadable("/proc/cpuinfo prints neither flags nor Features")
    return shared


def isa(root):
    """Return the part of the features that inference kernels dispatch on, weakest first."""
    have = set(features(root))
    return [flag for flag in ISA if flag in have]


def arch(root):
    """Return the architecture (aarch64, armv7l, x86_64); below another root, told by features."""
    if root == "/":
        return os.uname().machine
    have = set(features(root))
    by_feature = (("asimd", "aarch64"), ("neon", "armv7l"), ("lm", "x86_64"))
    for flag, name in by_feature:
        if flag in have:
            return name
    raise Unreadable("/proc/cpuinfo does not tell the architecture")


def cores(root):
    """Return one row per online core.

    Keys: id, core (name), implementer, part, max_hz, limit_hz (what the clock is capped to now),
    governor, cluster. What the kernel does not tell is None.
    """
    policies = _policies(root)
    rows = []
    for entry in processors(root):
        number = int(entry["processor"])
        implementer, part = _hex(entry, "CPU implementer"), _hex(entry, "CPU part")
        named = implementer is not None and part is not None
        row = {
            "id": number,
            "core": core_name(implementer, part) if named else entry.get("model name"),
            "implementer": implementer,
            "part": part,
        }
        row.update(policies.get(number, _NO_POLICY))
        rows.append(row)
    _number_clusters(rows)
    return rows


def _hex(entry, key):
    try:
        return int(entry[key], 16)
    except (KeyError, ValueError):
        return None


def _policies(root):
    """Return {core id: clocks and governor} from every cpufreq policy."""
    found = {}  # type: dict[int, dict[str, object]]
    for path in tree.find(root, _CPU + "/cpufreq/policy[0-9]*"):
        try:
            ids = tree.cpu_list(tree.text(root, path + "/affected_cpus"))
        except (Unreadable, ValueError):
            continue  # a policy that does not name its cores tells nothing
        row = {
            "max_hz": _hz(root, path + "/cpuinfo_max_freq"),
            "limit_hz": _hz(root, path + "/scaling_max_freq"),
            "governor": _maybe(root, path + "/scaling_governor"),
            "policy": path.rsplit("/", 1)[1] if len(ids) > 1 else None,
        }
        found.update((number, dict(row)) for number in ids)
    return found


def _hz(root, path):
    try:
        return tree.number(root, path) * 1000.0
    except Unreadable:
        return None


def _maybe(root, path):
    try:
        return tree.text(root, path)
    except Unreadable:
        return None


def _number_clusters(rows):
    """Give each row its cluster: one name, one clock, one policy where cores share policies."""
    seen = []
    for row in rows:
        key = (row["core"], row["max_hz"], row.pop("policy"))
        if key not in seen:
            seen.append(key)
        row["cluster"] = seen.index(key)


def clusters(root):
    """Return [{"core", "ids", "max_hz"}] in the order of the first core."""
    groups = {}  # type: dict[int, dict[str, object]]
    ids = {}  # type: dict[int, list[int]]
    for row in cores(root):
        mine = ids.setdefault(row["cluster"], [])
        mine.append(row["id"])
        groups[row["cluster"]] = {"core": row["core"], "ids": mine, "max_hz": row["max_hz"]}
    return [groups[number] for number in sorted(groups)]


def model(root):
    """Return the processor's name: the kernel's on x86, the cores' own names on Arm."""
    names = []
    for row in cores(root):
        if row["core"] and row["core"] not in names:
            names.append(row["core"])
    if not names:
        raise Unreadable("/proc/cpuinfo prints neither a model name nor a part number")
    return " + ".join(names)


def caches(root):
    """Return [{"level", "kind", "size_bytes", "ids"}], each cache once, nearest first."""
    found = []
    for path in tree.find(root, _CPU + "/cpu[0-9]*/cache/index[0-9]*"):
        try:
            size = tree.text(root, path + "/size")
            row = {
                "level": tree.number(root, path + "/level"),
                "kind": tree.text(root, path + "/type").lower(),
                "size_bytes": int(size.rstrip("KM")) << {"K": 10, "M": 20}.get(size[-1:], 0),
                "ids": tree.cpu_list(tree.text(root, path + "/shared_cpu_list")),
            }
        except (Unreadable, ValueError):
            continue  # the kernel leaves out what firmware did not tell: that cache is unknown
        if row not in found:
            found.append(row)
    if not found:
        raise Unreadable(_CPU + "/cpu*/cache/index* tell no sizes")
    return sorted(found, key=lambda row: (row["level"], row["ids"]))


def governors(root):
    """Return the frequency governors in use, each once."""
    paths = tree.find(root, _CPU + "/cpufreq/policy[0-9]*/scaling_governor")
    if not paths:
        raise Unreadable(_CPU + "/cpufreq has no policy: the clock is not ours to see or set")
    return sorted({tree.text(root, path) for path in paths})


def offline(root):
    """Return the ids of the cores that are present but switched off."""
    present = tree.cpu_list(tree.text(root, _CPU + "/present"))
    online = tree.cpu_list(tree.text(root, _CPU + "/online"))
    return sorted(set(present) - set(online))


def isolated(root):
    """Return the ids of the cores that the scheduler leaves alone (isolcpus)."""
    return tree.cpu_list(tree.text(root, _CPU + "/isolated"))


def smt(root):
    """Tell whether two threads share a core now."""
    return tree.number(root, _CPU + "/smt/active") == 1


def turbo(root):
    """Tell whether the clock may rise above its nominal value."""
    path, on = turbo_switch(root)
    return tree.number(root, path) == on


def turbo_off(root):
    """Return the command that keeps the clock at its nominal value."""
    path, on = turbo_switch(root)
    return "echo %d | sudo tee %s" % (1 - on, path)


def turbo_switch(root):
    """Return (the file that switches turbo, what it holds when turbo is on)."""
    for path, on in ((_CPU + "/intel_pstate/no_turbo", 0), (_CPU + "/cpufreq/boost", 1)):
        if tree.exists(root, path):
            return path, on
    raise Unreadable("neither %s/intel_pstate/no_turbo nor %s/cpufreq/boost exists" % (_CPU, _CPU))
