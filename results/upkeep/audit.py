"""What the parts of a store say together: is every session whole, does the index agree."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from results import layout, quarantine
from results.catalog import Catalog, Covered
from results.schema import TABLES
from results.sessions import list_sessions
from results.storage import MissingError, Storage
from results.store import Store
from results.upkeep import rewrite
from results.upkeep.counts import Counts, Facts
from results.upkeep.untouched import Untouched

_REINDEX = "boardmark store reindex makes it anew"
_OF_FORMAT_1 = ("sessions", "runs", "samples")
_ID = re.compile(layout.SESSION_ID.pattern)

Known = Mapping[str, Facts | str]


class Sum(msgspec.Struct, kw_only=True):
    """What was found in the committed sessions."""

    runs: int = 0
    samples: int = 0


def session(catalog: Catalog, name: str, known: Known, total: Sum) -> list[str]:
    """Return what is wrong with a committed session; add what it has to `total`."""
    commit = catalog.owner("sessions", name)
    if commit is None:
        return []
    wrong = []
    held: dict[str, Counts] = {}
    for table in _OF_FORMAT_1 if rewrite.is_old(commit.path) else TABLES:
        part = catalog.owner(table, name)
        found = None if part is None else known.get(part.path)
        if part is None:
            wrong.append(f"session {name!r} has no part in {table!r}")
        elif isinstance(found, Facts):
            held[table] = found.held[name]
        else:
            wrong.append(f"session {name!r} cannot be read whole: see {part.path!r}")
    total.runs += held["runs"].runs if "runs" in held else 0
    total.samples += held["samples"].samples if "samples" in held else 0
    return wrong + [f"session {name!r} {clause}" for clause in _differences(held)]


def _differences(held: Mapping[str, Counts]) -> list[str]:
    """Return clauses about rows that are too few or too many."""
    clauses = []
    said, runs, samples = (held.get(table) for table in _OF_FORMAT_1)
    if said is not None and said.rows != 1:
        clauses.append(f"has {said.rows} rows in 'sessions'")
    if said is not None and runs is not None:
        if runs.runs != said.runs:
            clauses.append(f"has {runs.runs} of {said.runs} runs")
        if runs.skipped != said.skipped:
            clauses.append(f"has {runs.skipped} of {said.skipped} skipped cases")
    if runs is not None and runs.repeated:
        clauses.append(f"has {runs.repeated} runs twice")
    if runs is not None and samples is not None and runs.samples != samples.samples:
        clauses.append(f"has {samples.samples} of {runs.samples} samples")
    if "environments" in held and held["environments"].rows != 1:
        clauses.append(f"has {held['environments'].rows} rows in 'environments'")
    return clauses


def strays(catalog: Catalog, expected: frozenset[str]) -> tuple[list[str], list[str]]:
    """Return sentences about rows that do not count: those of lost sessions, and those to spare.

    Rows of the sessions `expected` are about to be committed or removed, which somebody will do.
    """
    lost: dict[str, None] = {}
    spare = 0
    for table in TABLES:
        for part in catalog.parts(table):
            owners = {name: catalog.owner(table, name) for name in part.sessions}
            spare += any(one is not None and one.path != part.path for one in owners.values())
            lost |= dict.fromkeys(
                name
                for name in part.sessions.keys() - expected
                if catalog.content(name) is None and name not in catalog.conflicts()
            )
    sentences = [
        f"session {name!r} has rows, but none in 'sessions' that commits it: merge or seal it again"
        for name in sorted(lost)
    ]
    twice = (
        f"{spare} parts hold sessions that others hold too:"
        " repeat the merge that was interrupted, or run boardmark store compact"
    )
    return sentences, [twice] if spare else []


def put_aside(
    storage: Storage, catalog: Catalog, hurt: frozenset[str]
) -> tuple[list[str], list[str]]:
    """Return sentences about parts in quarantine whose sessions are lost, and about the others.

    A session is there again where another store gave it back; `hurt` are those that are not whole.
    """
    lost: list[str] = []
    spare: list[str] = []
    whole = set(catalog.sessions()) - hurt
    for name, sentence in quarantine.listed(storage).items():
        named = _ID.match(name)
        back = named is not None and named[0] in whole and "conflict over" not in sentence
        (spare if back else lost).append(sentence)
    return lost, [f"{one}: its session is whole all the same" for one in spare]


def index(storage: Untouched, catalog: Catalog, known: Known) -> list[str]:
    """Return what the index says otherwise than the parts do."""
    for table in TABLES:
        for part in catalog.parts(table):
            found = known.get(part.path)
            if isinstance(found, Facts) and _contradicts(part, found):
                return [f"the index is wrong about {part.path!r}: {_REINDEX}"]
    told = list_sessions(Store(storage)).entries
    if told != list_sessions(Store(_Unindexed(storage))).entries:
        return [f"the index lists other sessions than there are: {_REINDEX}"]
    return []


def _contradicts(part: Covered, found: Facts) -> bool:
    return part.sessions.keys() != found.footer.sessions.keys() or any(
        content not in (None, found.footer.sessions[name])
        for name, content in part.sessions.items()
    )


class _Unindexed(Untouched):
    """A store whose index is not there."""

    def read(self, path: str) -> bytes:
        """Return the bytes of a file that is no cache."""
        if path.startswith(f"{layout.INDEX}/"):
            raise MissingError(f"{path!r} is not looked at")
        return super().read(path)
