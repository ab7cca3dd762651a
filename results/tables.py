"""Records to the rows of the three tables, and back without loss."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from harness.types import Case, Json, Quality, Run, SessionPlan, Skip
from results import measured


def content_digest(plan: SessionPlan, runs: Iterable[Run], notes: Sequence[str]) -> str:
    """Return 16 hex digits that change with anything a session holds."""
    hasher = hashlib.sha256()
    for record in (plan, *runs, list(notes)):
        hasher.update(msgspec.json.encode(record, order="sorted") + b"\n")
    return hasher.hexdigest()[:16]


def session_row(plan: SessionPlan, runs: Sequence[Run], notes: Sequence[str]) -> Json:
    """Return the row of `sessions`; the store adds the names of the parts."""
    return {
        "session_id": plan.session_id,
        "created_unix_s": plan.created_unix_s,
        "device": plan.device,
        "suite": plan.suite,
        "models": model_names(plan),
        "seed": plan.seed,
        "blocks": plan.blocks,
        "cases": len(plan.cases),
        "skipped": len(plan.skipped),
        "runs": len(runs),
        "harness_version": plan.harness_version,
        "command": list(plan.command),
        "notes": list(notes),
        "environment_json": _json(plan.environment),
        "plan_json": _json(plan),
    }


def model_names(plan: SessionPlan) -> list[str]:
    """Return the names of the models that a session measures or skips, in order, each once."""
    names = [model.name for model in plan.models] + [case.model for case in plan.cases]
    return list(dict.fromkeys(names + [skip.model for skip in plan.skipped]))


def run_rows(plan: SessionPlan, runs: Iterable[Run]) -> list[Json]:
    """Return the rows of `runs`: every run in order, then every skipped case."""
    cases = {case.key: case for case in (*plan.cases, *plan.anchors)}
    origins = {model.name: model.origin for model in plan.models}
    rows = [_run_row(run, cases.get(run.case_key), origins) for run in runs]
    return rows + [_skip_row(plan.session_id, skip, origins) for skip in plan.skipped]


def sample_rows(runs: Iterable[Run]) -> list[Json]:
    """Return the rows of `samples`: timed calls and warm-up calls of every run, in nanoseconds."""
    rows = []
    for run in runs:
        if run.samples_ns:
            rows.append(_series(run, "latency", list(run.samples_ns)))
        warmup = run.result.get("warmup_ns")
        if isinstance(warmup, list) and warmup and all(type(value) is int for value in warmup):
            rows.append(_series(run, "warmup", warmup))
    return rows


def plan_from(row: Json) -> SessionPlan:
    """Return the plan that a row of `sessions` carries."""
    return msgspec.json.decode(row["plan_json"], type=SessionPlan)


def runs_from(rows: Iterable[Json], samples: Iterable[Json]) -> tuple[Run, ...]:
    """Return the runs behind rows of `runs` and `samples`; the plan holds the skipped."""
    latency = {row["run_id"]: row["values"] for row in samples if row["metric"] == "latency"}
    found = [_run_from(row, latency) for row in rows if row["run_id"] is not None]
    return tuple(found)


def _run_from(row: Json, latency: dict[str, list[int]]) -> Run:
    """Return the run behind one row."""
    kept = msgspec.json.decode(row["result_json"])
    return Run(
        run_id=row["run_id"],
        session_id=row["session_id"],
        seq=row["seq"],
        block=row["block"],
        case_key=row["case_key"],
        status=row["status"],
        reason=row["reason"],
        started_unix_s=row["started_unix_s"],
        duration_s=row["duration_s"],
        samples_ns=tuple(latency.get(row["run_id"], ())),
        quality=msgspec.convert(kept["quality"], Quality | None),
        result=kept["result"],
    )


def _run_row(run: Run, case: Case | None, origins: dict[str, Any]) -> Json:
    """Return the row of one run; a case that the plan does not hold leaves its columns null."""
    row: Json = {
        "run_id": run.run_id,
        "session_id": run.session_id,
        "seq": run.seq,
        "block": run.block,
        "case_key": run.case_key,
        "status": run.status,
        "reason": run.reason,
        "started_unix_s": run.started_unix_s,
        "duration_s": run.duration_s,
        "samples": len(run.samples_ns),
        "latency_p50_s": measured.latency_p50_s(run),
        "result_json": _json({"result": run.result, "quality": run.quality}),
    }
    return row | _case_columns(run, case, origins) | _result_columns(run.result) | _quality(run)


def _case_columns(run: Run, case: Case | None, origins: dict[str, Any]) -> Json:
    """Return what the plan knows of a run's case."""
    if case is None:
        return {}
    return {
        "device": case.device,
        "model": case.model,
        "model_digest": case.model_digest,
        "model_origin": origins.get(case.model),
        "variant": case.variant,
        "backend": case.backend,
        "runtime_version": case.runtime_version,
        "scenario": case.scenario,
        "batch": case.batch,
        "threads": case.threads,
        "artifact_sha256": case.artifact.sha256,
        "artifact_format": case.artifact.format,
        "size_bytes": case.artifact.size_bytes,
        "throughput_per_s": measured.throughput_per_s(run, case.batch),
        "energy_j": measured.energy_j(run),
    }


def _result_columns(result: Json) -> Json:
    """Return the scalars that people query out of the agent's report."""
    seconds = ("import_s", "load_s", "first_inference_s", "timed_wall_s")
    memory = ("peak_rss_bytes", "peak_anon_bytes", "peak_file_bytes")
    columns: Json = {name: measured.number(result, name) for name in seconds}
    columns |= {name: measured.whole(result, name) for name in memory}
    columns["stop_reason"] = measured.text(result, "stop_reason")
    columns["power_w"] = measured.number(result, "power", "power_w")
    for name in ("method", "scope", "reason"):
        columns[f"power_{name}"] = measured.text(result, "power", name)
    for name in ("version", "provider", "precision"):
        columns[f"evidence_{name}"] = measured.text(result, "evidence", name)
    for name in ("threads", "nodes_total", "nodes_on_provider"):
        columns[f"evidence_{name}"] = measured.whole(result, "evidence", name)
    return columns


def _quality(run: Run) -> Json:
    """Return the columns of a run's score, none where it was not scored."""
    if run.quality is None:
        return {}
    return {
        "quality_metric": run.quality.metric,
        "quality": run.quality.value,
        "quality_reference": run.quality.reference,
        "quality_loss": run.quality.loss,
        "quality_loss_lo": run.quality.loss_lo,
        "quality_loss_hi": run.quality.loss_hi,
        "quality_n": run.quality.n,
        "quality_reason": run.quality.reason,
        "fidelity": run.quality.fidelity,
        "sqnr_db": run.quality.sqnr_db,
    }


def _skip_row(session_id: str, skip: Skip, origins: dict[str, Any]) -> Json:
    """Return the row of a case that could not be measured."""
    return {
        "session_id": session_id,
        "device": skip.device,
        "model": skip.model,
        "model_origin": origins.get(skip.model),
        "variant": skip.variant,
        "backend": skip.backend,
        "scenario": skip.scenario,
        "batch": skip.batch,
        "status": skip.status,
        "reason": skip.reason,
    }


def _series(run: Run, metric: str, values: list[int]) -> Json:
    """Return one row of `samples`."""
    return {"run_id": run.run_id, "metric": metric, "unit": "ns", "values": values}


def _json(value: Any) -> str:
    """Return `value` as JSON text; what is not a number becomes null."""
    return msgspec.json.encode(value).decode()
