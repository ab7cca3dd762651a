"""Tables of any version to the logical schema of today, column by column.

Nothing that a part holds passes through our records on the way: columns that only a newer minor
version knows stay as they are, and so do all texts.

    1    sessions, runs, samples in flat folders; `device` a column, no probes or environments
    2.0  the columns of schema.py; device and month in the path
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from harness.errors import StoreError
from harness.types import Json, SessionPlan
from results import environments, layout, probes, runs, schema
from results.schema import Footer

# What format 1 told of a session once, and the runs of today repeat.
_OF_SESSION = ("created_unix_s", "kind", "suite")
_GONE = ("runs_part", "samples_part", "environment_json")


class _Plan(msgspec.Struct):
    """What is taken from a plan of format 1; the oldest do not have all of it."""

    environment: Json = {}
    kind: str = "run"


def upgraded(
    table: Any,
    name: str,
    found: Footer,
    sessions: Any | None = None,
    columns: Collection[str] | None = None,
) -> Any:
    """Return the pyarrow `table`, read from a part of the table `name`, in the logical schema.

    `found` is what the part says of itself; of a part of format 1 it must name the session. What
    its rows do not tell then comes from `sessions`, the table of that name of any version: without
    it device, created_unix_s, kind, suite and side of such a part are null where it lacks them.
    Columns that this version does not know follow the others; known ones that are missing are null.
    With `columns` only those come out, and only those need be in `table`. StoreError where the part
    is of a newer format or a column of another type.
    """
    if found.major > schema.major():
        raise StoreError(
            f"a part of {name!r} has schema version {found.version} and this boardmark reads up to "
            f"{schema.VERSION}",
            "upgrade boardmark",
        )
    if found.major == 1:
        return _shaped(_from_format_1(table, name, found, sessions), name, columns)
    place = {"month": found.month, "device": found.device}
    wanted = {key: value for key, value in place.items() if columns is None or key in columns}
    return _shaped(placed(table, wanted), name, columns)


def for_file(table: Any) -> Any:
    """Return a table in the logical schema as its file holds it: without month and device."""
    return _without(table, schema.PARTITIONS)


def placed(table: Any, columns: Mapping[str, Any]) -> Any:
    """Return `table` with columns that hold one value throughout, in place of those so named."""
    import pyarrow as pa

    for name, value in columns.items():
        kind = pa.float64() if name == "created_unix_s" else pa.string()
        constant = pa.repeat(pa.scalar(value, kind), len(table))
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), name, constant)
        else:
            table = table.append_column(name, constant)
    return table


def environments_of(sessions: Any) -> Any:
    """Return the table of environments of `sessions`: format 1 kept them in the plans alone."""
    import pyarrow as pa

    found: list[Json] = []
    for row in sessions.to_pylist():
        plan = msgspec.json.decode(row["plan_json"], type=_Plan)
        place = {name: row[name] for name in schema.PARTITIONS}
        found.append(environments.row(row["session_id"], plan.environment) | place)
    return pa.Table.from_pylist(found, schema=schema.logical("environments"))


def probes_of(table: Any) -> Any:
    """Return the table of probes of a table of runs: format 1 kept them in the reports alone."""
    import pyarrow as pa

    shape = schema.schema("probes")
    found = []
    for row in table.to_pylist():
        of_run = pa.table(probes.columns(runs.runs_from([row], ())), schema=shape)
        found.append(placed(of_run, {name: row[name] for name in schema.PARTITIONS}))
    return pa.concat_tables(found) if found else schema.logical("probes").empty_table()


def _from_format_1(table: Any, name: str, found: Footer, sessions: Any | None) -> Any:
    """Return a table of format 1 with what the others tell of its session, by today's names."""
    session_id, content = next(iter(found.sessions.items()), (None, found.content))
    facts = _facts(session_id, table if name == "sessions" else sessions)
    columns: dict[str, Any] = {
        "session_id": session_id,
        "device": found.device or facts.get("device") or _device(table),
        "month": found.month or _month(facts),
    }
    if name == "sessions":
        columns |= {"content": content, "kind": facts.get("kind")}
    if name == "runs":
        columns |= {column: facts.get(column) for column in _OF_SESSION}
        table = _with_sides(table, facts.get("plan_json"))
    return placed(_without(table, _GONE), columns)


def _facts(session_id: str | None, sessions: Any | None) -> Json:
    """Return the row of a session in a table of sessions, empty where there is none.

    Its kind is in the plan where the table has no column of it.
    """
    if sessions is None or session_id is None or "session_id" not in sessions.column_names:
        return {}
    import pyarrow.compute as pc

    of_session = sessions.filter(pc.equal(sessions["session_id"], session_id))
    row: Json = next(iter(of_session.to_pylist()), {})
    if row.get("kind") is None and row.get("plan_json") is not None:
        row["kind"] = msgspec.json.decode(row["plan_json"], type=_Plan).kind
    return row


def _device(table: Any) -> str | None:
    """Return the device that the rows of format 1 name, None where they name none."""
    if "device" not in table.column_names:
        return None
    named = table["device"].drop_null()
    return named[0].as_py() if len(named) else None


def _month(facts: Json) -> str | None:
    """Return the month of a session, None where nothing tells when it was."""
    created_unix_s = facts.get("created_unix_s")
    return None if created_unix_s is None else layout.month_of(created_unix_s)


def _with_sides(table: Any, plan_json: str | None) -> Any:
    """Return a table of runs with the side of each case, which format 1 kept in the plan alone."""
    import pyarrow as pa

    if plan_json is None or "case_key" not in table.column_names:
        return table
    plan = msgspec.json.decode(plan_json, type=SessionPlan)
    sides = {case.key: case.side for case in (*plan.cases, *plan.anchors)}
    found = [sides.get(key) for key in table["case_key"].to_pylist()]
    return _without(table, ("side",)).append_column("side", pa.array(found, pa.string()))


def _without(table: Any, names: tuple[str, ...]) -> Any:
    return table.drop_columns([name for name in names if name in table.column_names])


def _shaped(table: Any, name: str, wanted: Collection[str] | None) -> Any:
    """Return `table` with the columns of the logical schema in order, those unknown to it last."""
    import pyarrow as pa

    shape = schema.logical(name)
    fields = [field for field in shape if wanted is None or field.name in wanted]
    columns = []
    for field in fields:
        if field.name not in table.column_names:
            columns.append(pa.nulls(len(table), field.type))
            continue
        try:
            column = table[field.name]
            # casts that change nothing cost as much together as opening a small file
            columns.append(column if column.type == field.type else column.cast(field.type))
        except pa.ArrowException as error:
            raise StoreError(
                f"column {field.name!r} of {name!r} cannot be read as {field.type}: {error}",
                "read it with the version of boardmark that wrote it",
            ) from error
    if wanted is None:
        more = [column for column in table.column_names if column not in shape.names]
        fields += [table.schema.field(column) for column in more]
        columns += [table[column] for column in more]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))
