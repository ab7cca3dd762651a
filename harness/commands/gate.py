"""Decide whether a candidate may replace a base: both are measured now, in the same blocks.

Base and candidate are two model files, two levels of one --model (fp32, int8-dynamic), or two
pythons that hold two versions of a runtime. Exit codes: 0 pass, 1 regressed or over a budget, 3 the
data cannot tell, 4 a side failed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.commands import contest, options
from harness.commands.progress import tell
from harness.errors import UsageError
from harness.gate import calibration, judge, policy
from harness.gate.policy import Policy
from harness.gate.verdict import Judgement
from harness.plan import sides
from harness.session.boards import Board
from harness.session.pairing import Pairs
from harness.types import Run
from harness.whole_file import write_whole
from reports import gate as formats
from results.storage import measurable
from results.store import Store

_USUAL_SLOW_DOWN = 0.2


def prepare(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--base", metavar="A", help="what is shipped today: a model, a level or a python")
    add("--candidate", metavar="B", help="what is to replace it")
    contest.add_options(parser)
    add("--policy", type=Path, metavar="FILE", help="margins, budgets, what blocks: docs/gate.md")
    add("--format", choices=tuple(formats.FORMATS), default="text", help="how to tell the verdict")
    add("-o", "--output", type=Path, metavar="FILE", help="write the verdict there as well")
    add(
        "--self-test",
        nargs="?",
        type=options.share,
        const=_USUAL_SLOW_DOWN,
        metavar="SHARE",
        help="slow the candidate down by SHARE (20%%) on purpose and see that the gate says so;"
        " without --base on a small fixed workload",
    )


def run(args: argparse.Namespace) -> int:
    """Measure both sides, judge, tell; return the exit code of the verdict."""
    args.store = measurable(args.store)
    held = policy.load(args.policy) if args.policy else Policy()
    _check_slow_down(args.self_test, held.margin("latency_p50"))
    both = _sides(args)
    if args.output:
        _check_target(args.output)
    store = Store.create(args.store)
    with contest.boards(args, both) as found:
        if args.self_test is not None:
            wanted = contest.wish(args, "self-test", held, args.self_test)
        else:
            wanted = contest.wish(args, "gate", held)
        pairs = contest.pairs(args, wanted, both, found, store)
        judged = _measure(args, store, found[0], pairs, held)
    told = formats.render(judged, args.format)
    if args.output:
        _write(args.output, told + "\n")
    with contextlib.suppress(BrokenPipeError):  # a reader that left does not change the verdict
        print(told, flush=True)
    return _self_test(args, judged) if args.self_test is not None else judged.exit_code


def _check_slow_down(share: float | None, margin: float | None) -> None:
    """Refuse a self-test that a working gate lets pass: one within the margin."""
    if share is None:
        return
    if margin is None:
        raise UsageError("this policy turns latency_p50 off", "a self-test slows just that down")
    if share <= margin:
        raise UsageError(
            f"a slow-down of {share:.1%} lies within the margin of {margin:.1%}",
            "give --self-test a larger share",
        )


def _sides(args: argparse.Namespace) -> tuple[sides.Side, ...]:
    """Return base and candidate, which in a self-test are the same."""
    if args.self_test is not None:
        if args.candidate is not None and args.candidate != args.base:
            raise UsageError(
                "--self-test slows the base down and measures it against itself",
                "leave --candidate out",
            )
        if not args.base:
            contest.refuse_model_options(args)
            return (contest.FIXED, contest.FIXED)
        args.candidate = args.base
    if not args.base or not args.candidate:
        raise UsageError("a gate has two sides", "name them: boardmark gate --base A --candidate B")
    return sides.both(args.base, args.candidate, args.model)


def _measure(
    args: argparse.Namespace, store: Store, board: Board, pairs: Pairs, held: Policy
) -> Judgement:
    minima = calibration.null_minima(store, pairs.plan, held)

    def verdict(runs: Sequence[Run]) -> Judgement:
        return judge.judge(pairs.plan, runs, held, minima)

    def tells_too_little(runs: Sequence[Run]) -> bool:
        return judge.needs_extension(verdict(runs))

    judged = verdict(contest.drive(store, board, pairs, tells_too_little))
    alarm = calibration.alarm(minima, held.alpha, judged.family)
    return msgspec.structs.replace(judged, warnings=(*judged.warnings, alarm)) if alarm else judged


def _check_target(path: Path) -> None:
    """Refuse what no verdict can be written to before time goes into measuring one."""
    if path.is_dir():
        raise _unwritable(path, "is a directory")
    if not path.parent.is_dir():
        raise _unwritable(path, "its folder does not exist")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise _unwritable(path, "permission denied")


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise _unwritable(path, (error.strerror or str(error)).lower()) from error


def _unwritable(path: Path, reason: str) -> UsageError:
    return UsageError(f"cannot write {str(path)!r}: {reason}", "name another -o FILE")


def _self_test(args: argparse.Namespace, judged: Judgement) -> int:
    """Say whether the slow-down was found; 0 if it was, 3 if nothing was shown, 1 if it passed."""
    what = f"self-test: a slow-down of {args.self_test:.0%}"
    if judged.outcome == "regressed":
        tell(f"{what} was found, as it must be\n")
        return 0
    if judged.outcome == "pass":
        tell(f"{what} was NOT found: this gate is blind here\n")
        return 1
    tell(f"{what} could not be decided: {judged.outcome}\n")
    return 4 if judged.outcome == "failed" else 3
