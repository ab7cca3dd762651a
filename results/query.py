"""What a store knows of a case over the nights: filtered, the latest, the trend, or any SQL."""

from __future__ import annotations

import time
import typing
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from harness.errors import StoreError, UsageError
from harness.types import END_OF_CALENDAR_S
from results import layout, schema
from results.engine import UnansweredError
from results.nights import COLUMNS, IDENTITY, Night, newest, nights
from results.views import Question, Scope, Views

if TYPE_CHECKING:
    import pyarrow as pa

    from results.store import Store

_DAY_S = 86_400.0
# Scores are shared by cases that differ in nothing else than these.
_DRIVEN = ("scenario", "batch", "threads")
# Skipped cases have no key, unknown ones no model, and anchors are there for a session's own sake.
_CASES = "case_key IS NOT NULL AND model IS NOT NULL AND coalesce(side, '') NOT LIKE 'anchor-%'"
_BOUNDS = {"since": ("created_unix_s", ">="), "until": ("created_unix_s", "<")}


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs are meant: None is any.

    `since` and `until` bound when the session was begun, in seconds (Unix), `until` left out.
    """

    device: str | None = None
    model: str | None = None
    variant: str | None = None
    backend: str | None = None
    scenario: str | None = None
    batch: int | None = None
    threads: int | None = None
    suite: str | None = None
    kind: tuple[str, ...] | None = ("run",)
    since: float | None = None
    until: float | None = None

    @property
    def scope(self) -> Scope:
        """Return which parts can hold such runs."""
        return Scope(
            device=self.device,
            first=None if self.since is None else layout.month_of(self.since),
            last=None if self.until is None else layout.month_of(self.until),
        )

    def condition(self, without: Sequence[str] = ()) -> tuple[str, dict[str, Any]]:
        """Return the filter in SQL, and the values of its $names; some fields may be left out."""
        terms, values = ["TRUE"], dict[str, Any]()
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is None or name in without:
                continue
            if name == "kind":
                terms.append(_one_of(name, value, values))
                continue
            column, sign = _BOUNDS.get(name, (name, "="))
            terms.append(f"{column} {sign} ${name}")
            values[name] = value
        return " AND ".join(terms), values


class History:
    """The runs of a store, sealed ones and those of sessions that are not; all figures are ours."""

    def __init__(self, store: Store) -> None:
        """Name the store; nothing is read yet."""
        self._views = Views(store)
        self._label = store.label
        self._undated: set[str] = set()

    @property
    def problems(self) -> tuple[str, ...]:
        """Return a sentence for each thing that could not be read so far."""
        return tuple(self._views.problems)

    def runs(self, where: Filter, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the runs and skipped cases that are meant, oldest first, in columns of `runs`."""
        condition, values = where.condition()
        what = ", ".join(_column(name) for name in columns) if columns else "*"
        text = f"SELECT {what} FROM runs WHERE {condition} ORDER BY session_id, seq"
        return self._ask(Question(text=text, table="runs", scope=where.scope, values=values))

    def latest_per_case(self, where: Filter) -> pa.Table:
        """Return every case as the last session that measured it has it, in the columns of Night.

        A case is what its names say: device, model, variant, backend, scenario, batch, threads and
        side. So there is one row after an upgrade of its runtime, not one per version.
        """
        while True:
            known = self.problems
            found = newest(self._nights(where, self._last_sessions(where)))
            # where a last session turned out to be damaged, an earlier one is the last
            if self.problems == known:
                return _table(found)

    def trend(self, where: Filter, nights: int = 90) -> pa.Table:
        """Return each case in each session of the last nights, oldest first, in columns of Night.

        The last nights are so many days in UTC, up to the one of the newest session on the device
        that is meant, or on any if none is. With `since`, what lies before it is left out as well.
        """
        return _table(self._nights(self._of_last_nights(where, nights)))

    def imports_left_out(self, where: Filter, nights: int | None = None) -> int:
        """Return how many imported sessions would be shown if they were asked for as well.

        In the trend over so many nights, or as the latest of a case where `nights` is None.
        """
        if where.kind is None or "import" in where.kind:
            return 0
        imports = msgspec.structs.replace(where, kind=("import",))
        condition, values = imports.condition(without=IDENTITY[1:])
        text = f"SELECT session_id FROM sessions WHERE {condition}"
        asked = Question(text=text, table="sessions", scope=where.scope, values=values)
        there = set(self._ask(asked)["session_id"].to_pylist())
        if not there:
            return 0
        both = msgspec.structs.replace(where, kind=(*where.kind, "import"))
        if nights is None:
            return len(there.intersection(self._last_sessions(both)))
        since = self._of_last_nights(both, nights).since
        found = self._nights(msgspec.structs.replace(imports, since=since))
        return len({night.session_id for night in found})

    def sql(self, text: str) -> pa.Table:
        """Return what a SELECT gives that reads runs, sessions, samples, probes or environments.

        UsageError where DuckDB cannot answer it.
        """
        try:
            return self._views.answer(Question(text=text))
        except UnansweredError as error:
            raise UsageError(
                f"DuckDB cannot answer that: {error}",
                f"the tables are {', '.join(schema.TABLES)}; see their columns with DESCRIBE runs",
            ) from error

    def _last_sessions(self, where: Filter) -> list[str]:
        """Return the sessions that measured any of the cases last, and fewer than all."""
        condition, values = where.condition()
        if self._undated:
            condition += f" AND NOT {_one_of('session_id', sorted(self._undated), values)}"
        names = ", ".join(f"any_value({name}) AS {name}" for name in IDENTITY)
        text = (
            "SELECT DISTINCT max(session_id) AS session_id FROM ("
            f"SELECT max(session_id) AS session_id, {names} FROM runs "
            f"WHERE {condition} AND {_CASES} GROUP BY case_key"
            f") GROUP BY {', '.join(IDENTITY)}"
        )
        asked = Question(text=text, table="runs", scope=where.scope, values=values)
        found: list[str] = self._ask(asked)["session_id"].to_pylist()
        return found

    def _of_last_nights(self, where: Filter, nights: int) -> Filter:
        """Return `where` without what lies before the last nights that it can mean."""
        last = self._last_unix_s(where)
        if last is None:  # nothing is there, or only what began on no day
            return where
        since = max(where.since or 0.0, (last // _DAY_S + 1 - nights) * _DAY_S)
        return msgspec.structs.replace(where, since=since)

    def _nights(self, where: Filter, only: Sequence[str] | None = None) -> list[Night]:
        """Return the figures of the cases that are meant, of all sessions or some."""
        condition, values = where.condition(without=_DRIVEN)
        scope = where.scope
        if only is not None:
            scope = msgspec.structs.replace(scope, sessions=frozenset(only))
            condition += " AND " + _one_of("session_id", sorted(only), values)
        text = (
            f"SELECT {', '.join(COLUMNS)} FROM runs WHERE {condition} AND {_CASES} "
            "ORDER BY session_id, case_key, seq"
        )
        rows = self._dated(self._ask(Question(text=text, table="runs", scope=scope, values=values)))
        driven = {name: getattr(where, name) for name in _DRIVEN}
        return [
            night
            for night in nights(_dicts(rows))
            if all(value in (None, getattr(night, name)) for name, value in driven.items())
        ]

    def _dated(self, rows: pa.Table) -> pa.Table:
        """Return the rows of sessions that began on a day of our calendar; the others are named."""
        import pyarrow.compute as pc

        began = rows["created_unix_s"]
        within = pc.and_(pc.greater_equal(began, 0.0), pc.less(began, END_OF_CALENDAR_S))
        good = pc.fill_null(within, False)
        odd = set(rows["session_id"].filter(pc.invert(good)).to_pylist())
        self._undated |= odd
        self._views.tell(
            f"session {name!r} is said to have begun outside of the years 1970 to 9999: left out"
            for name in sorted(odd)
        )
        return rows.filter(good) if odd else rows

    def _last_unix_s(self, where: Filter) -> float | None:
        """Return when the newest session that is meant was begun, as far as its names tell.

        One from the future counts only among its like: a clock that ran ahead once would hide all
        other nights.
        """
        condition, values = where.condition(without=(*IDENTITY[1:], "since"))
        values["tomorrow"] = time.time() + _DAY_S
        text = (
            "SELECT coalesce(max(created_unix_s) FILTER (created_unix_s <= $tomorrow),"
            f" max(created_unix_s)) AS last FROM sessions WHERE {condition}"
            f" AND created_unix_s >= 0 AND created_unix_s < {END_OF_CALENDAR_S}"
        )
        asked = Question(text=text, table="sessions", scope=where.scope, values=values)
        found: float | None = self._ask(asked)["last"][0].as_py()
        return found

    def _ask(self, question: Question) -> pa.Table:
        """Return the answer to a question of ours, which only an unusable store leaves open."""
        try:
            return self._views.answer(question)
        except UnansweredError as error:
            raise StoreError(
                f"the history in {self._label!r} cannot be read: {error}",
                "boardmark store verify says what is damaged",
            ) from error


def _one_of(name: str, known: Sequence[str], values: dict[str, Any]) -> str:
    """Return SQL that is true where a column is one of `known`, which join the `values`.

    Each by a name of its own: DuckDB would not look into a list to skip parts of a file.
    """
    if not known:
        return "FALSE"
    values |= {f"{name}_{number}": one for number, one in enumerate(known)}
    return f"{name} IN ({', '.join(f'${name}_{number}' for number in range(len(known)))})"


def _column(name: str) -> str:
    """Return a column of `runs` as SQL; UsageError for any other word."""
    if name not in schema.logical("runs").names:
        raise UsageError(f"no column of runs: {name!r}", "DESCRIBE runs shows them")
    return f'"{name}"'


def _dicts(table: pa.Table) -> Iterable[dict[str, Any]]:
    """Yield the rows of a table; column by column it is several times faster than row by row."""
    names = table.column_names
    columns = [table[name].to_pylist() for name in names]
    for values in zip(*columns, strict=True):
        yield dict(zip(names, values, strict=True))


def _table(rows: Iterable[Night]) -> pa.Table:
    """Return records as an Arrow table; its columns are there even if no row is."""
    import pyarrow as pa

    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    hints = typing.get_type_hints(Night)
    fields = [
        pa.field(name, next(kinds[one] for one in kinds if one in _alternatives(hint)))
        for name, hint in hints.items()
    ]
    return pa.Table.from_pylist(
        [msgspec.to_builtins(row) for row in rows], schema=pa.schema(fields)
    )


def _alternatives(hint: Any) -> tuple[Any, ...]:
    """Return the types that an annotation like float | None allows."""
    return typing.get_args(hint) or (hint,)
