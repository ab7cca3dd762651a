"""How one run is driven: the suite's sampling, fitted to a session's time and precision."""

from __future__ import annotations

from harness.plan import energy
from harness.plan.choice import Choice
from harness.types import Json
from suites import Sampling

_DEFAULT_TARGET = 0.05
# With a budget alone, the time is spent until every case is known this well.
_BUDGET_GOAL = 0.01
# The anchor's share of a block is kept small: about a hundred calls.
_ANCHOR_S = 0.12
# What the agent's one message can carry with room to spare.
_MOST_SAMPLES = 200_000
# The same for a soak: its calls take less than a millisecond where they are that many, so that they
# are shorter to write. Of more calls it keeps every second, every fourth and so on.
_MOST_SOAK_SAMPLES = 1_000_000
# Heat moves in seconds; the kernel's thermal governors act every few tenths.
_WATCH_HZ = 4.0
# What a board remembers of a soak until its end, a dozen readings each: some tens of megabytes.
_MOST_MOMENTS = 50_000
_LEAST_COOLING_S = 180.0

_USUAL_PASSES = energy.Passes()


def of(
    sampling: Sampling,
    choice: Choice,
    sample_s: float,
    planned_s: float,
    power: energy.Passes = _USUAL_PASSES,
) -> Json:
    """Return what the session remembers of its sampling; `run` and `anchor` are the agent's part.

    `precision` is the wanted relative half-width of a case's latency interval and decides the
    verdict "imprecise"; `goal` is the half-width that blocks are added for, None where none are.
    One run may stop early at half the wanted precision, at 1 % at the most. `planned_s` is the time
    that was announced. `power` says how long each pass for power is, and how many blocks have one.

    A soak adds `soak_s`, `watch_hz` (how often the agent reads temperature and clock meanwhile) and
    `cool_timeout_s` (how long a board may take to cool before it: what warmed it took as long).
    """
    target = choice.precision or _DEFAULT_TARGET
    soak_s = choice.soak_s
    found: Json = {
        "precision": target,
        "goal": choice.precision or (_BUDGET_GOAL if choice.budget_s else None),
        "budget_s": choice.budget_s,
        "planned_s": planned_s,
        "timeout_s": sampling.timeout_s + (soak_s or sample_s) + power.energy_s + power.idle_s,
        "energy_s": power.energy_s,
        "idle_s": power.idle_s,
        "energy_blocks": power.blocks,
        "energy_reason": power.reason,
        "run": {
            "warmup_calls": sampling.warmup_runs,
            "warmup_s": min(sampling.warmup_s, sample_s),
            "min_samples": sampling.min_samples,
            "max_samples": _MOST_SAMPLES if choice.sample_s else sampling.max_samples,
            "min_s": sample_s if choice.sample_s else sample_s / 2,
            "budget_s": sample_s,
            "precision": min(target / 2, 0.01),
        },
        "anchor": anchor(),
    }
    if soak_s is None:
        return found
    run = {**found["run"], **_soak(soak_s)}
    watch_hz = min(_WATCH_HZ, _MOST_MOMENTS / soak_s)
    cooling = {"watch_hz": watch_hz, "cool_timeout_s": max(_LEAST_COOLING_S, soak_s)}
    return {**found, "run": run, "soak_s": soak_s, **cooling}


def _soak(soak_s: float) -> Json:
    """Return what makes a run a soak: nothing but its time ends it."""
    return {
        "soak": True,
        "min_samples": 1,
        "max_samples": _MOST_SOAK_SAMPLES,
        "min_s": soak_s,
        "budget_s": soak_s,
        "precision": None,
    }


def anchor() -> Json:
    """Return the sampling of an anchor's run."""
    return {
        "warmup_calls": 5,
        "warmup_s": 0.0,
        "min_samples": 20,
        "max_samples": 5000,
        "min_s": _ANCHOR_S,
        "budget_s": _ANCHOR_S,
        "precision": None,
    }
