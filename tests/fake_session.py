"""A session as a board would have left it: seeded, with slow levels and failed cases."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from harness.types import (
    Artifact,
    Case,
    Json,
    Model,
    Quality,
    Run,
    SessionPlan,
    Side,
    Skip,
    TensorSpec,
)
from reports.session import SessionView
from results.cases import summarise

VERSIONS = {"onnxruntime": "1.23.2", "openvino": "2026.1.0", "tflite": "2.1.0", "torch": "2.13.0"}
RUNTIME_MB = {"onnxruntime": 62, "openvino": 118, "tflite": 48, "torch": 310}
FP32_MS = {"onnxruntime": 21.0, "openvino": 17.0, "tflite": 26.0, "torch": 33.0}
SPEED = {"fp32": 1.0, "fp16": 0.97, "int8-dynamic": 1.74, "int8-static": 2.15, "int4": 0.86}
WIDTH = {"fp32": 1.0, "fp16": 0.5, "int8-dynamic": 0.255, "int8-static": 0.256, "int4": 0.161}
LOSS = {
    "fp32": (0.0, 0.0, 0.0),
    "fp16": (0.0, -0.001, 0.001),
    "int8-dynamic": (0.004, 0.0, 0.009),
    "int8-static": (0.021, 0.012, 0.031),
    "int4": (0.046, 0.03, 0.065),
}
SKIPPED = {
    ("tflite", "int4"): "ai-edge-quantizer makes int4 weights only for fully connected layers",
    ("torch", "int8-static"): "torchao has no calibrated static int8 for this processor",
    ("torch", "fp16"): "the processor has no float16 arithmetic and torch would compute in float32",
}
WEIGHTS_BYTES = 90_300_000

ENVIRONMENT: Json = {
    "arch": "x86_64",
    "kernel": "6.1.0-18-amd64",
    "os": "Debian GNU/Linux 12 (bookworm)",
    "python": "3.11.7",
    "python_bits": 64,
    "soc": None,
    "board": {"dt_model": None, "dmi_vendor": "Example", "dmi_product": "Board 1"},
    "cpu_model": "AMD EPYC",
    "cpu_count": 2,
    "cores": [
        {"id": 0, "core": "AMD EPYC", "max_hz": None, "governor": None, "cluster": 0},
        {"id": 1, "core": "AMD EPYC", "max_hz": None, "governor": None, "cluster": 0},
    ],
    "clusters": [{"core": "AMD EPYC", "ids": [0, 1], "max_hz": None}],
    "isa": ["avx2", "avx512_vnni", "fma"],
    "governors": [],
    "turbo": None,
    "smt": False,
    "hypervisor": True,
    "ram_bytes": 8_200_000_000,
    "available_bytes": 6_900_000_000,
    "swap_bytes": 0,
    "load_1m": 0.31,
    "thermal_zones": [],
    "power": {"source": None, "reasons": ["rapl: /sys/class/powercap holds no package counter"]},
    "memory": {"vm_hwm": True, "clear_refs": True},
    "unknown": {
        "governors": "/sys/devices/system/cpu/cpufreq does not exist",
        "turbo": "/sys/devices/system/cpu/cpufreq/boost does not exist",
        "thermal_zones": "/sys/class/thermal has no thermal zone",
    },
}


def view(blocks: int = 5, **changes: Any) -> SessionView:
    """Return the view of a made-up quantization session; `changes` replace fields of its plan."""
    plan = msgspec.structs.replace(plan_of(blocks), **changes)
    runs = runs_of(plan)
    return SessionView(
        plan=plan,
        rows=summarise(plan, runs),
        runs=tuple(runs),
        problems=("the clock was set during the session: 2.1 s",),
    )


def plan_of(blocks: int) -> SessionPlan:
    """Return the plan: every level on every runtime, and batches of eight for two levels."""
    cases, skipped = [], []
    for variant in SPEED:
        for backend in VERSIONS:
            if (backend, variant) in SKIPPED:
                skipped.append(_skip(backend, variant))
            else:
                cases.append(case(backend, variant))
    for backend in ("onnxruntime", "openvino", "tflite"):
        cases += [case(backend, variant, "offline", 8) for variant in ("fp32", "int8-dynamic")]
    rng = random.Random(7)
    anchors = (anchor("anchor-1"), anchor("anchor-2"))
    order = tuple(
        (*(c.key for c in rng.sample(cases, len(cases))), *(a.key for a in anchors))
        for _ in range(blocks)
    )
    return SessionPlan(
        session_id="20261120T141500Z-3f2a",
        created_unix_s=1795184100.0,
        command=("boardmark", "run", "--suite", "quantization", "--seed", "7"),
        suite="quantization",
        device="local",
        seed=7,
        blocks=blocks,
        cases=tuple(cases),
        skipped=tuple(skipped),
        order=order,
        sampling={"precision": 0.05, "run": {"budget_s": 0.6}},
        models=(
            Model(
                name="minilm-l6",
                origin="pretrained",
                digest="d" * 16,
                inputs=(),
                description="Sentence encoder, 22.7 M parameters",
                quality_metric="triplet accuracy",
            ),
        ),
        environment=ENVIRONMENT,
        harness_version="0.1.0",
        anchors=anchors,
    )


def anchor(side: str) -> Case:
    """Return one of the two equal cases that run in every block."""
    script = Artifact(path="anchor.json", format="null", sha256="a" * 64, size_bytes=80)
    return msgspec.structs.replace(
        case("onnxruntime", "fp32"),
        model="anchor",
        variant="fixed",
        backend="null",
        runtime_version="1.0",
        artifact=script,
        side=side,  # type: ignore[arg-type]
    )


def case(backend: str, variant: str, scenario: str = "single-stream", batch: int = 1) -> Case:
    """Return one case of the made-up session."""
    size = round(WEIGHTS_BYTES * WIDTH[variant])
    return Case(
        device="local",
        model="minilm-l6",
        model_digest="d" * 16,
        variant=variant,
        backend=backend,
        runtime_version=VERSIONS[backend],
        interpreter="python3",
        scenario=scenario,
        batch=batch,
        threads=2,
        affinity=None,
        inputs=(
            TensorSpec(name="input_ids", dtype="int64", shape=(batch, 128), low=0, high=30522),
        ),
        artifact=Artifact(
            path=f"{variant}.bin", format="onnx", sha256=variant, size_bytes=size, notes=()
        ),
        options={},
    )


def runs_of(plan: SessionPlan) -> list[Run]:
    """Return one run per case and block: skewed latencies, a drift, failures, a noisy case."""
    rng, apart = random.Random(plan.seed), random.Random(plan.seed)
    cases = {c.key: c for c in plan.cases}
    anchors = {a.key: a for a in plan.anchors}
    runs = []
    for block, keys in enumerate(plan.order):
        for key in keys:
            if key in anchors:
                runs.append(_anchor_run(plan, anchors[key], block, len(runs), apart))
            else:
                runs.append(_run(plan, cases[key], block, len(runs), rng))
    return runs


def _anchor_run(plan: SessionPlan, case: Case, block: int, seq: int, rng: random.Random) -> Run:
    """Return a run of the fixed work: 3 ms, 1 % slower each block, 0.5 % apart by chance."""
    median = 3e6 * (1 + 0.01 * block) * rng.lognormvariate(0, 0.005)
    samples = tuple(round(median * rng.lognormvariate(0, 0.01)) for _ in range(51))
    return Run(
        run_id=f"{case.key}-{block}",
        session_id=plan.session_id,
        seq=seq,
        block=block,
        case_key=case.key,
        status="ok",
        reason=None,
        started_unix_s=plan.created_unix_s + seq * 2,
        duration_s=2.0,
        samples_ns=samples,
        result={"host": _host(seq, block), "stop_reason": "precise"},
    )


def _host(seq: int, block: int) -> Json:
    """Return what the machine did around a run: a little steal in every ninth."""
    sentinel = round(1e7 * (1 + 0.01 * block))
    return {
        "window_s": 2.0,
        "ticks": 400,
        "steal_share": 0.015 if seq % 9 == 4 else 0.0,
        "foreign_share": 0.0,
        "sentinel_ns": [sentinel, sentinel + 50_000],
    }


def disturbed(view: SessionView, every: int, **host: Any) -> SessionView:
    """Return the session as if the hypervisor, or `host`, had hit every so manieth run."""
    runs = [
        msgspec.structs.replace(
            run,
            result={
                **run.result,
                "host": {**run.result.get("host", {}), **(host or {"steal_share": 0.08})},
            },
        )
        if run.status == "ok" and run.seq % every == 0
        else run
        for run in view.runs
    ]
    rows = summarise(view.plan, runs)
    return msgspec.structs.replace(view, runs=tuple(runs), rows=rows)


def gate(blocks: int = 10, factor: float = 1.05, **changes: Any) -> SessionView:
    """Return a gate session: two cases, the candidate of each slower by `factor`."""
    pairs = [case("onnxruntime", "fp32"), case("openvino", "int8-dynamic")]
    sides: tuple[Side, ...] = ("base", "candidate")
    cases = tuple(msgspec.structs.replace(one, side=side) for one in pairs for side in sides)
    anchors = (anchor("anchor-1"),)
    keys = tuple(one.key for one in (*cases, *anchors))
    plan = msgspec.structs.replace(
        plan_of(blocks),
        kind="gate",
        suite="gate",
        cases=cases,
        skipped=(),
        anchors=anchors,
        order=(keys,) * blocks,
        command=("boardmark", "gate", "--base", "a.onnx", "--candidate", "b.onnx"),
        design={"blocks": blocks, "alpha": 0.01, "policy": {}},
    )
    plan = msgspec.structs.replace(plan, **changes)
    slower = {one.key for one in cases if one.side == "candidate"}
    runs = [
        msgspec.structs.replace(
            run, samples_ns=tuple(round(value * factor) for value in run.samples_ns)
        )
        if run.case_key in slower
        else run
        for run in runs_of(plan)
    ]
    return SessionView(plan=plan, rows=summarise(plan, runs), runs=tuple(runs))


def _run(plan: SessionPlan, case: Case, block: int, seq: int, rng: random.Random) -> Run:
    status, reason = "ok", None
    if (case.backend, case.variant) == ("torch", "int4"):
        status, reason = "crashed", "the runtime stopped on SIGILL: an instruction this CPU lacks"
    if (case.backend, case.variant, block) == ("tflite", "int8-static", 2):
        status, reason = "timeout", "no result within 120 s; the run was ended"
    spread = 0.12 if (case.backend, case.variant) == ("torch", "int8-dynamic") else 0.008
    median = FP32_MS[case.backend] / SPEED[case.variant] * case.batch**0.85 / 1e3
    median *= 1 + 0.01 * block + rng.gauss(0, spread)
    count = 20 if case.batch > 1 else rng.randint(80, 110)
    samples = [round(median * 1e9 * rng.lognormvariate(0, 0.03)) for _ in range(count)]
    samples = [
        s + (round(rng.expovariate(150) * 1e9) if rng.random() < 0.02 else 0) for s in samples
    ]
    ok = status == "ok"
    loss, low, high = LOSS[case.variant]
    return Run(
        run_id=f"{case.key}-{block}",
        session_id=plan.session_id,
        seq=seq,
        block=block,
        case_key=case.key,
        status=status,  # type: ignore[arg-type]
        reason=reason,
        started_unix_s=plan.created_unix_s + seq * 2,
        duration_s=2.0,
        samples_ns=tuple(samples) if ok else (),
        quality=Quality(
            metric="triplet accuracy",
            value=0.94 * (1 - loss),
            reference=0.94,
            loss=loss,
            loss_lo=low,
            loss_hi=high,
            n=120,
            fidelity=1 - loss / 4,
            sqnr_db=30.0,
        )
        if ok
        else None,
        result=_result(case, samples, rng) | _ended(seq, block) if ok else {},
    )


def _ended(seq: int, block: int) -> Json:
    """Return why a run ended, and what the machine did meanwhile."""
    reason = "budget" if seq % 5 == 0 else "precise"
    return {"stop_reason": reason, "host": _host(seq, block)}


def _result(case: Case, samples: list[int], rng: random.Random) -> Json:
    runtime = RUNTIME_MB[case.backend] * 1e6
    weights = WEIGHTS_BYTES * WIDTH[case.variant]
    peak = round(runtime + weights * 1.15 + 9e6 * case.batch + rng.gauss(0, 3e5))
    return {
        "import_s": 0.2,
        "load_s": 0.11 * WIDTH[case.variant] + rng.uniform(0.05, 0.06),
        "first_inference_s": samples[0] / 1e9 * 1.8,
        "timed_wall_s": sum(samples) / 1e9 * 1.0002,
        "peak_rss_bytes": peak,
        "peak_anon_bytes": round(peak * 0.7),
        "peak_file_bytes": round(peak * 0.3),
        "memory": {
            "baseline": _pages(11_200_000),
            "loaded": _pages(round(peak * 0.92)),
            "steady": _pages(peak),
        },
        "power": {"reason": "rapl: /sys/class/powercap holds no package counter"},
        "evidence": {
            "version": VERSIONS[case.backend],
            "threads": 2,
            "provider": "CPU",
            "nodes_total": 210,
            "nodes_on_provider": 210,
            "precision": None,
            "detail": None,
        },
    }


def _pages(peak: int) -> Json:
    """Return a phase's memory of which seven tenths are the process's own."""
    anonymous = round(peak * 0.7)
    return {"hwm_bytes": peak, "anon_bytes": anonymous, "file_bytes": peak - anonymous}


def _skip(backend: str, variant: str) -> Skip:
    return Skip(
        device="local",
        model="minilm-l6",
        variant=variant,
        backend=backend,
        scenario="single-stream",
        batch=1,
        reason=SKIPPED[backend, variant],
    )
