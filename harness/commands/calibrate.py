"""Learn what equal sides look like here: A/A sessions set the threshold of a false alarm.

Each session measures one side against itself, in a gate's design and both its looks. 99 of them
bound false alarms at 1 %, 19 at 5 %; until there are enough, a gate says UNCALIBRATED.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.commands import contest, options
from harness.gate import calibration, judge, policy
from harness.gate.policy import Policy
from harness.gate.verdict import Judgement
from harness.plan import sides
from harness.plan.sides import Side
from harness.session.boards import Board
from harness.session.pairing import Pairs
from harness.stats.calibration import by_rank
from results.storage import measurable
from results.store import Store


def prepare(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--base", metavar="A", help="what to measure against itself (default: a fixed workload)")
    contest.add_options(parser)
    add("--policy", type=Path, metavar="FILE", help="the policy of the gate to calibrate")
    add("--sessions", type=options.count, default=10, metavar="N",
        help="how many A/A sessions to add (default: %(default)s)")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Measure the sessions and say how far the calibration is; Ctrl-C keeps what is finished."""
    args.store = measurable(args.store)
    held = policy.load(args.policy) if args.policy else Policy()
    both = _sides(args)
    store = Store.create(args.store)
    alarms = 0
    first_seed = args.seed
    with contest.boards(args, both) as found:
        for number in range(args.sessions):
            args.seed = (first_seed + number) % 2**32
            pairs = contest.pairs(args, contest.wish(args, "calibration", held), both, found, store)
            judged = _session(pairs, found[0], store, held)
            alarms += judged.outcome == "regressed"
            print(f"{number + 1} of {args.sessions}: {_told(judged)}", flush=True)
    print(f"{alarms} of {args.sessions} A/A sessions were called regressed")
    minima = calibration.null_minima(store, pairs.plan, held)
    print(judge.calibration_sentence(by_rank(minima, held.alpha), pairs.plan))
    return 0


def _sides(args: argparse.Namespace) -> tuple[Side, ...]:
    if args.base is None:
        contest.refuse_model_options(args)
        return (contest.FIXED, contest.FIXED)
    args.candidate = args.base
    return sides.both(args.base, args.base, args.model)


def _session(pairs: Pairs, board: Board, store: Store, held: Policy) -> Judgement:
    """Measure one A/A session with both looks; return what a gate says of it.

    It is held against the sessions before it: one that helps to set the limit would never cross it.
    """
    minima = calibration.null_minima(store, pairs.plan, held)
    runs = contest.drive(store, board, pairs, lambda seen: True)
    return judge.judge(pairs.plan, runs, held, minima)


def _told(judged: Judgement) -> str:
    p = "unknown" if judged.smallest_p is None else f"{judged.smallest_p:.2g}"
    blocks = f"{judged.blocks_used} undisturbed blocks, {judged.blocks_rejected} disturbed"
    return f"{judged.outcome}, smallest p {p}, {blocks}"
