"""One file into the store, whole or not at all: the same document again changes nothing."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.errors import StoreError
from harness.types import SessionPlan
from results import imports
from results.imports.session import Names, plan_of, runs_of, tail
from results.imports.source import Source, opened
from results.store import Store


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was read and understood, and not yet kept: nothing is written for it."""

    source: Source
    word: str
    reading: imports.Reading
    names: Names


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The session that a file became; not `new` where the store held it already.

    `device` and `models` are the session's own: those of the first time.
    """

    session_id: str
    new: bool
    device: str
    models: tuple[str, ...]
    cases: int


def understood(path: Path, word: str, names: Names) -> Import:
    """Return the file at `path`, ready to be kept; UsageError where anything about it is wrong."""
    source = opened(path)
    found, reading = imports.read(source, word)
    plan_of(source, found, reading, names)
    return Import(source=source, word=found, reading=reading, names=names)


def keep(store: Store, what: Import) -> Kept:
    """Put the session of a file into the store; it is sealed when this returns. StoreError."""
    plan = plan_of(what.source, what.word, what.reading, what.names)
    held = _held(store, what, plan)
    if held is not None and held not in store.live():
        return _kept(_plan(store, held), new=False)
    # held and live: an import that was killed between its first line and its end
    journal = store.start(plan) if held is None else store.resume(held)
    with journal:
        names = msgspec.convert(journal.plan.design["import"]["names"], Names)
        for run in runs_of(journal.plan, what.reading, names):
            journal.append(run)
    store.seal(journal.plan.session_id)
    return _kept(journal.plan, new=True)


def _held(store: Store, what: Import, plan: SessionPlan) -> str | None:
    """Return the session that this document is already, under whatever names and time."""
    part = f"-{tail(what.reading)}"
    alike = [one for one in store.sessions() if part in one]
    if plan.session_id in alike:
        return plan.session_id
    for session_id in alike:
        found = _plan(store, session_id).design.get("import")
        if isinstance(found, dict) and found.get("sha256") == what.reading.sha256:
            return session_id
    return None


def _plan(store: Store, session_id: str) -> SessionPlan:
    """Return the plan of a session of the store."""
    from results.sessions import load

    try:
        return load(store, session_id).plan
    except StoreError as error:
        raise StoreError(
            f"the file is in the store as session {session_id!r}, which cannot be read: {error}"
        ) from error


def _kept(plan: SessionPlan, new: bool) -> Kept:
    return Kept(
        session_id=plan.session_id,
        new=new,
        device=plan.device,
        models=tuple(model.name for model in plan.models),
        cases=len(plan.cases),
    )
