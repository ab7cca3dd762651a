"""Measure a suite on a device: build the variants, run all cases in blocks, keep every result.

Without options: the quantization suite on this machine. Every finished run is on disk before the
next one starts; Ctrl-C keeps what is finished, and `boardmark run --resume` goes on with the rest.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from importlib.metadata import version

import msgspec

from harness import places, units
from harness.commands import dry_run, options
from harness.commands.outcome import conclude
from harness.commands.progress import Progress, minutes
from harness.errors import DeviceError, UsageError
from harness.plan.choice import Choice
from harness.session import prepare as preparing
from harness.session.boards import Board
from harness.session.driver import Driver
from harness.session.schedule import MOST_BLOCKS, RunSchedule
from harness.session.scoring import Scorer
from harness.transport.interpreters import Interpreters
from harness.transport.local import LocalTransport
from harness.types import Case, SessionPlan
from results.journal import Journal
from results.sessions import list_sessions
from results.storage import measurable
from results.store import Store, new_session_id
from suites.models import ModelOptions, parse_shape


def prepare(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--suite", default="quantization", help="what to compare (default: %(default)s)")
    add("--device", default="local", help="the board this is, or local (default): detected")
    options.add_model(parser)
    add("--variants", type=options.words, metavar="A,B", help="only these quantization levels")
    add("--backends", type=options.words, metavar="A,B", help="only these runtimes")
    add("--batch", type=options.counts, metavar="1,8", help="batch sizes; 1 is single-stream")
    add("--threads", type=options.count, help="threads of the runtime (default: one per core)")
    add("--cores", type=options.cores, metavar="0-3", help="pin the runs to these cores")
    add("--blocks", type=options.count, help="runs per case (default: 5)")
    add("--budget", type=units.parse_duration_s, metavar="20s|3m", help="time for all measuring")
    add("--precision", type=units.parse_fraction, metavar="FRACTION",
        help="wanted half-width of a latency interval, like 1%% or 0.01: blocks are added for cases"
        " that miss it (without: 5%%, and none are added)")  # fmt: skip
    add("--sample", type=units.parse_duration_s, metavar="20s|3m",
        help="sample each run this long; from 3m on, the sustained latency is known")  # fmt: skip
    add("--seed", type=options.seed, default=0, help="of inputs and order (default: 0)")
    add("--interpreter", action="append", default=[], metavar="BACKEND=PYTHON",
        help="run a backend under another python")  # fmt: skip
    add(
        "--resume", nargs="?", const="latest", metavar="ID", help="go on with an unfinished session"
    )
    add("--dry-run", action="store_true", help="only list what would be measured")
    add("--json", action="store_true", help="print the cases as JSON instead of the table")
    add("--no-report", action="store_true", help="do not draw the HTML report")
    add("--open", action="store_true", help="open the report in the browser")
    options.add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Carry the session out and return its exit code."""
    args.store = measurable(args.store)
    if args.resume:
        return _resume(args)
    request = _request(args)
    with _board(args) as board:
        found = preparing.outline(request, board)
        if args.dry_run:
            return dry_run.tell(found, args.json)
        store = Store.create(args.store)
        request = msgspec.structs.replace(request, known=preparing.known(store))
        ready = preparing.prepare(request, found, new_session_id(), Progress().built)
        if not ready.plan.cases:
            _explain_nothing(ready)
        with store.start(ready.plan) as journal:
            return _drive(args, board, store, journal, ready)


def _drive(
    args: argparse.Namespace,
    board: Board,
    store: Store,
    journal: Journal,
    ready: preparing.Prepared,
) -> int:
    plan = ready.plan
    progress = Progress()
    total = sum(len(block) for block in plan.order)
    progress.warn(plan)
    progress.say(
        f"session {plan.session_id}: {len(plan.cases)} cases, {total} runs on {plan.device};"
        f" {_time_plan(plan)}"
    )
    try:
        with Scorer(plan.cases, ready.sources, ready.evaluations) as scorer:
            Driver(plan, board, journal, scorer).run(progress, RunSchedule(plan))
    except KeyboardInterrupt:
        progress.ends()
        print(
            f"interrupted: {len(journal.runs)} of {total} runs are kept;"
            f" go on with: boardmark run --resume {plan.session_id}"
            f" --store {shlex.quote(str(args.store))}",
            file=sys.stderr,
        )
        return 130
    progress.ends()
    journal.close()
    store.seal(plan.session_id)
    return conclude(args, store, plan.session_id)


def _time_plan(plan: SessionPlan) -> str:
    """Say how long it will take, and what decides that."""
    planned = minutes(plan.sampling["planned_s"])
    goal = plan.sampling["goal"]
    if goal is None:
        return f"about {planned}"
    if plan.sampling["budget_s"]:
        return f"at most {planned}, less if every case is within ±{goal:.1%} before"
    most = minutes(plan.sampling["planned_s"] * max(1, MOST_BLOCKS / max(1, plan.blocks)))
    return (
        f"about {planned}, then up to {MOST_BLOCKS} runs of each case wider than ±{goal:.1%},"
        f" {most} at the most"
    )


def _resume(args: argparse.Namespace) -> int:
    _check_alone(args)
    store = Store.open(args.store)
    gates = {one.session_id for one in list_sessions(store).entries if one.kind != "run"}
    live = [session for session in store.live() if session not in gates]
    if not live and args.resume == "latest":
        raise UsageError(
            "there is no unfinished session to resume", "boardmark list sessions shows all"
        )
    session_id = live[-1] if args.resume == "latest" else store.resolve(args.resume)
    with store.resume(session_id) as journal:
        plan = journal.plan
        if plan.kind == "import":
            raise UsageError(
                f"{session_id} is an import that was interrupted",
                "import its file again with boardmark import",
            )
        if plan.kind != "run":
            raise UsageError(
                f"{session_id} is a {plan.kind}: its two sides belong into one stretch of time",
                "measure again with boardmark gate",
            )
        before = _parse(plan.command)
        request = _request(before)
        with _board(before) as board:
            found = preparing.outline(request, board)
            ready = preparing.prepare(request, found, session_id, Progress().built)
            _check_same(plan.cases, ready.plan.cases)
            ready = preparing.Prepared(
                plan=plan, sources=ready.sources, evaluations=ready.evaluations
            )
            Progress().say(f"resuming {session_id}: {len(journal.runs)} runs are there")
            return _drive(args, board, store, journal, ready)


def _check_alone(args: argparse.Namespace) -> None:
    """Refuse options that would change what a session measures: it goes on as it began."""
    usual = vars(_parse(("run",)))
    free = ("resume", "store", "json", "no_report", "open")
    given = [
        name.replace("_", "-")
        for name, value in vars(args).items()
        if name not in free and value != usual[name]
    ]
    if given:
        raise UsageError(
            f"--resume goes on with the session's own options, not with --{given[0]}",
            "leave it out, or start a new session without --resume",
        )


def _check_same(planned: tuple[Case, ...], now: tuple[Case, ...]) -> None:
    keys = {case.key for case in planned}
    gone = keys - {case.key for case in now}
    if gone:
        raise UsageError(
            f"{len(gone)} of {len(keys)} cases changed: another model, runtime or toolchain",
            "start a new session; the unfinished one can still be read",
        )


def _parse(command: tuple[str, ...]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    prepare(parser)
    return parser.parse_args(list(command[1:]))


def _board(args: argparse.Namespace) -> Board:
    cache = places.cache()
    find = Interpreters(options.interpreters(args.interpreter))
    return Board(lambda python: LocalTransport(cache, python), find)


def _request(args: argparse.Namespace) -> preparing.Request:
    options.check_data(args, args.model or ())
    choice = Choice(
        suite=args.suite,
        device=args.device,
        models=tuple(options.absolute(word) for word in args.model) if args.model else None,
        variants=args.variants,
        backends=args.backends,
        batches=args.batch,
        threads=args.threads,
        cores=args.cores,
        blocks=args.blocks,
        budget_s=args.budget,
        precision=args.precision,
        sample_s=args.sample,
        seed=args.seed,
    )
    given = ModelOptions(
        shapes=dict(parse_shape(text) for text in args.shape),
        calibration=args.calibration.absolute() if args.calibration else None,
        labels=args.labels.absolute() if args.labels else None,
        seed=args.seed,
    )
    return preparing.Request(
        choice=choice,
        options=given,
        cache=places.cache(),
        command=_command(args),
        harness_version=version("boardmark"),
    )


def _command(args: argparse.Namespace) -> tuple[str, ...]:
    """Return the words that would ask for the same session again, from any directory."""
    words = ["run", "--suite", args.suite, "--device", args.device, "--seed", str(args.seed)]
    for name in ("variants", "backends", "batch", "cores"):
        value = getattr(args, name)
        words += [f"--{name}", ",".join(map(str, value))] if value else []
    for name in ("threads", "blocks", "budget", "precision", "sample"):
        value = getattr(args, name)
        words += [f"--{name}", str(value)] if value is not None else []
    for name in ("calibration", "labels"):
        value = getattr(args, name)
        words += [f"--{name}", str(value.absolute())] if value else []
    for name in ("model", "shape", "interpreter"):
        for value in getattr(args, name) or ():
            words += [f"--{name}", options.absolute(value) if name == "model" else value]
    return tuple(words)


def _explain_nothing(ready: preparing.Prepared) -> None:
    reasons = dict.fromkeys(
        f"{skip.variant} on {skip.backend}: {skip.reason}" for skip in ready.plan.skipped
    )
    raise DeviceError("nothing can be measured here: " + "; ".join(list(reasons)[:4]))
