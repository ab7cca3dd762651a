"""The fork server from the outside, and strace at one of its children."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import msgspec

ROOT = Path(__file__).parents[2]
STRACE = shutil.which("strace")
WAIT_S = 60.0
# Everything that changes what is on a disk; not every processor has each.
CHANGES = (
    "write", "pwrite64", "fsync", "fdatasync", "link", "linkat", "rename", "renameat",
    "renameat2", "unlink", "unlinkat", "rmdir", "ftruncate", "mkdir", "mkdirat", "openat",
)  # fmt: skip
_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)")
_READING = re.compile(r"O_RDONLY(?!.*O_CREAT)")


def traced(calls: Sequence[str]) -> str:
    """Return the expression that traces those of `calls` that this processor has."""
    return f"trace={','.join(f'?{call}' for call in calls)}"


class Ended(msgspec.Struct, frozen=True):
    """How a process ended: exit code or minus the signal, what it acknowledged, its stderr."""

    code: int
    acks: tuple[str, ...]
    errors: str


class Moment(msgspec.Struct, frozen=True):
    """The `number`-th call of one system call in a process, counted from 1.

    `reading` is an open that changes nothing.
    """

    call: str
    number: int
    reading: bool = False


class ForkServer:
    """Starts processes that carry out a deed on a store; a context manager that ends with them."""

    def __enter__(self) -> ForkServer:
        """Start the server."""
        paths = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "torture.fork_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths},
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let it end; make it end where it does not."""
        try:
            self._process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def run(self, deed: str, where: Path, file_limit_bytes: int | None = None) -> Ended:
        """Return how a process ended that nobody traced."""
        return self._wait(self._start(deed, where, False, file_limit_bytes))

    def traced(self, deed: str, where: Path, log: Path, inject: Sequence[str] = ()) -> Ended:
        """Return how a process ended under strace; `inject` are its expressions, `log` its log."""
        pid = self._start(deed, where, True, None)
        options = [word for text in inject for word in ("-e", f"inject={text}")]
        trace = ["-s", "0", "-o", str(log), "-e", traced(CHANGES), "-e", "signal=none"]
        with subprocess.Popen(
            [cast(str, STRACE), *trace, *options, "-p", str(pid)], stderr=subprocess.PIPE
        ) as tracer:
            said = cast(Any, tracer.stderr).readline()
            if b"attached" not in said:
                raise RuntimeError(f"strace: {said.decode().strip()}")
            self._ask(do="go", pid=pid)
            return self._wait(pid)

    def _start(self, deed: str, where: Path, held: bool, limit: int | None) -> int:
        asked = {"deed": deed, "where": str(where), "held": held, "file_limit_bytes": limit}
        return cast(int, self._ask(do="start", **asked)["pid"])

    def _wait(self, pid: int) -> Ended:
        return msgspec.convert(self._ask(do="wait", pid=pid), Ended)

    def _ask(self, **order: Any) -> dict[str, Any]:
        requests, answers = cast(Any, self._process.stdin), cast(Any, self._process.stdout)
        requests.write(json.dumps(order).encode() + b"\n")
        requests.flush()
        ready, _, _ = select.select([answers], [], [], WAIT_S)
        line = answers.readline() if ready else b""
        if not line:
            raise RuntimeError(f"no answer within {WAIT_S:.0f} s to {order}")
        return cast(dict[str, Any], json.loads(line))


def moments(log: Path, below: Path | None = None) -> list[Moment]:
    """Return the calls in a log that change something, in order.

    Files below the directory `below` that are opened to be read are among them; others are not.
    """
    counts: dict[str, int] = {}
    found = []
    for line in log.read_text(errors="replace").splitlines():
        call = _CALL.match(line)
        if not call:
            continue
        name, arguments = call["name"], call["arguments"]
        counts[name] = counts.get(name, 0) + 1
        reading = name == "openat" and _READING.search(arguments) is not None
        if not reading or (below is not None and f'"{below}/' in arguments):
            found.append(Moment(name, counts[name], reading))
    return found
