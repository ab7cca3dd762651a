"""One limited group: made, joined by what is started in it, read, and removed again.

Everything the processes use counts: the interpreter and the libraries they map, pages of the files
they read, kernel memory on their behalf. Nothing may be swapped.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import msgspec

from harness.errors import DeviceError
from harness.fit.place import Place

PREFIX = "boardmark-fit-"
_JOIN = """for group do [ "$group" = -- ] && break; echo $$ > "$group" || exit 1; shift; done
shift; exec "$@"
"""
_PATIENCE_S = 5.0
_COUNT = itertools.count()


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a group used and suffered so far; None where this kernel does not tell.

    `peak_bytes` counts everything that is charged to the group, pages of files among it, and so
    never exceeds its limit. `refaults` are pages of files that it gave back and needed again.
    (How often it ran into its limit is not read: a kernel of version 1 was seen to count none of
    them.)
    """

    peak_bytes: int | None
    oom_kills: int | None
    major_faults: int | None
    refaults: int | None
    swap_bytes: int | None


class Group:
    """A group with `limit_bytes` of memory and these cores, for as long as the `with` lasts."""

    def __init__(self, place: Place, limit_bytes: int, cores: Sequence[int]) -> None:
        """Take the limits; nothing is made yet."""
        name = f"{_prefix()}{next(_COUNT)}"
        self._place = place
        self._limit_bytes = limit_bytes
        self._cores = ",".join(map(str, cores))
        self._memory = place.memory / name
        self._cpuset = place.cpuset / name if place.cpuset else None

    def __enter__(self) -> Group:
        """Make the group; DeviceError where the kernel refuses, with nothing left of it."""
        try:
            if self._place.version == 2:
                self._make_2()
            else:
                self._make_1()
        except OSError as error:
            self.remove()
            raise DeviceError(
                f"this host did not let itself be limited to {self._limit_bytes / 1e6:.0f} MB:"
                f" {error.filename}: {error.strerror}",
                "see whether another program manages control groups there",
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End what still runs in the group and remove it."""
        self.remove()

    def _make_2(self) -> None:
        parent = self._place.memory
        wanted = [name for name in ("memory", "cpuset") if name == "memory" or self._cpuset]
        given = (parent / "cgroup.subtree_control").read_text().split()
        if missing := [f"+{name}" for name in wanted if name not in given]:
            _write(parent / "cgroup.subtree_control", " ".join(missing))
        self._memory.mkdir()
        _write(self._memory / "memory.max", self._limit_bytes)
        with contextlib.suppress(FileNotFoundError):  # a kernel without swap has no such file
            _write(self._memory / "memory.swap.max", 0)
        # The kernel then ends all of them: half of a set that goes on says nothing.
        _write(self._memory / "memory.oom.group", 1)
        if self._cpuset and self._cores:
            _write(self._memory / "cpuset.cpus", self._cores)

    def _make_1(self) -> None:
        self._memory.mkdir()
        _write(self._memory / "memory.limit_in_bytes", self._limit_bytes)
        try:
            _write(self._memory / "memory.memsw.limit_in_bytes", self._limit_bytes)
        except FileNotFoundError:  # swap is not accounted for here; the group may still avoid it
            _write(self._memory / "memory.swappiness", 0)
        if self._cpuset and self._place.cpuset:
            self._cpuset.mkdir()
            # A new group has neither, and takes nobody before it has both.
            mems = (self._place.cpuset / "cpuset.mems").read_text().strip()
            _write(self._cpuset / "cpuset.mems", mems)
            own = (self._place.cpuset / "cpuset.cpus").read_text().strip()
            _write(self._cpuset / "cpuset.cpus", self._cores or own)

    @property
    def folders(self) -> tuple[Path, ...]:
        """Return the folders that make up the group."""
        if self._place.version == 2 or self._cpuset is None:
            return (self._memory,)
        return (self._memory, self._cpuset)

    def through(self) -> list[str]:
        """Return the words before a command line that start it inside the group.

        A shell joins first and becomes the command then, so that all of it is counted.
        """
        joins = [str(folder / "cgroup.procs") for folder in self.folders]
        return ["/bin/sh", "-c", _JOIN, "sh", *joins, "--"]

    def pids(self) -> tuple[int, ...]:
        """Return the processes in the group."""
        return _pids(self._memory)

    def usage(self) -> Usage:
        """Return what was used so far."""
        return _usage_2(self._memory) if self._place.version == 2 else _usage_1(self._memory)

    def remove(self) -> None:
        """End what runs in the group and remove it; harmless where there is none."""
        for folder in self.folders:
            _remove(folder)


def remove_leftovers(place: Place) -> int:
    """Remove the groups of commands that were killed before they could; return how many.

    One that cannot be removed, another user's for one, is left: it is in nobody's way.
    """
    found = 0
    for top in dict.fromkeys(folder for folder in (place.memory, place.cpuset) if folder):
        for folder in _ours(top):
            if _alive(folder.name):
                continue
            with contextlib.suppress(OSError, DeviceError):
                _remove(folder)
                found += 1
    return found


def _ours(top: Path) -> Iterator[Path]:
    """Yield the groups of this program in the whole hierarchy that `top` belongs to."""
    while (top.parent / "cgroup.procs").exists():
        top = top.parent
    for folder, names, _ in os.walk(top):
        for name in [name for name in names if name.startswith(PREFIX)]:
            names.remove(name)
            yield Path(folder) / name


def _prefix() -> str:
    """Return what the names of this process's groups begin with.

    Process ids come again, and mean something only where they were given: so the start and the
    namespace belong to them.
    """
    pid = os.getpid()
    return f"{PREFIX}{_namespace()}-{pid}-{_started(pid)}-"


def _alive(name: str) -> bool:
    """Tell whether the owner of a group lives, or may do so in another namespace."""
    space, _, rest = name[len(PREFIX) :].partition("-")
    pid, _, rest = rest.partition("-")
    started = rest.partition("-")[0]
    if space != _namespace() or not pid.isdecimal():
        return True
    return _started(int(pid)) == started


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return "0"


def _started(pid: int) -> str | None:
    """Return when a process began, in ticks since boot; None where there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()[19]


def _remove(folder: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        for pid in _pids(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            # What was just killed is in its group until it is reaped.
            if time.monotonic() > deadline:
                raise DeviceError(
                    f"the group {str(folder)!r} cannot be removed: {error.strerror}",
                    "remove the directory once nothing runs in it",
                ) from error
            time.sleep(0.02)
        else:
            return


def _pids(folder: Path) -> tuple[int, ...]:
    try:
        words = (folder / "cgroup.procs").read_text().split()
    except OSError:
        return ()  # no such group
    # 0 stands for one of another namespace; killing that would be killing our own group.
    return tuple(int(word) for word in words if word != "0")


def _usage_1(folder: Path) -> Usage:
    stat = _table(folder / "memory.stat")
    return Usage(
        peak_bytes=_number(folder / "memory.max_usage_in_bytes"),
        oom_kills=_table(folder / "memory.oom_control").get("oom_kill"),
        major_faults=stat.get("total_pgmajfault"),
        refaults=stat.get("total_workingset_refault_file"),
        swap_bytes=stat.get("total_swap"),
    )


def _usage_2(folder: Path) -> Usage:
    stat, events = _table(folder / "memory.stat"), _table(folder / "memory.events")
    return Usage(
        peak_bytes=_number(folder / "memory.peak"),
        oom_kills=events.get("oom_kill"),
        major_faults=stat.get("pgmajfault"),
        refaults=stat.get("workingset_refault_file"),
        swap_bytes=_number(folder / "memory.swap.current"),
    )


def _write(path: Path, value: object) -> None:
    # Opened for writing alone: a kernel's file cannot be created, and one that is missing says so.
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, str(value).encode())
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        os.close(descriptor)


def _number(path: Path) -> int | None:
    try:
        word = path.read_text().strip()
    except OSError:
        return None
    return int(word) if word.isdecimal() else None


def _table(path: Path) -> dict[str, int]:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split() for line in lines)
    return {words[0]: int(words[1]) for words in pairs if len(words) == 2 and words[1].isdecimal()}
