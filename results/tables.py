"""Records to the rows of the five tables, and back without loss."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.errors import StoreError
from harness.types import Json, Run, SessionPlan
from results import environments, layout, migrations, probes, runs, schema

runs_from = runs.runs_from
sample_rows = runs.sample_rows


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One session as it was journaled, from which its rows are made.

    `content` is the digest of all it holds. `plan_json` and `run_json`, one for each of `runs`, are
    the texts of its journal: with what a newer version wrote into them and this one has no name
    for. Without them the records themselves are what was written.
    """

    plan: SessionPlan
    runs: tuple[Run, ...]
    notes: tuple[str, ...] = ()
    content: str = ""
    plan_json: bytes = b""
    run_json: tuple[bytes, ...] = ()


def arrow(recorded: Recorded) -> dict[str, Any]:
    """Return one pyarrow table by table in the logical schema.

    StoreError where a value does not fit its column.
    """
    import pyarrow as pa

    plan = recorded.plan
    rows = {
        "sessions": [_session_row(recorded)],
        "environments": [environments.row(plan.session_id, plan.environment)],
        "runs": runs.rows(plan, recorded.runs, recorded.run_json),
        "samples": runs.sample_rows(recorded.runs),
    }
    try:
        found = {
            name: pa.Table.from_pylist(of_table, schema=schema.schema(name))
            for name, of_table in rows.items()
        }
        found["probes"] = pa.table(probes.columns(recorded.runs), schema=schema.schema("probes"))
    except (pa.ArrowException, OverflowError) as error:
        raise StoreError(
            f"a value does not fit its column: {error}",
            "the journal is kept; report this with the journal attached",
        ) from error
    place = {"month": layout.month_of(plan.created_unix_s), "device": plan.device}
    return {name: migrations.placed(table, place) for name, table in found.items()}


def model_names(plan: SessionPlan) -> list[str]:
    """Return the names of the models that a session measures or skips, in order, each once."""
    names = [model.name for model in plan.models] + [case.model for case in plan.cases]
    return list(dict.fromkeys(names + [skip.model for skip in plan.skipped]))


def plan_from(row: Json) -> SessionPlan:
    """Return the plan that a row of `sessions` carries."""
    return msgspec.json.decode(row["plan_json"], type=SessionPlan)


def _session_row(recorded: Recorded) -> Json:
    """Return the row of `sessions`, without the place."""
    plan = recorded.plan
    return {
        "session_id": plan.session_id,
        "content": recorded.content,
        "created_unix_s": plan.created_unix_s,
        "kind": plan.kind,
        "suite": plan.suite,
        "models": model_names(plan),
        "seed": plan.seed,
        "blocks": plan.blocks,
        "cases": len(plan.cases),
        "skipped": len(plan.skipped),
        "runs": len(recorded.runs),
        "harness_version": plan.harness_version,
        "command": list(plan.command),
        "notes": list(recorded.notes),
        "plan_json": (recorded.plan_json or msgspec.json.encode(plan)).decode(),
    }
