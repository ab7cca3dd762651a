"""The rows of `runs` and `samples`: what a session measured, and the cases that it could not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from harness.types import Case, Json, Kind, Quality, Run, SessionPlan, Skip
from results import clean, measured

# Sessions of these kinds were measured here: which of their runs were disturbed can be judged.
_MEASURED: tuple[Kind, ...] = ("run", "gate", "calibration", "self-test")
# Of these no time is known: an emulator's and a limited host's are not the board's.
_UNTIMED: tuple[Kind, ...] = ("emulation", "fit")
# What stands in a row as it does in a run.
_PLAIN = (
    "run_id", "session_id", "seq", "block", "case_key", "status", "reason", "started_unix_s",
    "duration_s",
)  # fmt: skip
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


def rows(plan: SessionPlan, runs: Iterable[Run], run_json: Iterable[bytes]) -> list[Json]:
    """Return the rows of `runs`: every run in order, then every skipped case.

    `run_json` are the texts of the runs in their journal, none where nobody else wrote them.
    """
    runs = list(runs)
    cases = {case.key: case for case in (*plan.cases, *plan.anchors)}
    origins = {model.name: model.origin for model in plan.models}
    disturbed = _disturbed(plan, runs)
    of_session: Json = {
        "session_id": plan.session_id,
        "created_unix_s": plan.created_unix_s,
        "kind": plan.kind,
        "suite": plan.suite,
    }
    extras = [extra_json(text) for text in run_json] or [None] * len(runs)
    found = [
        _run_row(run, cases.get(run.case_key), origins)
        | {"disturbed": disturbed.get(run.run_id), "extra_json": extra}
        | ({"duration_s": None} if _is_untimed(plan.kind, run.duration_s) else {})
        for run, extra in zip(runs, extras, strict=True)
    ]
    skipped = [_skip_row(skip, origins) for skip in plan.skipped]
    return [of_session | row for row in found + skipped]


def sample_rows(runs: Iterable[Run]) -> list[Json]:
    """Return the rows of `samples`: timed calls and warm-up calls of every run, in nanoseconds."""
    found = []
    for run in runs:
        if run.samples_ns:
            found.append(_series(run, "latency", run.samples_ns))
        if (warmup := _warmup(run.result)) is not None:
            found.append(_series(run, "warmup", warmup))
    return found


def runs_from(rows: Iterable[Json], samples: Iterable[Json]) -> tuple[Run, ...]:
    """Return the runs behind rows of `runs` and `samples`; the plan holds the skipped."""
    series = {(row["run_id"], row["metric"]): row["values"] for row in samples}
    return tuple(_run_from(row, series) for row in rows if row["run_id"] is not None)


def extra_json(text: bytes) -> str | None:
    """Return what the JSON `text` of a run holds beyond the fields of a Run, None if nothing.

    It is an object of the same shape: unknown fields of the run, and those of its quality below
    `quality`. Their values are the text's own.
    """
    fields = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    extra: dict[str, Any] = _beyond(fields, Run)
    if bytes(fields.get("quality", b"null")) != b"null":
        of_quality = msgspec.json.decode(fields["quality"], type=dict[str, msgspec.Raw])
        if more := _beyond(of_quality, Quality):
            extra["quality"] = more
    return _json(extra) if extra else None


def _is_untimed(kind: Kind, duration_s: float | None) -> bool:
    """Tell whether a run has the 0 s that stand for no time at all, as a run must have some."""
    return kind in _UNTIMED and not duration_s


def _beyond(fields: dict[str, msgspec.Raw], known: type[msgspec.Struct]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in known.__struct_fields__}


def _warmup(result: Json) -> list[int] | None:
    """Return the warm-up calls of a report, None unless they can stand among the samples."""
    found = result.get("warmup_ns")
    if not isinstance(found, list) or not found:
        return None
    whole = all(type(value) is int and _SMALLEST <= value <= _LARGEST for value in found)
    return found if whole else None


def _run_from(row: Json, series: dict[tuple[str, str], list[int]]) -> Run:
    """Return the run behind one row."""
    kept = msgspec.json.decode(row["result_json"])
    result: Json = kept["result"]
    warmup = series.get((row["run_id"], "warmup"))
    fields = {name: row[name] for name in _PLAIN}
    if _is_untimed(row["kind"], row["duration_s"]):
        fields["duration_s"] = 0.0
    fields |= {
        "samples_ns": series.get((row["run_id"], "latency"), ()),
        "quality": kept["quality"],
        "result": result if warmup is None else {**result, "warmup_ns": warmup},
    }
    return msgspec.convert(fields, Run)


def _disturbed(plan: SessionPlan, runs: list[Run]) -> dict[str, bool]:
    """Return by run_id whether the device did something else meanwhile, of runs that succeeded."""
    if plan.kind not in _MEASURED:
        return {}
    flags = clean.flags_by_run(runs)
    return {run.run_id: not clean.is_clean(run, flags) for run in runs if run.status == "ok"}


def _run_row(run: Run, case: Case | None, origins: dict[str, Any]) -> Json:
    """Return the row of one run; a case that the plan does not hold leaves its columns null.

    Warm-up calls stand in `samples` alone: as text they would be the largest part of a row.
    """
    kept = dict(run.result)
    if _warmup(kept) is not None:
        del kept["warmup_ns"]
    row: Json = {
        "run_id": run.run_id,
        "seq": run.seq,
        "block": run.block,
        "case_key": run.case_key,
        "status": run.status,
        "reason": run.reason,
        "started_unix_s": run.started_unix_s,
        "duration_s": run.duration_s,
        "samples": len(run.samples_ns),
        "latency_p50_s": measured.latency_p50_s(run),
        "result_json": _json({"result": kept, "quality": run.quality}),
    }
    return row | _case_columns(run, case, origins) | _result_columns(run.result) | _quality(run)


def _case_columns(run: Run, case: Case | None, origins: dict[str, Any]) -> Json:
    """Return what the plan knows of a run's case."""
    if case is None:
        return {}
    return {
        "side": case.side,
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


def _skip_row(skip: Skip, origins: dict[str, Any]) -> Json:
    """Return the row of a case that could not be measured."""
    return {
        "model": skip.model,
        "model_origin": origins.get(skip.model),
        "variant": skip.variant,
        "backend": skip.backend,
        "scenario": skip.scenario,
        "batch": skip.batch,
        "status": skip.status,
        "reason": skip.reason,
    }


def _series(run: Run, metric: str, values: Sequence[int]) -> Json:
    """Return one row of `samples`."""
    return {
        "session_id": run.session_id,
        "run_id": run.run_id,
        "metric": metric,
        "unit": "ns",
        "values": values,
    }


def _json(value: Any) -> str:
    """Return `value` as JSON text; what is not a number becomes null."""
    return msgspec.json.encode(value).decode()
