"""How one run is driven: the suite's sampling, shortened or lengthened to a session's budget."""

from __future__ import annotations

from harness.plan.choice import Choice
from harness.types import Json
from suites import Sampling

# Until it is measured: start of a process, import of the runtime and load of the model, before
# anything is known of them.
_ASSUMED_START_S = 1.5
_SHORTEST_S = 0.1
_DEFAULT_TARGET = 0.05
# Ten samples of a rail that is read ten times a second, and some for its edges.
_ENERGY_S = 1.5


def of(sampling: Sampling, choice: Choice, runs: int) -> Json:
    """Return what the session remembers of its sampling; `run` is the agent's part.

    `precision` is the wanted relative half-width of a case's latency interval; it decides the
    verdict "imprecise", and one run may stop early at half of it, at 1 % at the most. A
    budget is divided among the runs.
    """
    sample_s = sampling.sample_s
    if choice.budget_s is not None:
        sample_s = max(_SHORTEST_S, choice.budget_s / max(1, runs) - _ASSUMED_START_S)
    target = choice.precision or _DEFAULT_TARGET
    return {
        "precision": target,
        "budget_s": choice.budget_s,
        "timeout_s": sampling.timeout_s,
        "energy_s": _ENERGY_S,
        "run": {
            "warmup_calls": sampling.warmup_runs,
            "warmup_s": min(sampling.warmup_s, sample_s),
            "min_samples": sampling.min_samples,
            "max_samples": sampling.max_samples,
            "min_s": sample_s / 2,
            "budget_s": sample_s,
            "precision": min(target / 2, 0.01),
        },
    }
