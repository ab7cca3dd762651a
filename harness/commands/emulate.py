"""`boardmark run --emulate`: does this run on that board, answer the same, and fit its memory?

The agent and the runtimes run under QEMU user mode, as the processor that the device's profile
names. Nothing of it is timed.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

import devices
from devices.schema import Device
from harness import places
from harness.commands import driving, dry_run, options, request
from harness.commands.progress import Progress
from harness.errors import DeviceError, UsageError
from harness.session import emulating
from harness.session import prepare as preparing
from harness.session.boards import Board
from harness.session.driver import Driver
from harness.session.scoring import Scorer
from harness.transport.emulated import enclosure, recipe, root
from harness.transport.emulated.transport import EmulatedTransport, Emulation
from harness.transport.interpreters import Interpreters
from harness.transport.local import LocalTransport
from harness.types import Case, Run, SessionPlan
from results.journal import Journal
from results.store import Store, new_session_id
from suites.build import BuildEvent

# Options that say how to time, or where: an emulated board has neither a clock nor interpreters.
_FOREIGN = ("blocks", "budget", "precision", "sample", "soak", "cores", "interpreter", "lab")


def measure(args: argparse.Namespace) -> int:
    """Carry the session out and return its exit code."""
    for name in _FOREIGN:
        if getattr(args, name, None):
            raise UsageError(
                f"--emulate tells no time and runs each case once, so --{name} says nothing to it",
                f"leave --{name} out",
            )
    wanted = request.of(args, None)
    with _board(args.device) as board:
        found = preparing.outline(wanted, board)
        if args.dry_run:
            once = tuple(msgspec.structs.replace(point, blocks=1) for point in found.points)
            return dry_run.tell(msgspec.structs.replace(found, points=once), args.json)
        store = Store.create(args.store)
        ready = _prepared(wanted, found, new_session_id())
        if not ready.plan.cases:
            _explain_nothing(ready.plan)
        with store.start(ready.plan) as journal:
            return _drive(args, board, store, journal, ready)


def resume(
    args: argparse.Namespace,
    before: argparse.Namespace,
    store: Store,
    journal: Journal,
    check_same: Callable[[tuple[Case, ...], tuple[Case, ...]], None],
) -> int:
    """Go on with a session that `before` asked for; `check_same` raises where its cases changed."""
    plan = journal.plan
    wanted = request.of(before, None)
    with _board(before.device) as board:
        found = preparing.outline(wanted, board)
        ready = _prepared(wanted, found, plan.session_id)
        check_same(plan.cases, ready.plan.cases)
        ready = msgspec.structs.replace(ready, plan=plan)
        return _drive(args, board, store, journal, ready)


def _board(word: str) -> Board:
    """Return the emulated board of a profile; its root is built where it is not there yet."""
    if word == devices.LOCAL:
        raise UsageError(
            "this host needs no emulation",
            f"name a board with --device: {', '.join(devices.names())}",
        )
    device = devices.load(word)
    if device.emulation is None:
        raise UsageError(
            f"the profile of {device.name} names no processor to emulate",
            "add [emulation] with arch and cpu, see devices/schema.py",
        )
    cache, progress = places.cache(), Progress()
    emulator = enclosure.find(device.emulation.arch, device.emulation.cpu)
    made = recipe.for_runtimes_here(device.emulation.arch)
    emulation = Emulation(
        device=device,
        root=root.build(made, cache, progress.say),
        emulator=emulator,
        system=_system(device, made),
        cache=cache,
    )
    here = Interpreters(options.interpreters([]))
    native = functools.partial(_native, cache, here)
    return Board(lambda _: EmulatedTransport(emulation, native), lambda _: recipe.PYTHON)


def _native(cache: Path, here: Interpreters, backend: str) -> LocalTransport:
    return LocalTransport(cache, here(backend))


def _system(device: Device, made: recipe.Recipe) -> str:
    """Return what the root is, and what the board has instead where that differs."""
    glibc = ".".join(map(str, made.glibc))
    system = f"Debian {made.release}, python {made.python}, glibc {glibc}"
    own = [f"python {device.python}" if device.python not in (None, made.python) else ""]
    own.append(f"glibc {device.glibc}" if device.glibc not in (None, glibc) else "")
    differs = ", ".join(filter(None, own))
    return (
        f"{system}; the board ships {differs}: other wheels may be what it finds"
        if differs
        else system
    )


def _prepared(
    wanted: preparing.Request, found: preparing.Outline, session_id: str
) -> preparing.Prepared:
    """Return the plan of an emulation with what scoring needs; artifacts are built here."""
    ready = preparing.prepare(wanted, found, session_id, _Untimed().built)
    return msgspec.structs.replace(ready, plan=emulating.plan(ready.plan))


def _drive(
    args: argparse.Namespace,
    board: Board,
    store: Store,
    journal: Journal,
    ready: preparing.Prepared,
) -> int:
    plan, progress = ready.plan, _Untimed()
    told = plan.environment["emulated"]
    progress.say(
        f"session {plan.session_id}: {len(plan.cases)} cases on an emulated {plan.device}"
        f" (QEMU {told['qemu']} as {told['cpu_model']}; {told['system']})"
    )

    def measure() -> None:
        with tempfile.TemporaryDirectory(prefix="boardmark-samples-") as folder:
            judges, paths = emulating.shortened(ready, Path(folder))
            with Scorer(plan.cases, judges, paths) as scorer:
                Driver(plan, board, journal, scorer).run(progress, emulating.OnceSchedule(plan))

    return driving.to_the_end(args, store, journal, progress, measure)


class _Untimed(Progress):
    """Tells how far it is, never how long anything took or will take."""

    def built(self, event: BuildEvent) -> None:
        """Tell of a build step that is skipped or fails."""
        if event.kind not in ("start", "done"):
            super().built(event)

    def starts(self, case: Case, done: int, total: int, remaining_s: float | None) -> None:
        """Tell which case starts."""
        self.say(f"case {done + 1} of {total}: {case.label}")

    def finished(self, case: Case, run: Run) -> None:
        """Tell of a case that did not run."""
        if run.status != "ok":
            self.say(f"{run.status}: {case.label}: {run.reason}")


def _explain_nothing(plan: SessionPlan) -> None:
    reasons = dict.fromkeys(f"{one.backend}: {one.reason}" for one in plan.skipped)
    raise DeviceError("nothing can be emulated: " + "; ".join(list(reasons)[:4]))
