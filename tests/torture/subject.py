"""What the processes do that faults are put into: write a small session, read it back.

Run ids are acknowledged with writev(), which no fault touches: the pipe stands for the people and
programs who rely on what they were told.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from pathlib import Path

import handmade

from harness import cli
from harness.errors import BoardmarkError
from results.sessions import load
from results.store import Store

RUNS = tuple(handmade.runs()[:6])
SEALED = "sealed"

Say = Callable[[str], None]


def write(where: str, say: Say) -> None:
    """Bring the session to its end from wherever it is; `say` each run that is safe, then SEALED.

    A session that is committed is sealed once more, which takes away a journal that was left.
    """
    store = Store.create(Path(where))
    sealed = store.catalog().sessions()
    for session_id in sealed:
        store.seal(session_id)
    if not sealed:
        _measure(store, say)
    say(SEALED)


def _measure(store: Store, say: Say) -> None:
    live = store.live()
    with store.resume(live[0]) if live else store.start(handmade.plan()) as journal:
        there = {run.run_id for run in journal.runs}
        for run in RUNS:
            if run.run_id not in there:
                journal.append(run)
                say(run.run_id)
    store.seal(handmade.SESSION_ID)


def read(where: str, say: Say) -> None:
    """Say every run that our own reader finds, and every problem that it tells of."""
    session = load(Store.open(Path(where)))
    for run in session.runs:
        say(run.run_id)
    for problem in session.problems:
        say(f"problem: {problem}")


def verify(where: str, say: Say) -> None:
    """Say how `boardmark store verify` ends."""
    say(f"exit {cli.main(['store', 'verify', '--store', where])}")


DEEDS: dict[str, Callable[[str, Say], None]] = {"write": write, "read": read, "verify": verify}


def carried_out(deed: str, where: str, acks: int, errors: int) -> int:
    """Carry a deed out as the command line would and return its exit code.

    Acknowledgements and the message go to the descriptors `acks` and `errors`.
    """
    try:
        DEEDS[deed](where, lambda text: _tell(acks, text))
    except BoardmarkError as error:
        _tell(errors, f"boardmark: {error}")
        return error.exit_code
    except OSError as error:
        _tell(errors, f"boardmark: cannot read or write {error.filename!r}: {error.strerror}")
        return 2
    except BaseException:
        # the judge counts it; printed by hand because the write() of a traceback may be faulty too
        _tell(errors, traceback.format_exc())
        return 1
    return 0


def _tell(descriptor: int, text: str) -> None:
    os.writev(descriptor, [text.encode() + b"\n"])
