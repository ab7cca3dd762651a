"""A process with everything imported that forks the ones to be broken: milliseconds for each.

    {"do": "start", "deed", "where", "held", "file_limit_bytes"}  ->  {"pid"}
    {"do": "go", "pid"}                                           ->  {}
    {"do": "wait", "pid"}                                         ->  {"code", "acks", "errors"}

A held process waits for `go`, so that a tracer can be attached first. `code` is negative for a
signal. JSON lines on stdin and stdout.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from . import subject

_PR_SET_PTRACER = 0x59616D61


class _Child(NamedTuple):
    go: int
    acks: int
    errors: int


def main() -> None:
    """Serve orders until the input ends."""
    _import_everything()
    children: dict[int, _Child] = {}
    for line in sys.stdin:
        order = json.loads(line)
        answer: dict[str, Any] = {}
        if order["do"] == "start":
            pid, child = _start(order)
            children[pid] = child
            answer = {"pid": pid}
        elif order["do"] == "go":
            os.write(children[order["pid"]].go, b"g")
        else:
            answer = _ended(order["pid"], children.pop(order["pid"]))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _import_everything() -> None:
    """Do once what the children will do: imports inside functions are done then."""
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("wb") as nowhere:
        where, keep = f"{folder}/store", os.dup(1)
        os.dup2(nowhere.fileno(), 1)
        for deed in subject.DEEDS:
            subject.carried_out(deed, where, nowhere.fileno(), 2)
        sys.stdout.flush()
        os.dup2(keep, 1)
        os.close(keep)


def _start(order: dict[str, Any]) -> tuple[int, _Child]:
    go_read, go_write = os.pipe()
    acks_read, acks_write = os.pipe()
    errors_read, errors_write = os.pipe()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            os.dup2(errors_write, 2)
            sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
            sys.stderr = os.fdopen(2, "w", closefd=False)
            _prepared(order, go_read)
            code = subject.carried_out(order["deed"], order["where"], acks_write, errors_write)
        finally:
            os._exit(code)
    for descriptor in (go_read, acks_write, errors_write):
        os.close(descriptor)
    return pid, _Child(go_write, acks_read, errors_read)


def _prepared(order: dict[str, Any], go: int) -> None:
    """Take on the limits of the order; wait for the tracer if there is to be one."""
    if order["file_limit_bytes"] is not None:
        limit = order["file_limit_bytes"]
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    if order["held"]:
        # where only a parent may trace, this process says that anyone of its user may
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)
        os.read(go, 1)


def _ended(pid: int, child: _Child) -> dict[str, Any]:
    _, status = os.waitpid(pid, 0)
    texts = []
    for descriptor in (child.acks, child.errors):
        with os.fdopen(descriptor, "rb") as stream:
            texts.append(stream.read().decode(errors="replace"))
    os.close(child.go)
    code = os.waitstatus_to_exitcode(status)
    return {"code": code, "acks": texts[0].splitlines(), "errors": texts[1]}


if __name__ == "__main__":
    main()
