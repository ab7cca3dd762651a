"""Soaks as boards would have left them: one that is held down, one that is not, one of seconds."""

from __future__ import annotations

import math
import random
from typing import Any

import fake_session
import msgspec

from harness.types import Case, Json, Run, SessionPlan
from reports.session import SessionView
from results.cases import summarise

SOAK_S = 600.0
HELD_AT_S = 200.0
WATCH_HZ = 4.0


def view(*cases: Case, seconds: float = SOAK_S, **changes: Any) -> SessionView:
    """Return a session of one soak per case: the first is held down, the others are not."""
    plan = plan_of(cases or two_cases(), seconds)
    runs = tuple(run_of(plan, case, place, seconds) for place, case in enumerate(plan.cases))
    plan = msgspec.structs.replace(plan, **changes)
    return SessionView(plan=plan, rows=summarise(plan, runs), runs=runs)


def two_cases() -> tuple[Case, ...]:
    """Return a level on two runtimes."""
    return tuple(
        fake_session.case(backend, "fp32", "soak") for backend in ("onnxruntime", "openvino")
    )


def plan_of(cases: tuple[Case, ...], seconds: float = SOAK_S) -> SessionPlan:
    """Return the plan of a soak session."""
    return msgspec.structs.replace(
        fake_session.plan_of(1),
        cases=cases,
        skipped=(),
        anchors=(),
        blocks=1,
        order=(tuple(case.key for case in cases),),
        sampling={"precision": 0.05, "soak_s": seconds, "run": {"budget_s": seconds, "soak": True}},
        command=("run", "--suite", "quantization", "--soak", str(seconds)),
    )


def run_of(
    plan: SessionPlan, case: Case, place: int, seconds: float = SOAK_S, held: bool | None = None
) -> Run:
    """Return one soak of 20 ms calls; a board that is held down makes them 35 % slower."""
    held = place == 0 if held is None else held
    rng = random.Random(place)
    samples: list[int] = []
    now_s = 0.0
    while now_s < seconds:
        slower = 1 + 0.35 / (1 + math.exp(-(now_s - HELD_AT_S) / 4)) if held else 1.0
        took_s = 0.02 * slower * rng.lognormvariate(0, 0.015)
        samples.append(round(took_s * 1e9))
        now_s += took_s
    return Run(
        run_id=f"soak-{place}",
        session_id=plan.session_id,
        seq=place,
        block=0,
        case_key=case.key,
        status="ok",
        reason=None,
        started_unix_s=plan.created_unix_s,
        duration_s=seconds + 2,
        samples_ns=tuple(samples),
        result={
            "timed_wall_s": sum(samples) / 1e9 * 1.0001,
            "timed_calls": len(samples),
            "kept_every": 1,
            "stop_reason": "budget",
            "steady": {"reached": None, "calls": 0, "reason": "a soak"},
            "peak_rss_bytes": 90_000_000,
            "power": {"reason": "no sensor"},
            "evidence": {"version": "1", "threads": 2},
            "watch": watch(seconds, held),
        },
    )


def watch(seconds: float, held: bool) -> Json:
    """Return what a Raspberry Pi like board shows: heat, two clocks, a cooling device, power."""
    moments = [step / WATCH_HZ for step in range(round(seconds * WATCH_HZ))]
    rng = random.Random(7)
    warm = 84.0 if held else 62.0
    heat = [42 + (warm - 42) * (1 - math.exp(-at / 70)) + rng.gauss(0, 0.2) for at in moments]
    down = [held and at >= HELD_AT_S + 5 for at in moments]
    return {
        "t_s": moments,
        "temperature_c": {"cpu-thermal": heat, "gpu-thermal": [value - 3 for value in heat]},
        "frequency_hz": {
            "policy0": [1.2e9 if low else 1.8e9 for low in down],
            "policy4": [0.6e9 for _ in moments],
        },
        "limit_frequency_hz": {"policy0": [1.8e9 for _ in moments]},
        "cooling": {"cpufreq-cpu0": [2.0 if low else 0.0 for low in down]},
        "throttle": {},
        "power_w": [None, *((6.1 if low else 8.0) + rng.gauss(0, 0.1) for low in down[1:])],
        "missed": 1,
        "reasons": {},
    }
