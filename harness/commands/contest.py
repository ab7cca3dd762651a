"""Two sides in one session: what `gate` and `calibrate` share, from their options to the runs."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec

from harness import places, units
from harness.commands import options, reach
from harness.commands.progress import Progress, minutes
from harness.errors import UsageError
from harness.gate.policy import Policy
from harness.plan import sides
from harness.plan.choice import Choice
from harness.plan.sides import Side
from harness.session import prepare as preparing
from harness.session.boards import Board
from harness.session.driver import Driver
from harness.session.gating import GateSchedule
from harness.session.pairing import Pairs, Wish, fixed, pair
from harness.session.scoring import Scorer
from harness.types import Kind, Run, SessionPlan
from results.store import Store, new_session_id
from suites.models import ModelOptions, parse_shape

# Any suite lends its time-outs; models, levels and runtimes are the two sides' own.
_SUITE = "quick"
# The anchor's workload against itself; the model that stands for it here is never built.
FIXED = Side(word="", kind="model", model="null-model")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare what decides how two sides are measured."""
    add = parser.add_argument
    add("--model", metavar="NAME|PATH", help="the model, where the sides are levels or pythons")
    add("--backends", type=options.words, metavar="A,B",
        help="the runtimes to measure with (default: that of the file's own format)")  # fmt: skip
    reach.add_options(parser)
    add("--budget", type=units.parse_duration_s, metavar="20s|3m", help="time for all measuring")
    add(
        "--blocks",
        type=options.look_blocks,
        metavar="N",
        help="blocks per look, 5 or more (default: 10)",
    )
    add("--threads", type=options.count, help="threads of the runtime (default: one per core)")
    add("--cores", type=options.cores, metavar="0-3", help="pin the runs to these cores")
    add("--seed", type=options.seed, default=0, help="of inputs and order (default: 0)")
    add("--shape", action="append", default=[], metavar="INPUT=1x128",
        help="bind an input's open dimensions; may be given more than once")  # fmt: skip
    add("--calibration", type=Path, metavar="DATA.npz",
        help="samples for static quantization and for scoring")  # fmt: skip
    add("--labels", type=Path, metavar="FILE", help="class indices of the calibration samples")
    options.add_store(parser)


def wish(args: argparse.Namespace, kind: Kind, held: Policy, slow_down: float = 0.0) -> Wish:
    """Return what the session is to be, a fresh id included."""
    wants_energy = "energy" in held.budgets or held.margins.get("energy") is not None
    return Wish(
        kind=kind,
        session_id=new_session_id(),
        blocks=args.blocks,
        budget_s=args.budget,
        energy_s=1.5 if wants_energy else 0.0,
        alpha=held.alpha,
        policy=msgspec.to_builtins(held),
        names={"base": args.base, "candidate": args.candidate} if args.base else {},
        slow_down=slow_down,
    )


def refuse_model_options(args: argparse.Namespace) -> None:
    """Raise UsageError for options that need a model where none was named."""
    for name in ("model", "backends", "shape", "calibration", "labels"):
        if getattr(args, name):
            raise UsageError(f"--{name} without --base says nothing", "name a model with --base")


@contextlib.contextmanager
def boards(args: argparse.Namespace, both: Sequence[Side]) -> Iterator[tuple[Board, ...]]:
    """Open one board per side; sides that name no python of their own share one."""
    place = reach.place(args.device, args.lab)
    with contextlib.ExitStack() as stack:
        opened = {
            python: stack.enter_context(
                reach.board(
                    place, dict.fromkeys(_backends(args, both[0]), python) if python else None
                )
            )
            for python in dict.fromkeys(side.interpreter for side in both)
        }
        yield tuple(opened[side.interpreter] for side in both)


def pairs(
    args: argparse.Namespace,
    wanted: Wish,
    both: Sequence[Side],
    found: Sequence[Board],
    store: Store,
) -> Pairs:
    """Prepare both sides on their boards, build what is missing, plan the blocks."""
    requests = [_request(args, side, store) for side in both]
    outlines = [
        preparing.outline(request, board) for request, board in zip(requests, found, strict=True)
    ]
    if both[0] is FIXED:
        return fixed(wanted, requests[0], outlines[0])
    base, candidate = (
        preparing.prepare(request, outline, wanted.session_id, Progress().built)
        for request, outline in zip(requests, outlines, strict=True)
    )
    return pair(wanted, requests[0], outlines[0], (base, candidate))


def drive(
    store: Store,
    board: Board,
    chosen: Pairs,
    needs_more: Callable[[Sequence[Run]], bool],
) -> tuple[Run, ...]:
    """Measure and seal; return the runs. What Ctrl-C leaves is sealed as well, and raised again."""
    plan, ready = chosen.plan, chosen.prepared
    progress = Progress()
    progress.warn(plan)
    progress.say(_announce(plan))
    with store.start(plan) as journal:
        try:
            with Scorer(plan.cases, ready.sources, ready.evaluations, chosen.against) as scorer:
                Driver(plan, board, journal, scorer).run(progress, GateSchedule(plan, needs_more))
        except KeyboardInterrupt:
            progress.say(
                f"interrupted: {len(journal.runs)} runs are kept;"
                f" see them with: boardmark show --session {plan.session_id}"
                f" --store {shlex.quote(str(store.root))}"
            )
            raise
        finally:
            progress.ends()
            runs = journal.runs
            journal.close()
            store.seal(plan.session_id)
    return runs


def _announce(plan: SessionPlan) -> str:
    """Say what is about to be measured and how long that takes."""
    count = len(plan.cases) // 2
    what = f"{count} pairs" if count > 1 else "1 pair"
    look = plan.design["blocks"]
    return (
        f"{plan.kind} {plan.session_id}: {what}, {look} blocks and {look} more if those cannot"
        f" tell, on {plan.device}; at most {minutes(plan.sampling['planned_s'])}"
    )


def _backends(args: argparse.Namespace, base: Side) -> tuple[str, ...]:
    if base is FIXED:
        return ("null",)
    return args.backends or (sides.default_backend(base),)


def _request(args: argparse.Namespace, side: Side, store: Store) -> preparing.Request:
    given = ModelOptions(
        shapes=dict(parse_shape(text) for text in args.shape),
        calibration=args.calibration.absolute() if args.calibration else None,
        labels=args.labels.absolute() if args.labels else None,
        seed=args.seed,
    )
    choice = Choice(
        suite=_SUITE,
        device=args.device,
        models=(options.absolute(side.model),),
        variants=(side.variant,),
        backends=_backends(args, side),
        batches=(1,),
        threads=args.threads,
        cores=args.cores,
        seed=args.seed,
    )
    return preparing.Request(
        choice=choice,
        options=given,
        cache=places.cache(),
        command=tuple(sys.argv[1:]),
        harness_version=version("boardmark"),
        known=preparing.known(store),
        place=reach.place(args.device, args.lab),
    )
