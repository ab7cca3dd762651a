"""A store of any number of runs over years of nights, to measure how history grows with it.

    python tests/bench/generated_store.py DIR [RUNS]

Ten boards measure twenty cases five times each every night: two models in five variants through two
runtimes. Latencies drift over the months, step with every upgrade of a runtime, differ from night
to night and from run to run; some runs are disturbed, a few fail. Everything goes through the
schema, the footers and the encoding of real parts, as it is after `boardmark store compact`.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harness.types import Artifact, Case, Model, SessionPlan, TensorSpec
from results import layout, list_line, parts, schema, tables
from results.schema import Footer
from results.store import Store

BOARDS = {
    "local": 1.0, "raspberry-pi-4": 9.0, "raspberry-pi-5": 3.6, "jetson-nano": 6.5,
    "jetson-orin-nano": 1.4, "rock-5b": 2.9, "imx8m-plus": 11.0, "rk3588 (lab 2)": 2.8,
    "x86/atom": 4.2, "snapdragon-8": 1.7,
}  # fmt: skip
_MODELS = {"mobilenet-v2": 6e-3, "minilm-l6": 14e-3}
_VARIANTS = {"fp32": 1.0, "fp16": 0.8, "int8-dynamic": 0.55, "int8-static": 0.42, "int4": 0.6}
_BACKENDS = {"onnxruntime": ("1.23.{}", 1.0), "tflite": ("2.{}.0", 1.15)}
_BLOCKS = 5
RUNS_PER_SESSION = len(_MODELS) * len(_VARIANTS) * len(_BACKENDS) * _BLOCKS
_FIRST_NIGHT_S = 1_672_531_200.0  # 2023-01-01
_DAY_S = 86_400.0
_UPGRADE_NIGHTS = 120
_INPUT = TensorSpec(name="x", dtype="float32", shape=(1, 3, 224, 224))
_RESULT = (
    '{"result":{"phase":"done","import_s":0.41,"load_s":0.25,"first_inference_s":0.012,'
    '"timed_wall_s":',
    ',"stop_reason":"precise","memory":{"baseline":{"hwm_bytes":12345344,'
    '"anon_bytes":4001792,"file_bytes":8343552},"loaded":{"hwm_bytes":48345344},"reset":true},'
    '"host":{"load_1m":[0.1,0.2],"temperature_c":{"cpu-thermal":[41.5,43.0]},"unknown":{"swap":'
    '"no swap"}},"peak_rss_bytes":',
    ',"evidence":{"threads":4,"provider":"cpu","nodes_total":66,"nodes_on_provider":66,'
    '"precision":"f32"},"power":{"reason":"no sensor"}},"quality":null}',
)


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large a store is; `compact` as after compaction, else one part per session and table."""

    runs: int = 1_000_000
    samples: int = 20
    compact: bool = True
    seed: int = 0

    @property
    def nights(self) -> int:
        return max(1, self.runs // (RUNS_PER_SESSION * len(BOARDS)))


def write(where: Path, size: Size) -> Store:
    """Write the store: whole nights of all boards, one at least."""
    store = Store.create(where)
    generator = np.random.default_rng(size.seed)
    for board in BOARDS:
        plans = [_plan(board, night) for night in range(size.nights)]
        months = groupby(plans, lambda plan: layout.month_of(plan.created_unix_s))
        for _, of_month in months:
            sessions = list(of_month)
            for group in [sessions] if size.compact else [[one] for one in sessions]:
                _write_parts(store, group, size, generator)
    return store


def _write_parts(
    store: Store, plans: Sequence[SessionPlan], size: Size, generator: np.random.Generator
) -> None:
    """Write the five parts that cover `plans`, all of one board and month.

    Without syncing each to the disk: what is measured is how they are read.
    """
    contents = {plan.session_id: hashlib.sha256(plan.session_id.encode()).hexdigest()[:16]
                for plan in plans}  # fmt: skip
    for table, data in _tables(plans, contents, size, generator):
        footer = Footer(
            table=table,
            writer="boardmark 0.1.0",
            sessions=contents,
            device=plans[0].device,
            month=layout.month_of(plans[0].created_unix_s),
            listing=list_line.listing_of(data) if table == "sessions" and len(plans) == 1 else None,
        )
        encoded = parts.encode(data, footer)
        path = store.root / parts.path_of(footer, encoded)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded)


def _tables(
    plans: Sequence[SessionPlan], contents: dict[str, str], size: Size, generator: Any
) -> Iterator[tuple[str, Any]]:
    """Return the rows of the five tables; whole columns at once where there are many."""
    recorded = [
        tables.Recorded(plan=one, runs=(), content=contents[one.session_id]) for one in plans
    ]
    found = [tables.arrow(one) for one in recorded]
    sessions = pa.concat_tables([one["sessions"] for one in found])
    counts = pa.array(np.full(len(plans), RUNS_PER_SESSION))
    yield "sessions", sessions.set_column(sessions.column_names.index("runs"), "runs", counts)
    yield "environments", pa.concat_tables([one["environments"] for one in found])
    runs, samples = _runs(plans, size, generator)
    yield "runs", runs
    yield "samples", samples
    yield "probes", _probes(runs, generator)


def _runs(plans: Sequence[SessionPlan], size: Size, generator: Any) -> tuple[Any, Any]:
    """Return the rows of `runs` and `samples` of some sessions of one board."""
    cases = plans[0].cases
    at = [index.ravel() for index in np.indices((len(plans), _BLOCKS, len(cases)))]
    n = at[0].size
    seconds = np.array([_usual_s(case, plan.seed) for plan in plans for case in cases])
    seconds = seconds.reshape(len(plans), len(cases))[at[0], at[2]]
    night = generator.normal(0, 0.01, len(plans))[at[0]]
    disturbed = generator.random(n) < 0.04
    seconds = seconds * np.exp(night + generator.normal(0, 0.012, n) + disturbed * 0.2)
    ok = generator.random(n) > 0.005
    drawn = seconds[:, None] * np.exp(generator.normal(0, 0.02, (n, size.samples)))
    samples_ns = (drawn * 1e9).astype(np.int64)
    middle = np.sort(samples_ns, axis=1)[:, (size.samples - 1) // 2] / 1e9
    resident = (60e6 * (1 + 0.002 * generator.normal(size=n))).astype(np.int64)
    created = np.array([plan.created_unix_s for plan in plans])
    sessions = np.array([plan.session_id for plan in plans])
    seq = at[1] * len(cases) + at[2]
    columns: dict[str, Any] = {
        "session_id": sessions[at[0]],
        "created_unix_s": created[at[0]],
        "run_id": np.char.add("r", np.char.zfill(seq.astype(str), 5)),
        "seq": seq,
        "block": at[1],
        "disturbed": pa.array(disturbed, mask=~ok),
        "status": np.where(ok, "ok", "crashed"),
        "reason": pa.array(np.full(n, "killed by SIGSEGV"), mask=ok),
        "started_unix_s": created[at[0]] + 4.0 * seq,
        "duration_s": middle * size.samples + 1.5,
        "samples": np.where(ok, size.samples, 0),
        "load_s": _known(0.25 * np.exp(generator.normal(0, 0.05, n)), ok),
        "timed_wall_s": _known(middle * size.samples, ok),
        "latency_p50_s": _known(middle, ok),
        "throughput_per_s": _known(1 / middle, ok),
        "peak_rss_bytes": pa.array(resident, mask=~ok),
        "result_json": _texts(middle * size.samples, resident),
    }
    columns |= _of_cases(plans, at)
    runs = _table("runs", columns, n)
    kept = np.flatnonzero(ok)
    samples = {
        "session_id": columns["session_id"][kept],
        "run_id": columns["run_id"][kept],
        "metric": np.full(kept.size, "latency"),
        "unit": np.full(kept.size, "ns"),
        "values": pa.ListArray.from_arrays(
            np.arange(kept.size + 1, dtype=np.int32) * np.int32(size.samples),
            samples_ns[kept].ravel(),
        ),
    }
    return runs, _table("samples", samples, kept.size)


def _of_cases(plans: Sequence[SessionPlan], at: list[Any]) -> dict[str, Any]:
    """Return the columns that repeat what the plan says of a case."""
    fields = ("model", "model_digest", "variant", "backend", "scenario", "batch", "threads", "side")
    cases = plans[0].cases
    found: dict[str, Any] = {
        name: np.array([getattr(case, name) for case in cases])[at[2]] for name in fields
    }
    versions = np.array([[case.runtime_version for case in plan.cases] for plan in plans])
    found["runtime_version"] = versions[at[0], at[2]]
    found["case_key"] = np.array([plan.order[0] for plan in plans])[at[0], at[2]]
    found["artifact_sha256"] = np.array([case.artifact.sha256 for case in cases])[at[2]]
    found["size_bytes"] = np.array([case.artifact.size_bytes for case in cases])[at[2]]
    constant = {"kind": "run", "suite": "nightly", "model_origin": "pretrained"}
    return found | {name: np.full(at[0].size, value) for name, value in constant.items()}


def _probes(runs: Any, generator: Any) -> Any:
    """Return one temperature before and after each run."""
    n = len(runs)
    degrees = np.round(generator.normal(48, 4, 2 * n), 1)
    columns = {
        "session_id": runs["session_id"],
        "run_id": runs["run_id"],
        **{
            name: np.full(n, value)
            for name, value in {
                "probe": "host", "metric": "temperature_c.cpu-thermal", "unit": "c", "phase": "run",
            }.items()
        },
        "values": pa.ListArray.from_arrays(np.arange(n + 1, dtype=np.int32) * 2, degrees),
    }  # fmt: skip
    return _table("probes", columns, n)


def _table(name: str, columns: dict[str, Any], n: int) -> Any:
    """Return columns as the file of a table has them; those that are not given are null."""
    arrays = []
    for field in schema.schema(name):
        column = columns.get(field.name)
        if column is None:
            column = pa.nulls(n, field.type)
        elif isinstance(column, np.ndarray):
            column = pa.array(column, field.type)
        arrays.append(column.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema.schema(name))


def _known(values: Any, ok: Any) -> Any:
    return pa.array(values, mask=~ok)


def _texts(wall_s: Any, resident: Any) -> Any:
    """Return a report per run, of which two numbers differ."""
    before, between, after = _RESULT
    numbers = [pa.array(values).cast(pa.string()) for values in (wall_s, resident)]
    return pc.binary_join_element_wise(before, numbers[0], between, numbers[1], after, "")


def _plan(board: str, night: int) -> SessionPlan:
    """Return what a board is to do in one night, at half past two in the morning."""
    created = _FIRST_NIGHT_S + night * _DAY_S + 9000 + 7 * list(BOARDS).index(board)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(created))
    version = night // _UPGRADE_NIGHTS
    return SessionPlan(
        session_id=f"{stamp}-{hashlib.sha256(board.encode()).hexdigest()[:4]}",
        created_unix_s=created,
        command=("run", "--suite", "nightly", "--device", board),
        suite="nightly",
        device=board,
        seed=night,
        blocks=_BLOCKS,
        cases=_cases(board, version),
        skipped=(),
        order=(_keys(board, version),) * _BLOCKS,
        sampling={"precision": 0.05},
        models=tuple(
            Model(name=name, origin="pretrained", digest=name[:2] * 8, inputs=(_INPUT,))
            for name in _MODELS
        ),
        environment={"board": board, "kernel": "6.6.31", "cpu_count": 4, "arch": "aarch64"},
        harness_version="0.1.0",
    )


@cache
def _cases(board: str, version: int) -> tuple[Case, ...]:
    """Return the cases of a board with the runtimes of their n-th version."""
    return tuple(
        _case(board, model, variant, backend, numbering.format(version))
        for model in _MODELS
        for variant in _VARIANTS
        for backend, (numbering, _) in _BACKENDS.items()
    )


@cache
def _keys(board: str, version: int) -> tuple[str, ...]:
    """Return the keys of these cases: digests, which are not had for nothing."""
    return tuple(case.key for case in _cases(board, version))


def _case(board: str, model: str, variant: str, backend: str, runtime_version: str) -> Case:
    digest = hashlib.sha256(f"{model} {variant} {backend}".encode()).hexdigest()
    size_bytes = round(14e6 * (0.28 if variant.startswith("int") else 1.0))
    return Case(
        device=board,
        model=model,
        model_digest=model[:2] * 8,
        variant=variant,
        backend=backend,
        runtime_version=runtime_version,
        interpreter="python3",
        scenario="single-stream",
        batch=1,
        threads=4,
        affinity=None,
        inputs=(_INPUT,),
        artifact=Artifact(
            path=f"cache/{digest[:16]}/model", format="onnx", sha256=digest, size_bytes=size_bytes
        ),
        options={"threads": 4, "precision": "f32"},
    )


def _usual_s(case: Case, night: int) -> float:
    """Return the seconds that a call of a case usually takes in some night.

    Boards age by a percent a year, and every other version of a runtime is 3 % faster.
    """
    _, factor = _BACKENDS[case.backend]
    usual = _MODELS[case.model] * _VARIANTS[case.variant] * factor * BOARDS[case.device]
    return usual * (1 + 0.01 * night / 365) * (1 - 0.03 * (night // _UPGRADE_NIGHTS % 2))


if __name__ == "__main__":
    write(Path(sys.argv[1]), Size(runs=int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000))
