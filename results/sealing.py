"""A closed journal into five parquet parts, the one in `sessions`, which commits them, last."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.errors import StoreError
from harness.types import SessionPlan
from results import intent, journal, layout, list_line, parts, quarantine, sessions, tables
from results.catalog import Catalog
from results.durable import ELSEWHERE, RESUME
from results.journal import Content
from results.lock import store_lock
from results.schema import TABLES, Footer
from results.storage import MissingError, Storage

_Encoded = dict[str, tuple[Footer, bytes]]


class ConflictError(StoreError):
    """The store has the session with other content; both are in quarantine now."""


def publish(storage: Storage, plan: SessionPlan, content: Content) -> tuple[str, ...]:
    """Put the parts of a session on the disk and return their paths, in the order of TABLES.

    What is there already is not written again. ConflictError where the store has the session with
    other content: the journal is not needed any more then. After any other StoreError it is, and
    doing it again completes it.
    """
    with _kept(len(content.runs)):
        encoded = _encode(plan, content)
        with store_lock(storage.root):
            intent.withdraw(storage, plan.session_id)
            catalog = Catalog.of(storage)
            if not catalog.claims("sessions", plan.session_id):
                _discard(storage, plan.session_id, encoded)
            wanted = _wanted(storage, catalog, plan.session_id, content)
            paths = {table: parts.publish(storage, *encoded[table]) for table in wanted}
            catalog.forget()
            if plan.session_id not in catalog.conflicts():
                complete = len(paths) == len(TABLES)
                of_session = () if complete else catalog.of_session(plan.session_id)
                return of_session or tuple(paths[table] for table in TABLES)
    raise ConflictError(
        "; ".join(quarantine.settled(storage, catalog)),
        "decide which content is right and move its parts back",
    )


def _wanted(
    storage: Storage, catalog: Catalog, session_id: str, content: Content
) -> tuple[str, ...]:
    """Return the tables that a session still needs a part in, the one that commits it last."""
    order = tuple(reversed(TABLES))
    committed = catalog.content(session_id)
    if committed is None:
        return order
    if committed == content.digest:
        return tuple(table for table in order if catalog.owner(table, session_id) is None)
    # format 1 digested its records another way: what counts is what can be read
    problems: list[str] = []
    try:
        found = sessions.sealed(storage, catalog, session_id, problems)
    except MissingError:
        return order
    if found is None or problems:
        return order
    read, journaled = ((one.plan, one.runs, one.notes) for one in (found, content))
    return () if read == journaled else order


def _encode(plan: SessionPlan, content: Content) -> _Encoded:
    """Return the parts of a session by table; StoreError unless they read back as its records."""
    from importlib.metadata import version  # slow to import, and most commands seal nothing

    recorded = tables.Recorded(
        plan=plan,
        runs=content.runs,
        notes=content.notes,
        content=content.digest,
        plan_json=content.plan_json,
        run_json=content.run_json,
    )
    encoded = {}
    back = {}
    for table, rows in tables.arrow(recorded).items():
        footer = Footer(
            table=table,
            writer=f"boardmark {version('boardmark')}",
            sessions={plan.session_id: content.digest},
            device=plan.device,
            month=layout.month_of(plan.created_unix_s),
            listing=list_line.listing_of(rows) if table == "sessions" else None,
        )
        data = parts.encode(rows, footer)
        encoded[table] = footer, data
        if table in ("sessions", "runs", "samples"):
            back[table] = parts.rows(parts.decode(data, parts.path_of(footer, data)))
    (row,) = back["sessions"]
    kept = tables.plan_from(row), tuple(row["notes"])
    if kept != (plan, content.notes) or (
        tables.runs_from(back["runs"], back["samples"]) != content.runs
    ):
        raise StoreError(
            f"session {plan.session_id!r} does not read back from parquet as it was journaled",
            "report this with the journal attached",
        )
    return encoded


def _discard(storage: Storage, session_id: str, encoded: _Encoded) -> None:
    """Remove what an interrupted seal left, so that no engine counts a run twice.

    Parts that are to be written now stay: they may be what that seal got done.
    """
    stays = {parts.path_of(*one) for one in encoded.values()}
    left = []
    for path in stays:
        here = layout.parse(path)
        if here is not None:
            # that seal may have been of a version that wrote format 1
            folders = (here.folder, msgspec.structs.replace(here, format=1).folder)
            left += [
                f"{folder}/{name}"
                for folder in folders
                for name in _names(storage, folder)
                if name.startswith(f"{session_id}-") and f"{folder}/{name}" not in stays
            ]
    storage.remove(*left)


def _names(storage: Storage, folder: str) -> list[str]:
    """Return the names in a folder of a local store, without those in folders below."""
    top = Path(storage.root or "") / folder
    return [path.name for path in top.iterdir()] if top.is_dir() else []


@contextlib.contextmanager
def _kept(runs: int) -> Iterator[None]:
    """Add to the errors of the block that nothing is lost, and how to go on."""
    try:
        yield
    except StoreError as error:
        cure = (error.advice or "look at the disk").removesuffix(ELSEWHERE).strip()
        raise StoreError(
            f"{error.message}; {journal.kept_runs(runs)}", f"{cure}, {RESUME}"
        ) from error
