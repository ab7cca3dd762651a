"""Read sessions back, sealed or live, as they were; what is broken is named and left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.errors import StoreError
from harness.types import Json, Kind, Run, SessionPlan
from results import journal, parts, tables
from results.store import SESSIONS, Store

_ENTRY_COLUMNS = (
    "session_id",
    "created_unix_s",
    "device",
    "suite",
    "models",
    "cases",
    "skipped",
    "runs",
    "plan_json",
)


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known of one session; `problems` say what could not be read."""

    plan: SessionPlan
    runs: tuple[Run, ...]
    notes: tuple[str, ...]
    sealed: bool
    problems: tuple[str, ...] = ()


class _Purpose(msgspec.Struct):
    """The one word of a plan that says what a session was for; older plans do not have it."""

    kind: Kind = "run"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list of sessions; cases, skipped and runs are counts."""

    session_id: str
    created_unix_s: float
    device: str
    suite: str
    models: tuple[str, ...]
    cases: int
    skipped: int
    runs: int
    sealed: bool
    kind: Kind = "run"


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """All sessions of a store, oldest first, and what was found broken on the way."""

    entries: tuple[Entry, ...]
    problems: tuple[str, ...]


def load(store: Store, word: str = "latest") -> Session:
    """Return the session `word` stands for (see Store.resolve); StoreError if none is left."""
    session_id = store.resolve(word)
    problems: list[str] = []
    row = _session_row(store, session_id, problems)
    if row is not None:
        return _sealed(store, row, problems)
    path = store.root / SESSIONS / session_id / journal.JOURNAL
    if not path.is_file():
        # sealed by another process since we looked, or nothing is left of it
        row = _session_row(store, session_id, problems)
        if row is not None:
            return _sealed(store, row, problems)
        raise StoreError(
            f"session {session_id!r} cannot be read: {'; '.join(problems) or 'it is gone'}"
        )
    return _live(path, problems)


def list_sessions(store: Store) -> Listing:
    """Return one entry per session that can be read, and one sentence per file that cannot."""
    problems = list(parts.quarantined(store.root).values())
    entries: list[Entry] = []
    for session_id in store.sessions():
        try:
            row = _session_row(store, session_id, problems, _ENTRY_COLUMNS)
            entries.append(_live_entry(store, session_id, problems) if row is None else _entry(row))
        except StoreError as error:
            problems.append(str(error))
    return Listing(entries=tuple(entries), problems=tuple(problems))


def _session_row(
    store: Store, session_id: str, problems: list[str], columns: Sequence[str] | None = None
) -> Json | None:
    """Return the row that commits a sealed session, or None where there is no readable one."""
    for path in parts.find(store.root, "sessions", session_id):
        rows = _rows(store, path, problems, columns)
        if rows:
            return rows[0]
    return None


def _rows(
    store: Store, path: Path, problems: list[str], columns: Sequence[str] | None = None
) -> list[Json]:
    """Return the rows of a part; quarantine a corrupt one and add what is wrong to `problems`."""
    aside = parts.quarantined(store.root).get(path.name)
    if aside and not path.exists():
        problems.append(aside)
        return []
    try:
        return parts.read(path, columns)
    except parts.CorruptPartError as corrupt:
        problems.append(parts.quarantine(store.root, path, str(corrupt)))
    except StoreError as error:
        problems.append(str(error))
    return []


def _sealed(store: Store, row: Json, problems: list[str]) -> Session:
    """Return the session behind its row, with as many runs as its parts still give."""
    directory = store.root / parts.PARTS
    runs = _rows(store, directory / "runs" / row["runs_part"], problems)
    samples = _rows(store, directory / "samples" / row["samples_part"], problems)
    try:
        plan, measured = tables.plan_from(row), tables.runs_from(runs, samples)
    except (msgspec.MsgspecError, RecursionError, KeyError, TypeError) as error:
        raise _too_new(row["session_id"], error) from error
    return Session(
        plan=plan,
        runs=measured,
        notes=tuple(row["notes"]),
        sealed=True,
        problems=tuple(problems),
    )


def _live(path: Path, problems: list[str]) -> Session:
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


def _entry(row: Json) -> Entry:
    """Return the list line of a sealed session; StoreError where its plan cannot be read."""
    try:
        purpose = msgspec.json.decode(row.pop("plan_json"), type=_Purpose)
    except (msgspec.MsgspecError, TypeError) as error:
        raise _too_new(row["session_id"], error) from error
    return msgspec.convert({**row, "sealed": True, "kind": purpose.kind}, Entry)


def _too_new(session_id: str, error: Exception) -> StoreError:
    return StoreError(
        f"session {session_id!r} holds a record this version cannot read: {error}",
        "read it with the version of boardmark that wrote it",
    )


def _live_entry(store: Store, session_id: str, problems: list[str]) -> Entry:
    """Return the list line of a session that is not sealed."""
    session = _live(store.root / SESSIONS / session_id / journal.JOURNAL, [])
    problems.extend(session.problems)
    plan = session.plan
    return Entry(
        session_id=session_id,
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
