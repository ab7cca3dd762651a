"""Say what this machine, or a board of the lab, can measure, what not, and what would fix it.

Nothing is changed unless --tune asks for it. Every runtime is imported once in a process of its
own, which takes seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

import backends
from devices import resolve
from devices.lab import Reachable
from harness import places
from harness.commands import options, reach
from harness.errors import StoreError, UsageError
from harness.plan.conditions import Finding
from harness.plan.doctor import StoreState, assess, unwritable_cache
from harness.session import tuning
from harness.session.boards import Board
from harness.transport.interpreters import Interpreters
from harness.transport.local import LocalTransport
from harness.transport.package import cached_agent
from results.storage import measurable

_MARKS = {"ok": "+", "warn": "!", "missing": "-", "info": " "}


def prepare(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    reach.add_options(parser)
    parser.add_argument("--json", action="store_true", help="print identity and findings as JSON")
    parser.add_argument(
        "--tune",
        nargs="?",
        const="set",
        choices=("set", "restore"),
        metavar="restore",
        help="set what costs precision and may be set: governor, turbo, empty swap; with restore,"
        " put everything back as it was",
    )
    options.add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Look at the machine, or tune it, and print what was found or done."""
    place = reach.place(args.device, args.lab)
    if args.tune:
        return _tune(args, place)
    with _agent_folder() as (folder, unwritable), _board(place, folder) as board:
        identity = board.identify()
        if place is None:
            resolve(args.device, identity)
        runtimes = tuple(board.runtimes(backends.TABLE).values())
    found = assess(identity, runtimes, look_at_store(args.store))
    if unwritable:
        found.append(unwritable_cache(unwritable))
    if args.json:
        rows = msgspec.to_builtins(found)
        print(json.dumps({"identity": identity, "findings": rows}, indent=1))
    else:
        _print(found)
    return 0


def _board(place: Reachable | None, folder: Path) -> Board:
    if place is not None:
        return reach.board(place)
    return Board(lambda interpreter: LocalTransport(folder, interpreter), Interpreters({}))


@contextlib.contextmanager
def _agent_folder() -> Iterator[tuple[Path, str | None]]:
    """Give the cache and None, or a folder for this once and why the cache takes no file."""
    try:
        cached_agent(places.cache())
    except StoreError as error:
        with tempfile.TemporaryDirectory() as once:
            yield Path(once), error.message
    else:
        yield places.cache(), None


def _tune(args: argparse.Namespace, place: Reachable | None) -> int:
    """Change settings or put them back; 4 where something could not be put back."""
    state = places.cache() / (f"tuned-{place.name}.json" if place else "tuned.json")
    interpreter = place.python if place else Interpreters({})("null")
    with _board(place, places.cache()) as board:
        act = tuning.restore if args.tune == "restore" else tuning.tune
        told = act(board.under(interpreter), state)
    restoring = args.tune == "restore"
    if args.json:
        print(json.dumps(msgspec.to_builtins(told), indent=1))
    else:
        _print_tuned(told, state, restoring)
    return 4 if restoring and told.refused else 0


def _print_tuned(told: tuning.Tuned, state: Path, restoring: bool) -> None:
    for change in told.done:
        values = (change.after, change.before) if restoring else (change.before, change.after)
        if change.what.startswith("swap"):
            print(f"{change.what}: {'on again' if restoring else 'off'}")
        else:
            print(f"{change.what}: {values[0]} -> {values[1]}")
    for change in told.refused:
        print(f"not changed: {change.what}: {change.reason}")
        print(f"  -> {change.undo if restoring else change.command}")
    if not told.done and not told.refused:
        print(
            "nothing to restore" if restoring else "nothing to change: what may be set here is set"
        )
    if told.pending:
        print(f"previous values: {state}; boardmark doctor --tune restore puts them back")


def look_at_store(where: str | Path) -> StoreState:
    """Return whether `where`, which need not exist yet, can hold results, and the space there."""
    try:
        path = measurable(where)
    except UsageError as error:
        return StoreState(path=str(where), free_bytes=None, reason=error.message)
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
    if any(finding.topic in ("clock", "turbo") and finding.level == "warn" for finding in found):
        print("boardmark doctor --tune sets what may be set; --tune restore puts it back")
