"""A prepared session from its first run, or the first that is missing, to table and report."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable

from harness.commands.outcome import conclude
from harness.commands.progress import Progress, minutes
from harness.errors import BoardLost
from harness.session import prepare as preparing
from harness.session.boards import Board
from harness.session.driver import Driver
from harness.session.schedule import MOST_BLOCKS, RunSchedule
from harness.session.scoring import Scorer
from harness.types import SessionPlan
from results.journal import Journal
from results.store import Store


def drive(
    args: argparse.Namespace,
    board: Board,
    store: Store,
    journal: Journal,
    ready: preparing.Prepared,
) -> int:
    """Make the runs that the journal lacks, seal, tell; return the exit code."""
    plan = ready.plan
    progress = Progress()
    total = sum(len(block) for block in plan.order)
    progress.warn(plan)
    progress.say(
        f"session {plan.session_id}: {len(plan.cases)} cases, {total} runs on {plan.device};"
        f" {_time_plan(plan)}"
    )

    def measure() -> None:
        with Scorer(plan.cases, ready.sources, ready.evaluations) as scorer:
            Driver(plan, board, journal, scorer).run(progress, RunSchedule(plan))

    return to_the_end(args, store, journal, progress, measure)


def to_the_end(
    args: argparse.Namespace,
    store: Store,
    journal: Journal,
    progress: Progress,
    measure: Callable[[], None],
) -> int:
    """Measure, seal and tell; what ends it early is told with how it goes on. Return the code."""
    total = sum(len(block) for block in journal.plan.order)
    try:
        measure()
    except KeyboardInterrupt:
        progress.ends()
        print(f"interrupted: {_kept(args, journal, total)}", file=sys.stderr)
        return 130
    except BoardLost as error:
        progress.ends()
        raise BoardLost(f"{error.message}; {_kept(args, journal, total)}", error.advice) from error
    progress.ends()
    session_id = journal.plan.session_id
    journal.close()
    store.seal(session_id)
    return conclude(args, store, session_id)


def _kept(args: argparse.Namespace, journal: Journal, total: int) -> str:
    """Say what is kept of a session that ended early, and how it goes on."""
    return (
        f"{len(journal.runs)} of {total} runs are kept; go on with: boardmark run --resume"
        f" {journal.plan.session_id} --store {shlex.quote(str(args.store))}"
    )


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
