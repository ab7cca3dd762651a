"""Points become cases where a runtime answers and an artifact exists, else skips."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

import backends
from harness.plan.choice import Choice
from harness.plan.points import Point
from harness.types import Artifact, Case, Json, Model, Skip, TensorSpec

# What a variant's unquantized parts compute in, where the runtime lets itself be told. Left to
# itself a runtime may pick bfloat16, and a level would be compared with FP32 and with another
# precision at once.
PRECISIONS = {"fp16": "f16"}
_DEFAULT_PRECISION = "f32"
# Counted as `batch` inferences, a call that takes one sample would be that many times too fast.
_FIXED_BATCH = "the batch is fixed by the model or by --shape: no input takes more samples per call"


class Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """A probed runtime: its version under an interpreter, or why it cannot be used.

    `probe_s` is how long a process took that only imports it.
    """

    backend: str
    interpreter: str
    version: str | None = None
    reason: str | None = None
    probe_s: float | None = None


class Grounds(msgspec.Struct, frozen=True, kw_only=True):
    """What is known when cases are made: device, runtimes, models and what was built of them.

    `artifacts` is keyed by (model word, variant, format); a str is the reason why there is none.
    """

    device: str
    threads: int
    runtimes: Mapping[str, Runtime]
    models: Mapping[str, Model]
    artifacts: Mapping[tuple[str, str, str], Artifact | str]


def format_of(backend: str) -> str:
    """Return the artifact format that is built for `backend`."""
    preferred: str = backends.TABLE[backend]["formats"][0]
    return preferred


def make(point: Point, choice: Choice, grounds: Grounds) -> Case | Skip:
    """Return the case that measures `point`, or the skip that says why it cannot be measured."""
    runtime = grounds.runtimes[point.backend]
    model = grounds.models[point.model]
    if runtime.version is None:
        return _skip(point, model, grounds, runtime.reason or "the runtime gave no version")
    if point.batch > 1 and not any(spec.batched for spec in model.inputs):
        return _skip(point, model, grounds, _FIXED_BATCH)
    artifact = grounds.artifacts[(point.model, point.variant, format_of(point.backend))]
    if isinstance(artifact, str):
        return _skip(point, model, grounds, artifact)
    inputs = tuple(bound(spec, point.batch) for spec in model.inputs)
    return Case(
        device=grounds.device,
        model=model.name,
        model_digest=model.digest,
        variant=point.variant,
        backend=point.backend,
        runtime_version=runtime.version,
        interpreter=runtime.interpreter,
        scenario=point.scenario,
        batch=point.batch,
        threads=grounds.threads,
        affinity=choice.cores,
        inputs=inputs,
        artifact=artifact,
        options=_options(point, grounds, inputs),
    )


def bound(spec: TensorSpec, batch: int) -> TensorSpec:
    """Return `spec` for `batch` samples per call; an input that is not batched stays as it is."""
    if not spec.batched or not spec.shape:
        return spec
    return msgspec.structs.replace(spec, shape=(spec.shape[0] * batch, *spec.shape[1:]))


def _options(point: Point, grounds: Grounds, inputs: tuple[TensorSpec, ...]) -> Json:
    return {
        "threads": grounds.threads,
        "precision": PRECISIONS.get(point.variant, _DEFAULT_PRECISION),
        "shapes": {spec.name: list(spec.shape) for spec in inputs},
    }


def _skip(point: Point, model: Model, grounds: Grounds, reason: str) -> Skip:
    return Skip(
        device=grounds.device,
        model=model.name,
        variant=point.variant,
        backend=point.backend,
        scenario=point.scenario,
        batch=point.batch,
        reason=reason,
    )
