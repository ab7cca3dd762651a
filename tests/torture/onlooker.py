"""Our own readers held against what is known to be true of a store."""

from __future__ import annotations

import contextlib
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from harness.errors import BoardmarkError
from harness.types import Run
from results.sessions import Entry, Session, list_sessions, load
from results.store import Store
from results.upkeep.verify import verify


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What our readers give: the list, each session that loads, and what they say is wrong.

    `refused` are sentences of our own errors, `crashed` tracebacks of any other exception.
    """

    entries: dict[str, Entry] = {}
    sessions: dict[str, Session] = {}
    problems: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    crashed: tuple[str, ...] = ()

    @property
    def runs(self) -> dict[str, Run]:
        """Return the runs of all sessions by id."""
        return {run.run_id: run for one in self.sessions.values() for run in one.runs}

    def wrong(self, expected: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
        """Say which runs are not given, given twice, or not with the samples that they have."""
        yield from self.crashed
        there = self.runs
        for run_id, samples in expected.items():
            found = there.get(run_id)
            if found is None:
                yield f"our reader does not give {run_id}: {'; '.join(self.refused)}"
            elif found.samples_ns != samples:
                yield f"our reader gives other samples of {run_id}"
        counts = Counter(run.run_id for one in self.sessions.values() for run in one.runs)
        yield from (f"our reader gives {name} twice" for name, n in counts.items() if n > 1)


def look(where: Path, wanted: tuple[str, ...] = ()) -> View:
    """Read the list of the store at `where`, and the sessions `wanted` or all that it names."""
    entries: dict[str, Entry] = {}
    sessions: dict[str, Session] = {}
    said: dict[str, list[str]] = {"problems": [], "refused": [], "crashed": []}
    with _noted(said):
        store = Store.open(where)
        listing = list_sessions(store)
        said["problems"] += listing.problems
        entries = {entry.session_id: entry for entry in listing.entries}
        for session_id in wanted or entries:
            with _noted(said):
                session = load(store, session_id)
                said["problems"] += session.problems
                sessions[session_id] = session
    words = {name: tuple(dict.fromkeys(found)) for name, found in said.items()}
    return View(entries=entries, sessions=sessions, **words)


def listed(where: Path) -> tuple[str, ...]:
    """Return what the list of the store at `where` says is wrong."""
    return list_sessions(Store.open(where)).problems


def tried(deed: Callable[[Path], object], where: Path) -> list[str]:
    """Do something with a store that has to succeed; say how it failed."""
    try:
        deed(where)
    except BoardmarkError as error:
        return [f"{deed.__name__.strip('_')} was refused: {error}"]
    except Exception:
        return [traceback.format_exc()]
    return []


def verified(where: Path) -> list[str]:
    """Say what `boardmark store verify` finds damaged or lost."""
    found: list[str] = []
    refused = tried(lambda store: found.extend(verify(Store.open(store)).damage), where)
    return [f"verify: {sentence}" for sentence in (*refused, *found)]


@contextlib.contextmanager
def _noted(said: dict[str, list[str]]) -> Iterator[None]:
    try:
        yield
    except BoardmarkError as error:
        said["refused"].append(str(error))
    except Exception:
        said["crashed"].append(traceback.format_exc())
