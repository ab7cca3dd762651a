"""`boardmark run --resume`: the same session goes on, with the options that it began with."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import msgspec

from harness.commands import driving, options, reach, request
from harness.commands.progress import Progress
from harness.errors import UsageError
from harness.session import prepare as preparing
from harness.types import Case, SessionPlan
from results.journal import Journal
from results.sessions import list_sessions
from results.store import Store

# Kind of session -> what to do instead of resuming it.
_NOT_RESUMED = {
    "import": "import its file again with boardmark import",
    "gate": "its two sides belong into one stretch of time: measure again with boardmark gate",
}


Declare = Callable[[argparse.ArgumentParser], None]


def run(args: argparse.Namespace, declare: Declare) -> int:
    """Find the session, prepare what it was about again, and make the runs that it lacks.

    `declare` adds the options of `boardmark run`, in whose words a session keeps what it was asked.
    """
    _check_alone(args, declare)
    store = Store.open(args.store)
    with store.resume(_chosen(args, store)) as journal:
        plan = journal.plan
        _check_kind(plan)
        before = _parse(plan.command, declare)
        Progress().say(f"resuming {plan.session_id}: {len(journal.runs)} runs are there")
        if plan.kind == "emulation":
            from harness.commands import emulate

            return emulate.resume(args, before, store, journal, _check_same)
        return _go_on(args, before, store, journal)


def _chosen(args: argparse.Namespace, store: Store) -> str:
    if args.resume != "latest":
        return store.resolve(args.resume)
    kinds = {one.session_id: one.kind for one in list_sessions(store).entries}
    live = [one for one in store.live() if kinds.get(one, "run") in ("run", "emulation")]
    if not live:
        raise UsageError(
            "there is no unfinished session to resume", "boardmark list sessions shows all"
        )
    return live[-1]


def _check_kind(plan: SessionPlan) -> None:
    if plan.kind not in ("run", "emulation"):
        advice = _NOT_RESUMED.get(plan.kind, "measure again")
        if plan.two_sided:
            advice = _NOT_RESUMED["gate"]
        kind = "an import" if plan.kind == "import" else f"a {plan.kind}"
        raise UsageError(f"{plan.session_id} is {kind} that was interrupted", advice)


def _go_on(
    args: argparse.Namespace, before: argparse.Namespace, store: Store, journal: Journal
) -> int:
    plan = journal.plan
    place = reach.place(before.device, before.lab)
    wanted = request.of(before, place)
    named = options.interpreters(before.interpreter, elsewhere=place is not None)
    with reach.board(place, named) as board:
        found = preparing.outline(wanted, board)
        ready = preparing.prepare(wanted, found, plan.session_id, Progress().built)
        _check_same(plan.cases, ready.plan.cases)
        ready = msgspec.structs.replace(ready, plan=plan)
        return driving.drive(args, board, store, journal, ready)


def _check_alone(args: argparse.Namespace, declare: Declare) -> None:
    """Refuse options that would change what a session measures: it goes on as it began."""
    usual = vars(_parse(("run",), declare))
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


def _parse(command: tuple[str, ...], declare: Declare) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    declare(parser)
    return parser.parse_args(list(command[1:]))
