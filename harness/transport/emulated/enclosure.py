"""Start a program in an emulated root, as the board's processor, without registering anything.

The mounts that the root needs exist in a namespace of the program alone: they end with it, however
it ends, and the host never sees them.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from pathlib import Path

import msgspec

from harness.errors import UsageError

# Where the emulator lies in the root; a program that starts another goes through it again.
EMULATOR = "/emulator"
EXCHANGE = "/exchange"
BOARD = "/board"
# $1 root, $2 the board's own files, $3 the folder shared with the desk, $4 the emulator; the rest
# is what to start. A core dump of an emulator is the size of its address space.
_SCRIPT = """
set -e
PATH=/usr/sbin:/usr/bin:/sbin:/bin
root=$1 board=$2 exchange=$3 emulator=$4
shift 4
mount --rbind /proc "$root/proc"
for name in cpuinfo version meminfo; do
  if [ -e "$board/proc/$name" ]; then mount --bind "$board/proc/$name" "$root/proc/$name"; fi
done
for name in null zero random urandom; do mount --bind "/dev/$name" "$root/dev/$name"; done
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind "$board/sys" "$root/sys"
mount --bind "$board" "$root/board"
mount --bind "$exchange" "$root/exchange"
mount --bind "$emulator" "$root/emulator"
ulimit -c 0
exec chroot "$root" "$@"
"""
_WAYS = (("unshare", "--mount"), ("unshare", "--user", "--map-root-user", "--mount"))
# What the programs in there see of the desk's environment: nothing.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/"}


class Emulator(msgspec.Struct, frozen=True, kw_only=True):
    """QEMU user mode for one architecture: its file, version and the processor that it plays."""

    path: Path
    version: str
    cpu: str

    @property
    def words(self) -> tuple[str, ...]:
        """Return the words before a program's own, inside of a root."""
        return (EMULATOR, "-cpu", self.cpu)


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """The folders of one enclosure: its system, what the board shows of itself, what is shared."""

    root: Path
    board: Path
    exchange: Path


def find(arch: str, cpu: str) -> Emulator:
    """Return the emulator of `arch` that plays `cpu`; UsageError where there is none."""
    names = (f"qemu-{arch}-static", f"qemu-{arch}")
    path = next((found for found in map(shutil.which, names) if found), None)
    if path is None:
        raise UsageError(
            f"emulating a board takes {names[0]}, which is not here",
            "install the package qemu-user-static",
        )
    told = re.search(r"version (\S+)", _output(path, "--version"))
    known = _output(path, "-cpu", "help").split()
    if cpu not in known:
        raise UsageError(
            f"{Path(path).name} {told.group(1) if told else ''} does not know the processor {cpu}",
            "install a newer qemu-user-static",
        )
    return Emulator(path=Path(path), version=told.group(1) if told else "unknown", cpu=cpu)


def command(places: Places, emulator: Emulator, program: tuple[str, ...]) -> list[str]:
    """Return the words that start `program` in the root; UsageError where that is not allowed."""
    folders = (places.root, places.board, places.exchange, emulator.path)
    return [
        *_way(), "sh", "-c", _SCRIPT, "enclosure", *(str(path.resolve()) for path in folders),
        *emulator.words, *program,
    ]  # fmt: skip


@functools.cache
def _way() -> tuple[str, ...]:
    """Return the words that give a program mounts of its own: as root, or as one's own root."""
    reasons = []
    for words in _WAYS:
        try:
            done = subprocess.run(
                [*words, "sh", "-c", "mount --rbind /proc /proc"],
                stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False,
            )  # fmt: skip
        except OSError as error:
            reasons.append(f"{words[0]}: {error.strerror}")
            continue
        if done.returncode == 0:
            return words
        reasons += done.stderr.decode(errors="replace").strip().splitlines()[:1]
    raise UsageError(
        "an emulated board takes mounts of its own, which are not allowed here"
        f" ({'; '.join(dict.fromkeys(reasons))})",
        "run as root, or allow user namespaces",
    )


def _output(*words: str) -> str:
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False
    )
    return done.stdout.decode(errors="replace")
