"""Which conditions two sides do not share: a difference in these is no difference of the models."""

from __future__ import annotations

from harness.types import Case, Json, SessionPlan, TensorSpec

# What makes a machine another one. Not its memory: a virtual machine's total differs by boot.
_MACHINE = ("arch", "cpu_model", "cpu_count", "soc")


def incomparable(base: Case, candidate: Case) -> tuple[str, ...]:
    """Return one phrase per condition that differs, like `threads 2 and 4`; none is comparable."""
    found = [
        f"{name} {_shown(getattr(base, name))} and {_shown(getattr(candidate, name))}"
        for name in ("device", "threads", "affinity", "scenario", "batch")
        if getattr(base, name) != getattr(candidate, name)
    ]
    ours, theirs = _inputs(base.inputs), _inputs(candidate.inputs)
    if ours != theirs:
        found.append(f"inputs {_listed(ours - theirs)} and {_listed(theirs - ours)}")
    return tuple(found)


def incomparable_sessions(base: SessionPlan, candidate: SessionPlan) -> tuple[str, ...]:
    """Return one phrase per condition that differs between two sessions: device, machine, seed.

    What one of them does not know of its machine is not held against the other.
    """
    found = [
        f"{name} {_shown(getattr(base, name))} and {_shown(getattr(candidate, name))}"
        for name in ("device", "seed")
        if getattr(base, name) != getattr(candidate, name)
    ]
    ours, theirs = machine(base.environment), machine(candidate.environment)
    return (
        *found,
        *(
            f"{name} {_shown(ours[name])} and {_shown(theirs[name])}"
            for name in _MACHINE
            if name in ours and name in theirs and ours[name] != theirs[name]
        ),
    )


def machine(environment: Json) -> Json:
    """Return what tells one machine from another, as far as it is known."""
    return {name: environment[name] for name in _MACHINE if environment.get(name) is not None}


def _inputs(specs: tuple[TensorSpec, ...]) -> frozenset[str]:
    return frozenset(f"{spec.name} {spec.dtype} {list(spec.shape)}" for spec in specs)


def _listed(inputs: frozenset[str]) -> str:
    return " + ".join(sorted(inputs)) or "none"


def _shown(value: object) -> str:
    if isinstance(value, tuple | list):
        return "+".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
