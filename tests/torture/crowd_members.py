"""The processes of a crowd at two stores, and the one that starts, kills and restarts them.

    python -m torture.crowd_members '{"where": ..., "seed": ..., ...}'

Writers measure sessions into `shared`; copiers keep copies of it; mergers bring it and the copies
into `common`; compactors compact both; readers read both. A member that is killed is started again.
What a member acknowledges, and what goes wrong in it, is a line in a file of its own: a kill cannot
take that back. Prints how often members were killed, by kind.
"""
# ruff: noqa: T201  its standard output is what it gives

from __future__ import annotations

import ctypes
import json
import os
import random
import secrets
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import handmade
import msgspec

from harness.errors import StoreError
from harness.types import Run, SessionPlan
from results.sessions import list_sessions, load
from results.storage import MissingError
from results.store import Store
from results.upkeep.compact import compact
from results.upkeep.merge import merge

COPIES = 3
_PR_SET_PDEATHSIG = 1
_ONLY_WRITERS_END = ("writer",)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a crowd is to do: `sessions` per writer, members killed `kills` times in all."""

    where: str
    seed: int
    writers: int
    sessions: int
    kills: int


class Member(msgspec.Struct, frozen=True):
    """One process of the crowd: what it does, and its number among those that do the same."""

    kind: str
    number: int


def main() -> None:
    """Let the crowd loose until every writer is done, then end it."""
    order = msgspec.json.decode(sys.argv[1], type=Order)
    where = Path(order.where)
    for name in ("shared", "common"):
        Store.create(where / name)
    (where / "said").mkdir()
    rng = random.Random(order.seed)
    killed = Counter(_killed_by(order, rng))
    print(json.dumps(killed))


def content(writer: int, number: int) -> tuple[SessionPlan, tuple[Run, ...]]:
    """Return the session that a writer measures as its `number`-th: two runs."""
    session_id = f"20261120T15{writer:02}{number:02}Z-{writer:02x}{number:02x}"
    plan = handmade.plan(session_id, blocks=1, cases=(handmade.FP32, handmade.INT8), skipped=())
    runs = tuple(
        msgspec.structs.replace(run, run_id=f"{session_id}-{run.run_id}", session_id=session_id)
        for run in handmade.runs()[:2]
    )
    return plan, runs


def _killed_by(order: Order, rng: random.Random) -> list[str]:
    """Run the crowd; return the kind of each member that was killed."""
    members = [Member("writer", number) for number in range(order.writers)]
    for kind, count in (("copier", 1), ("merger", 2), ("compactor", 2), ("reader", 1)):
        members += [Member(kind, number) for number in range(count)]
    alive = {_started(order, member): member for member in members}
    killed: list[str] = []
    while any(member.kind in _ONLY_WRITERS_END for member in alive.values()):
        time.sleep(rng.uniform(0.0, 0.06))
        if len(killed) < order.kills:
            pid = rng.choice(sorted(alive))
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            member = alive.pop(pid)
            killed.append(member.kind)
            alive[_started(order, member)] = member
        for pid in list(alive):
            if os.waitpid(pid, os.WNOHANG)[0]:
                member = alive.pop(pid)
                if member.kind not in _ONLY_WRITERS_END:
                    alive[_started(order, member)] = member
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return killed


def _started(order: Order, member: Member) -> int:
    pid = os.fork()
    if pid:
        return pid
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    try:
        _DEEDS[member.kind](order, member.number)
        os._exit(0)
    except BaseException:
        _say(Path(order.where), f"{member.kind}-{member.number}.faults", traceback.format_exc())
    os._exit(1)


def _write(order: Order, number: int) -> None:
    where = Path(order.where)
    store = Store.create(where / "shared")
    for session in range(order.sessions):
        plan, runs = content(number, session)
        if plan.session_id in store.catalog().sessions():
            store.seal(plan.session_id)
            continue
        live = plan.session_id in store.live()
        with store.resume(plan.session_id) if live else store.start(plan) as journal:
            there = {run.run_id for run in journal.runs}
            for run in runs:
                if run.run_id not in there:
                    journal.append(run)
                    _say(where, f"writer-{number}.acks", run.run_id)
        store.seal(plan.session_id)


def _copy(order: Order, _: int) -> None:
    where = Path(order.where)
    store = Store.open(where / "shared")
    for number in range(COPIES):
        beside = where / f"unfinished-{secrets.token_hex(4)}"
        with store.locked():
            shutil.copytree(where / "shared" / "parts", beside / "parts")
        if not (where / f"copy-{number}").exists():
            beside.rename(where / f"copy-{number}")
        time.sleep(0.1)
    time.sleep(3600)


def _merge(order: Order, number: int) -> None:
    where = Path(order.where)
    rng = random.Random(secrets.randbits(32) + number)
    while True:
        name = rng.choice(["shared", *(f"copy-{number}" for number in range(COPIES))])
        if (where / name / "parts").is_dir():
            merge(Store.create(where / "common"), Store.open(where / name))


def _compact(order: Order, number: int) -> None:
    while True:
        compact(Store.open(Path(order.where) / ("shared", "common")[number]))
        time.sleep(0.02)


def _read(order: Order, _: int) -> None:
    """Hold every session that can be read against what was measured."""
    where = Path(order.where)
    while True:
        for name in ("shared", "common"):
            store = Store.open(where / name)
            listing = list_sessions(store)
            for problem in listing.problems:
                _say(where, "reader.faults", f"{name}: {problem}")
            for entry in listing.entries:
                _compare(where, store, entry.session_id)


def _compare(where: Path, store: Store, session_id: str) -> None:
    try:
        session = load(store, session_id)
    except MissingError as error:
        raise StoreError(f"{session_id} is listed and gone: {error}") from error
    plan, runs = content(int(session_id[11:13]), int(session_id[13:15]))
    if session.plan != plan or session.runs != runs[: len(session.runs)]:
        _say(where, "reader.faults", f"{session_id} is not what was measured")
    if session.sealed and session.runs != runs:
        _say(where, "reader.faults", f"{session_id} is sealed and not whole")
    for problem in session.problems:
        _say(where, "reader.faults", f"{session_id}: {problem}")


def _say(where: Path, name: str, text: str) -> None:
    descriptor = os.open(where / "said" / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(descriptor, text.encode() + b"\n")
    os.close(descriptor)


_DEEDS: dict[str, Callable[[Order, int], None]] = {
    "writer": _write,
    "copier": _copy,
    "merger": _merge,
    "compactor": _compact,
    "reader": _read,
}

if __name__ == "__main__":
    main()
