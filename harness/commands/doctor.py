"""Say what this machine can measure, what not, and what would fix it.

Nothing is changed. Every runtime is imported once in a process of its own, which takes seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

import backends
from harness import places
from harness.commands import options
from harness.plan.doctor import Finding, StoreState, assess
from harness.session.boards import Board
from harness.transport.interpreters import Interpreters
from harness.transport.local import LocalTransport

_MARKS = {"ok": "+", "warn": "!", "missing": "-", "info": " "}


def prepare(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="print identity and findings as JSON")
    options.add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Look at this machine and print what was found."""
    cache = places.cache()
    with Board(lambda interpreter: LocalTransport(cache, interpreter), Interpreters({})) as board:
        identity = board.identify()
        runtimes = tuple(board.runtimes(backends.TABLE).values())
    found = assess(identity, runtimes, look_at_store(args.store))
    if args.json:
        rows = msgspec.to_builtins(found)
        print(json.dumps({"identity": identity, "findings": rows}, indent=1))
    else:
        _print(found)
    return 0


def look_at_store(path: Path) -> StoreState:
    """Return whether `path`, which need not exist yet, can hold results, and the space there."""
    # os.path, because Path.exists raises below a folder that may not be entered
    folders = (path, *path.absolute().parents)
    existing = next(folder for folder in folders if os.path.exists(folder))  # noqa: PTH110
    try:
        with tempfile.TemporaryFile(dir=existing):
            free = shutil.disk_usage(existing).free
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        return StoreState(
            path=str(path), free_bytes=None, reason=f"cannot write to {existing}: {why}"
        )
    return StoreState(path=str(path), free_bytes=free)


def _print(found: Sequence[Finding]) -> None:
    width = max(len(finding.topic) for finding in found)
    for finding in found:
        print(f"{_MARKS[finding.level]} {finding.topic:{width}}  {finding.text}")
        if finding.fix:
            print(f"  {'':{width}}  -> {finding.fix}")
    print("\n+ works   ! costs precision   - cannot be measured   -> what would change it")
