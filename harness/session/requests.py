"""A case becomes the request that the agent understands."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.session.boards import Transport
from harness.types import Case, Json, SessionPlan


def of(case: Case, plan: SessionPlan, transport: Transport) -> Json:
    """Return the run request for `case`; its artifact is put where the agent can read it."""
    anchor = case.side.startswith("anchor")
    path = transport.put(Path(case.artifact.path))
    for beside in case.artifact.files:
        transport.put(Path(beside))
    return {
        "op": "run",
        "backend": case.backend,
        "artifact": path,
        "sha256": None if case.artifact.files else case.artifact.sha256,
        "options": case.options,
        "affinity": list(case.affinity) if case.affinity else None,
        "inputs": msgspec.to_builtins(case.inputs),
        "seed": plan.seed,
        "batch": case.batch,
        "sampling": plan.sampling["anchor" if anchor else "run"],
        "energy_s": 0 if anchor else plan.sampling["energy_s"],
        "slow_down": case.slow_down,
        "timeout_s": plan.sampling["timeout_s"],
    }
