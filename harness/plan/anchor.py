"""The anchor: one fixed workload that runs in every block of every session on a device.

It is pure integer arithmetic of the agent's own interpreter (the null backend's `spin`), so it
needs no runtime, and it never changes: what moves between its runs is the machine. Two of them in
one block are the same thing measured twice, which shows the noise that any comparison has.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import suites
from harness.plan.cases import Runtime
from harness.types import Artifact, Case, Json, Model, Side, TensorSpec, digest

MODEL = "anchor"
_INPUT = TensorSpec(name="x", dtype="float32", shape=(1, 4))
MODEL_RECORD = Model(
    name=MODEL,
    origin="null",
    digest=digest([MODEL, 1]),
    inputs=(_INPUT,),
    description="fixed integer arithmetic of the agent's own interpreter",
    quality_reason="no model: it answers with its input",
)
_SCRIPT = Path(suites.__file__).with_name("anchor.json")
SIDES: tuple[Side, ...] = ("anchor-1", "anchor-2")


def cases(
    device: str, identity: Json, runtime: Runtime, sides: tuple[Side, ...]
) -> tuple[Case, ...]:
    """Return one anchor case per side; none where the agent's own interpreter did not answer."""
    if runtime.version is None:
        return ()
    return tuple(case(device, identity, runtime, side) for side in sides)


def case(
    device: str, identity: Json, runtime: Runtime, side: Side = "", slow_down: float = 0.0
) -> Case:
    """Return the fixed workload as a case; another python is another anchor."""
    return Case(
        device=device,
        model=MODEL,
        model_digest=MODEL_RECORD.digest,
        variant="fixed",
        backend=runtime.backend,
        runtime_version=f"{runtime.version} python {identity.get('python')}",
        interpreter=runtime.interpreter,
        scenario="single-stream",
        batch=1,
        threads=1,
        affinity=None,
        inputs=(_INPUT,),
        artifact=_artifact(),
        options={"threads": 1, "precision": None, "shapes": {"x": [1, 4]}},
        side=side,
        slow_down=slow_down,
    )


def _artifact() -> Artifact:
    content = _SCRIPT.read_bytes()
    return Artifact(
        path=str(_SCRIPT),
        format="null",
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
    )
