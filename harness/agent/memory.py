"""The process's own memory from /proc/self/status, in bytes.

`VmHWM` is the kernel's high-water mark of the resident set; it starts afresh at exec, unlike
`ru_maxrss`, which a child inherits from a large parent. Writing 5 to clear_refs resets it (the
kernel's Documentation/filesystems/proc.rst), so each phase gets a peak of its own. The kernel
keeps no high-water mark of anonymous or file pages alone: their split is what was resident when
the phase ended.
"""

_KEYS = {
    "VmHWM": "hwm_bytes",
    "RssAnon": "anon_bytes",
    "RssFile": "file_bytes",
    "RssShmem": "shmem_bytes",
}


def read(path="/proc/self/status"):
    """Return hwm_, anon_, file_ and shmem_bytes; None what the kernel does not give."""
    found = dict.fromkeys(_KEYS.values())
    try:
        with open(path, "rb") as stream:
            lines = stream.read().decode("ascii", "replace").splitlines()
    except OSError:
        return found
    for line in lines:
        key, _, rest = line.partition(":")
        if key in _KEYS:
            found[_KEYS[key]] = int(rest.split()[0]) * 1024
    return found


def reset(path="/proc/self/clear_refs"):
    """Start a new high-water mark; return whether the kernel let us."""
    try:
        with open(path, "w") as stream:
            stream.write("5")
    except OSError:
        return False
    return True


def peaks(phases):
    """Return the largest of {phase: reading} as peak_rss_, peak_anon_, peak_file_bytes, or None."""
    readings = [reading for reading in phases.values() if isinstance(reading, dict)]
    found = {}
    for name, key in (("rss", "hwm_bytes"), ("anon", "anon_bytes"), ("file", "file_bytes")):
        known = [reading[key] for reading in readings if reading[key] is not None]
        found["peak_{}_bytes".format(name)] = max(known) if known else None
    return found
