"""Read sessions back, sealed or live, as they were; what is broken is named and left out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.errors import StoreError
from harness.types import Json, Run, SessionPlan
from results import journal, parts, quarantine, tables
from results.catalog import Catalog
from results.index import Index
from results.list_line import Entry, lines_of
from results.storage import MissingError, Storage

if TYPE_CHECKING:
    from results.store import Store

__all__ = ["Entry", "Listing", "Session", "list_sessions", "load", "sealed"]

_TRIES = 20


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known of one session; `problems` say what could not be read."""

    plan: SessionPlan
    runs: tuple[Run, ...]
    notes: tuple[str, ...]
    sealed: bool
    problems: tuple[str, ...] = ()


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """All sessions of a store, oldest first, and what was found broken on the way."""

    entries: tuple[Entry, ...]
    problems: tuple[str, ...]


def load(store: Store, word: str = "latest", catalog: Catalog | None = None) -> Session:
    """Return the session `word` stands for (see Store.resolve); StoreError if none is left.

    Who loads many sessions passes the `catalog`, so that the parts are listed once.
    """
    catalog = store.catalog() if catalog is None else catalog
    session_id = store.resolve(word, catalog)
    problems: list[str] = []
    for _ in range(_TRIES):
        try:
            found = sealed(store.storage, catalog, session_id, problems)
            if found is None and session_id in store.live(catalog):
                return _live(store.journal(session_id), problems)
        except MissingError:
            found = None
        if found is not None:
            return found
        if problems:
            break
        # sealed, compacted or pruned by another process since we looked
        catalog.forget()
    raise StoreError(
        f"session {session_id!r} cannot be read: {'; '.join(problems) or 'it is gone'}"
    )


def list_sessions(store: Store) -> Listing:
    """Return one entry per session that can be read, and one sentence per file that cannot."""
    for _ in range(_TRIES):
        with contextlib.suppress(MissingError):
            return _listing(store)
    raise StoreError(
        f"the sessions of {store.label!r} change faster than they can be listed",
        "wait until whoever seals or prunes them is done",
    )


def _listing(store: Store) -> Listing:
    """Return what list_sessions does; MissingError where a session was sealed meanwhile."""
    catalog = store.catalog()
    # before the parts are listed: sealing publishes first and removes the journal then
    live = store.live(catalog)
    problems = quarantine.settled(store.storage, catalog)
    entries = _sealed_entries(store.storage, catalog, problems)
    committed = {entry.session_id for entry in entries}
    for session_id in live:
        try:
            if session_id not in committed:
                entries.append(_live_entry(store.journal(session_id), problems))
        except MissingError:
            raise
        except StoreError as error:
            problems.append(str(error))
    problems = [*quarantine.listed(store.storage).values(), *catalog.problems, *problems]
    return Listing(
        entries=tuple(sorted(entries, key=lambda entry: entry.session_id)),
        problems=tuple(dict.fromkeys(problems)),
    )


def sealed(
    storage: Storage, catalog: Catalog, session_id: str, problems: list[str]
) -> Session | None:
    """Return a committed session with as many runs as its parts still give, else None.

    What is wrong is added to `problems`. MissingError where a part went away meanwhile.
    """
    rows = {
        table: _rows(storage, catalog, table, session_id, problems)
        for table in ("sessions", "runs", "samples")
    }
    if not rows["sessions"]:
        return None
    row = rows["sessions"][0]
    try:
        plan = tables.plan_from(row)
        measured = tables.runs_from(rows["runs"], rows["samples"])
        notes = tuple(map(str, row["notes"]))
    except (msgspec.MsgspecError, RecursionError, KeyError, TypeError) as error:
        raise StoreError(
            f"session {session_id!r} holds a record this version cannot read: {error}",
            "read it with the version of boardmark that wrote it",
        ) from error
    if not problems:
        problems += _missing(row, rows["runs"], measured)
    return Session(
        plan=plan,
        runs=measured,
        notes=notes,
        sealed=True,
        problems=tuple(dict.fromkeys((*catalog.problems, *problems))),
    )


def _missing(row: Json, rows: list[Json], measured: tuple[Run, ...]) -> Iterator[str]:
    """Say what a session's parts lack although every byte of them is as it was written."""
    name = row["session_id"]
    if row["runs"] != len(measured):
        yield f"session {name!r} has {row['runs']} runs and its parts give {len(measured)}"
    counts = {one["run_id"]: one["samples"] for one in rows}
    short = [run.run_id for run in measured if counts[run.run_id] != len(run.samples_ns)]
    if short:
        yield f"session {name!r} lacks samples of {len(short)} of its runs, {short[0]!r} the first"


def _rows(
    storage: Storage, catalog: Catalog, table: str, session_id: str, problems: list[str]
) -> list[Json]:
    """Return a session's rows; quarantine a corrupt part and add what is wrong to `problems`."""
    told = False
    while (part := catalog.owner(table, session_id)) is not None:
        try:
            checked = catalog.seen(part)
            found = parts.read_table(storage, part.path, session_id=session_id, checked=checked)
            catalog.remember(part)
            return parts.rows(found)
        except parts.CorruptPartError as corrupt:
            problems.append(quarantine.aside(storage, part.path, str(corrupt)))
            catalog.distrust(part)
            told = True
        except MissingError:
            raise
        except StoreError as error:
            problems.append(str(error))
            return []
    if not told and catalog.owner("sessions", session_id):
        problems.append(absent(storage, table, session_id))
    return []


def absent(storage: Storage, table: str, session_id: str) -> str:
    """Return the sentence about a part that a committed session should have and has not."""
    aside = [
        sentence
        for name, sentence in quarantine.listed(storage).items()
        if name.startswith((session_id, "compact-")) and f"/{table}/" in sentence
    ]
    return f"session {session_id!r} has no part in {table!r}" + "".join(f"; {one}" for one in aside)


def _sealed_entries(storage: Storage, catalog: Catalog, problems: list[str]) -> list[Entry]:
    """Return the list lines of the committed sessions, most of them from what is remembered."""
    index: Index[tuple[Entry, ...]] = Index(storage, "entries", tuple[Entry, ...])
    again = True
    while again:
        entries: list[Entry] = []
        again = False
        for part, out in catalog.live("sessions"):
            try:
                lines = index.get(part.entry)
                if lines is None:
                    lines, refused = lines_of(storage, catalog, part)
                    problems += refused
                    if not refused:
                        index.put(part.entry, lines)
                entries += (line for line in lines if line.session_id not in out)
            except parts.CorruptPartError as corrupt:
                problems.append(quarantine.aside(storage, part.path, str(corrupt)))
                again = True
                catalog.distrust(part)
            except MissingError:
                again = True
                catalog.forget()
            except StoreError as error:
                problems.append(str(error))
    index.save(catalog.lists)
    catalog.save()
    return entries


def _live(path: Path, problems: Sequence[str]) -> Session:
    """Return what a journal holds so far, without the lines that cannot be read."""
    content = journal.read(path, salvage=True)
    if content.plan is None:
        raise StoreError(
            f"{str(path)!r} holds no readable plan",
            "move the session's directory away and measure again",
        )
    return Session(
        plan=content.plan,
        runs=content.runs,
        notes=content.notes,
        sealed=False,
        problems=(*problems, *content.damaged),
    )


def _live_entry(path: Path, problems: list[str]) -> Entry:
    """Return the list line of a session that is not sealed."""
    session = _live(path, ())
    problems.extend(session.problems)
    plan = session.plan
    return Entry(
        session_id=plan.session_id,
        created_unix_s=plan.created_unix_s,
        device=plan.device,
        suite=plan.suite,
        models=tuple(tables.model_names(plan)),
        cases=len(plan.cases),
        skipped=len(plan.skipped),
        runs=len(session.runs),
        sealed=False,
        kind=plan.kind,
    )
