"""A case becomes the request that the agent understands."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import msgspec

from harness.session.boards import Transport
from harness.types import Artifact, Case, Json, SessionPlan
from suites.models.content import file_sha256


def of(case: Case, plan: SessionPlan, transport: Transport, passes: int = 0) -> Json:
    """Return the run request for `case`; its artifact is put where the agent can read it.

    `passes` is how often its power was measured before: the plan says how often it is to be.
    """
    anchor = case.side.startswith("anchor")
    artifact = case.artifact
    files = [artifact.path, *artifact.files]
    there = transport.put([Path(file) for file in files])
    places = dict(zip(there, files, strict=True)) if artifact.files else {}
    return {
        "op": "run",
        "backend": case.backend,
        "artifact": there[0],
        "sha256": None if places else artifact.sha256,
        "sha256s": _sha256s(places, artifact),
        "options": case.options,
        "affinity": list(case.affinity) if case.affinity else None,
        "inputs": msgspec.to_builtins(case.inputs),
        "seed": plan.seed,
        "batch": case.batch,
        "sampling": plan.sampling["anchor" if anchor else "run"],
        **_power(plan, wanted=not anchor and passes < _most_passes(plan)),
        "watch_hz": None if anchor else plan.sampling.get("watch_hz"),
        "slow_down": case.slow_down,
        "timeout_s": plan.sampling["timeout_s"],
    }


def _most_passes(plan: SessionPlan) -> float:
    blocks = plan.sampling.get("energy_blocks")
    return math.inf if blocks is None else float(blocks)


def _power(plan: SessionPlan, wanted: bool) -> Json:
    if not wanted:
        return {"energy_s": 0, "idle_s": None}
    return {"energy_s": plan.sampling["energy_s"], "idle_s": plan.sampling.get("idle_s") or None}


def _sha256s(places: dict[str, str], artifact: Artifact) -> dict[str, str]:
    """Return {path on the board: digest} of an artifact's files, so that each can be checked."""
    return {there: _content(here, artifact.sha256) for there, here in places.items()}


@functools.cache
def _content(path: str, build: str) -> str:
    """Return the digest of a file of `build` as this command first saw it.

    Not by modification time: a file that changes between two blocks must not pass for the old one.
    """
    try:
        return file_sha256(Path(path))
    except OSError:
        return ""  # the agent refuses the run and says which file it cannot read
