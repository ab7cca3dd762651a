"""`boardmark run --fit BOARD`: does a model fit in that board's memory, and how little is enough?

This host is limited to the board's cores and to less and less memory. Nothing of it is timed.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

import backends
import devices
from devices.schema import Device
from harness import places
from harness.commands import dry_run, options, reach, request
from harness.commands.outcome import conclude, view
from harness.commands.progress import Progress, tell
from harness.errors import DeviceError, UsageError
from harness.fit import asking, budget, groups, place
from harness.fit.session import Fitting, Question, Subject
from harness.fit.trial import Crew, Setting
from harness.plan.points import NULL_MODEL
from harness.session import prepare as preparing
from harness.transport.local import LocalTransport
from harness.types import Case, Run, SessionPlan
from harness.units import show
from results.cases import CaseRow
from results.journal import Journal
from results.store import Store, new_session_id
from suites.models.content import file_sha256

# Options that say how to time, or where.
_FOREIGN = ("emulate", "soak", "blocks", "budget", "precision", "sample", "cores", "lab")


def measure(args: argparse.Namespace) -> int:
    """Make all trials, keep them, tell; return 1 where something does not fit."""
    _check(args)
    device = devices.load(args.fit)
    allowed = budget.of(device)
    where = place.find()
    groups.remove_leftovers(where)
    host = asking.Host(
        most_bytes=place.room(where),
        cores=tuple(sorted(os.sched_getaffinity(0)))[: allowed.cores],
        version=where.version,
    )
    wanted = _wanted(args, allowed.cores)
    named = options.interpreters(args.interpreter)
    with reach.board(None, named) as board:
        found = preparing.outline(wanted, board)
        if args.dry_run:
            return dry_run.tell(found, args.json)
        store = Store.create(args.store)
        ready = preparing.prepare(wanted, found, new_session_id(), Progress().built)
    if not ready.plan.cases:
        reasons = dict.fromkeys(skip.reason for skip in ready.plan.skipped)
        raise DeviceError("nothing can be tried here: " + "; ".join(reasons))
    _check_content(ready.plan.cases)
    asked = asking.subjects(ready.plan.cases, device.name)
    design = asking.design(allowed, device, host, args.together or 1)
    plan = asking.plan(ready.plan, asked, design, _words(args))
    _warn(allowed, host, device)
    setting = Setting(place=where, cores=host.cores, seed=plan.seed)
    with store.start(plan) as journal:
        return _drive(args, store, journal, (setting, asked))


def _check(args: argparse.Namespace) -> None:
    """Refuse what says nothing to a limit, and a limit on nothing."""
    if args.fit == devices.LOCAL:
        raise UsageError(
            "--fit local limits this host to itself",
            f"name a board: {', '.join(devices.names())}",
        )
    if args.device != devices.LOCAL:
        raise UsageError(
            f"--fit {args.fit} limits this host, so --device {args.device} says nothing to it",
            "leave --device out",
        )
    for name in _FOREIGN:
        if getattr(args, name, None):
            raise UsageError(
                f"--fit asks about memory alone, so --{name} says nothing to it",
                f"leave --{name} out",
            )
    if not args.model:
        raise UsageError(
            f"--fit {args.fit} needs to know what is to fit", "name it: --model my.onnx"
        )


def _wanted(args: argparse.Namespace, cores: int) -> preparing.Request:
    """Return the request: FP32 as it is and one runtime that reads it, unless others were named."""
    made = request.of(args, None)
    choice = msgspec.structs.replace(
        made.choice,
        variants=args.variants or ("fp32",),
        backends=args.backends or tuple(dict.fromkeys(map(_usual_backend, args.model))),
        batches=args.batch or (1,),
        threads=args.threads or cores,
        blocks=1,
    )
    return msgspec.structs.replace(made, choice=choice)


def _usual_backend(model: str) -> str:
    """Return the runtime whose own format a model's file is in."""
    if model == NULL_MODEL:
        return "null"
    suffix = Path(model).suffix.lstrip(".")
    found = (name for name, row in backends.TABLE.items() if row["formats"][0] == suffix)
    return next(found, "onnxruntime")


def _check_content(cases: Sequence[Case]) -> None:
    """Raise DeviceError where an artifact is not what was built: the agents do not look here."""
    for case in cases:
        artifact = case.artifact
        if not artifact.files and file_sha256(Path(artifact.path)) != artifact.sha256:
            raise DeviceError(
                f"{artifact.path} is not the file that was built: its content changed",
                "remove it, then it is built again",
            )


def _warn(allowed: budget.Budget, host: asking.Host, device: Device) -> None:
    """Say what of the board this host cannot play, and what can be answered all the same."""
    if allowed.budget_bytes >= host.most_bytes:
        tell(
            f"warning: this host can give {show(host.most_bytes, 'bytes')} and a {device.title}"
            f" {show(allowed.budget_bytes, 'bytes')}: that something fits can be told, and that it"
            " does not only of what needs less than this host has\n"
        )
    if len(host.cores) < allowed.cores:
        tell(
            f"warning: this host has {len(host.cores)} of the board's {allowed.cores} cores; the"
            f" runtimes get {allowed.cores} threads all the same, as they would there\n"
        )


def _drive(
    args: argparse.Namespace,
    store: Store,
    journal: Journal,
    work: tuple[Setting, Sequence[Subject]],
) -> int:
    """Make the trials; what was finished before Ctrl-C is kept and told."""
    plan, (setting, asked) = journal.plan, work
    question = Question(
        session_id=plan.session_id,
        budget_bytes=plan.design["budget_bytes"],
        most_bytes=plan.design["most_bytes"],
        together=plan.design["together"],
    )
    progress = Progress()
    progress.say(f"session {plan.session_id}: {len(asked)} to fit, about 8 trials each")

    def keep(case: Case, run: Run) -> None:
        journal.append(run)
        progress.say(_told(case, run))

    crew = Crew(lambda python: LocalTransport(places.cache(), python))
    interrupted = False
    try:
        fitting = Fitting(crew, setting, question, keep)
        for subject in asked:
            fitting.ask(subject)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        crew.close()
    journal.close()
    store.seal(plan.session_id)
    conclude(args, store, plan.session_id)
    return 130 if interrupted else _exit_code(plan, view(store, plan.session_id).rows)


def _told(case: Case, run: Run) -> str:
    """Return one trial in a line."""
    fact = run.result["fit"]
    many = f"{fact['copies']} times " if fact["copies"] > 1 else ""
    why = f" ({fact['why']})" if fact["why"] else ""
    name = f"{case.model} {case.variant} {case.backend}"
    return f"{many}{name} in {show(fact['limit_bytes'], 'bytes')}: {fact['word']}{why}"


def _exit_code(plan: SessionPlan, rows: Sequence[CaseRow]) -> int:
    """Return 1 where something does not fit, 4 where it failed, 3 where this host is too small."""
    if any(row.verdict == "does not fit" for row in rows):
        return 1
    failed = [row for row in rows if row.verdict == "failed"]
    if failed and all(row.fit.get("stopped_by") == "oom" for row in failed):
        return 3
    return 4 if failed else 0


def _words(args: argparse.Namespace) -> tuple[str, ...]:
    together = ("--together", str(args.together)) if args.together else ()
    return (*request.words(args), "--fit", args.fit, *together)
