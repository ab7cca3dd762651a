"""A small session written by hand: two models' worth of everything a row can show."""

from __future__ import annotations

from typing import Any

from harness.types import (
    Artifact,
    Case,
    Model,
    Quality,
    Run,
    SessionPlan,
    Skip,
    TensorSpec,
)

SESSION_ID = "20261120T141500Z-3f2a"
_INPUT = TensorSpec(name="x", dtype="float32", shape=(1, 8))


def case(variant: str, size_bytes: int = 4000, notes: tuple[str, ...] = (), **changes: Any) -> Case:
    fields: dict[str, Any] = {
        "device": "local",
        "model": "digits",
        "model_digest": "d1",
        "variant": variant,
        "backend": "null",
        "runtime_version": "1.0",
        "interpreter": "python3",
        "scenario": "single-stream",
        "batch": 1,
        "threads": 2,
        "affinity": None,
        "inputs": (_INPUT,),
        "artifact": Artifact(
            path=f"{variant}.null",
            format="null",
            sha256=variant,
            size_bytes=size_bytes,
            notes=notes,
        ),
        "options": {},
    }
    return Case(**{**fields, **changes})


FP32 = case("fp32")
INT8 = case("int8-dynamic", size_bytes=1000, notes=("made of 4 of 5 layers",))
INT4 = case("int4", size_bytes=600)


def plan(session_id: str = SESSION_ID, **changes: Any) -> SessionPlan:
    fields: dict[str, Any] = {
        "session_id": session_id,
        "created_unix_s": 1795184100.0,
        "command": ("boardmark", "run"),
        "suite": "quick",
        "device": "local",
        "seed": 7,
        "blocks": 5,
        "cases": (FP32, INT8, INT4),
        "skipped": (
            Skip(
                device="local",
                model="digits",
                variant="int8-static",
                backend="null",
                scenario="single-stream",
                batch=1,
                reason="no calibration data: pass --calibration",
            ),
        ),
        "order": tuple((FP32.key, INT8.key, INT4.key) for _ in range(5)),
        "sampling": {"precision": 0.05},
        "models": (Model(name="digits", origin="trained", digest="d1", inputs=(_INPUT,)),),
        "environment": {"kernel": "6.1", "cpu": "made up"},
        "harness_version": "0.1.0",
    }
    return SessionPlan(**{**fields, **changes})


def result(factor: float = 1.0) -> dict[str, Any]:
    """What the agent reports of one run, scaled by `factor`."""
    return {
        "phase": "done",
        "import_s": 0.5,
        "load_s": 0.25 * factor,
        "first_inference_s": 0.004 * factor,
        "warmup_ns": [5_000_000, 3_000_000],
        "timed_wall_s": 0.04 * factor,
        "stop_reason": "precise",
        "memory": {
            "baseline": {"hwm_bytes": 10_000_000, "anon_bytes": 4_000_000, "file_bytes": 6_000_000},
            "imported": {"hwm_bytes": 20_000_000},
            "loaded": {
                "hwm_bytes": round(40_000_000 * factor),
                "anon_bytes": round(30_000_000 * factor),
                "file_bytes": 9_000_000,
            },
            "steady": {"hwm_bytes": round(30_000_000 * factor)},
            "reset": True,
        },
        "peak_rss_bytes": round(40_000_000 * factor),
        "peak_anon_bytes": round(30_000_000 * factor),
        "peak_file_bytes": 9_000_000,
        "evidence": {
            "version": "1.0",
            "threads": 2,
            "provider": "cpu",
            "nodes_total": 5,
            "nodes_on_provider": 5,
            "precision": "f32",
            "detail": None,
        },
        "power": {
            "energy_j": 2.0 * factor,
            "power_w": 4.0,
            "energy_per_inference_j": 0.02 * factor,
            "inferences": 100,
            "method": "counter",
            "scope": "package",
        },
    }


def run(number: int, of: Case, block: int, factor: float = 1.0, **changes: Any) -> Run:
    """One good run: 20 samples around 2 ms times `factor`, a little slower in later blocks."""
    middle = 2_000_000 * factor * (1 + block / 1000)
    fields: dict[str, Any] = {
        "run_id": f"r{number:03}",
        "session_id": SESSION_ID,
        "seq": number,
        "block": block,
        "case_key": of.key,
        "status": "ok",
        "reason": None,
        "started_unix_s": 1795184100.0 + number,
        "duration_s": 1.5,
        "samples_ns": tuple(round(middle + 1000 * step) for step in range(-9, 11)),
        "result": result(factor),
    }
    return Run(**{**fields, **changes})


def failed(number: int, of: Case, block: int, status: str, reason: str) -> Run:
    return run(number, of, block, status=status, reason=reason, samples_ns=(), result={})


_SCORE = Quality(
    metric="accuracy",
    value=0.95,
    reference=0.97,
    loss=0.02061855670103093,
    loss_lo=0.01,
    loss_hi=0.03,
    n=360,
    fidelity=0.999,
    sqnr_db=31.5,
)


def runs() -> list[Run]:
    """Five blocks: fp32 good, int8 twice as fast and scored, int4 crashed in two blocks of five."""
    made = []
    for block in range(5):
        number = 3 * block
        made.append(run(number, FP32, block))
        made.append(run(number + 1, INT8, block, 0.5, quality=_SCORE if block == 0 else None))
        crash = block in (1, 3)
        made.append(
            failed(number + 2, INT4, block, "crashed", "killed by SIGILL")
            if crash
            else run(number + 2, INT4, block, 0.8)
        )
    return made
