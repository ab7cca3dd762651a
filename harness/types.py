"""The records that travel between the floors: inert, frozen, base units, unknown is None.

Units are in the names: `_s` seconds, `_ns` nanoseconds, `_bytes`, `_j` joules, `_w` watts,
`_per_s` per second. Nothing here computes anything but identities.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

import msgspec

Status = Literal["ok", "failed", "crashed", "timeout", "oom", "skipped"]
Origin = Literal["trained", "pretrained", "random", "user", "null"]
Side = Literal["", "base", "candidate", "anchor-1", "anchor-2", "emulated", "fit"]
Kind = Literal["run", "gate", "calibration", "self-test", "import", "emulation", "fit"]
Json = dict[str, Any]

END_OF_CALENDAR_S = 253402300800.0
"""When the year 10000 begins, in Unix seconds: no calendar of ours shows a later day."""
UnixTime = Annotated[float, msgspec.Meta(ge=0.0, lt=END_OF_CALENDAR_S)]


class TensorSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One input of a model with every dimension bound.

    `low` and `high` bound the values drawn for it: integers lie in [low, high), so a token id never
    leaves the vocabulary; floats are uniform in [low, high), or standard normal where both are
    None. The first dimension is the batch where `batched` is true.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    low: float | None = None
    high: float | None = None
    batched: bool = True


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured: a zoo entry or a user's file. `digest` changes with weights or recipe."""

    name: str
    origin: Origin
    digest: str
    inputs: tuple[TensorSpec, ...]
    description: str = ""
    quality_metric: str | None = None
    quality_reason: str | None = None


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """One built file: a variant of a model in one runtime's format, named by its content.

    `size_bytes` is None only in an import: the files of other tools do not tell it.
    """

    path: str
    format: str
    sha256: str
    size_bytes: int | None
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    toolchain: str = ""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """The thing a row reports: model x variant x backend x scenario on one device.

    `options` are the backend's (threads, precision, mode, shapes); `runtime_version` is what the
    probe found, so an upgraded runtime is another case. `side` tells two cases of one session apart
    that may be equal in all else: a gate's base and candidate, the two anchors; "emulated" is no
    run on the device at all, "fit" one under a limit of memory. `slow_down` is the share of extra
    work that is added to every call on purpose, to prove that a gate sees it. `threads` is None
    only in an import whose file does not tell it.
    """

    device: str
    model: str
    model_digest: str
    variant: str
    backend: str
    runtime_version: str
    interpreter: str
    scenario: str
    batch: int
    threads: int | None
    affinity: tuple[int, ...] | None
    inputs: tuple[TensorSpec, ...]
    artifact: Artifact
    options: Json
    side: Side = ""
    slow_down: float = 0.0

    @property
    def key(self) -> str:
        """Return a stable digest (16 hex digits) of everything that may change the number."""
        # Through its own types first: a bound of 0 and the 0.0 that storage gives back are one
        # bound.
        identity = msgspec.to_builtins(msgspec.convert(msgspec.to_builtins(self), Case))
        identity.pop("interpreter")
        # What older sessions did not know must not change their keys.
        for name in ("side", "slow_down"):
            if not identity[name]:
                identity.pop(name)
        identity["artifact"] = {"sha256": self.artifact.sha256, "format": self.artifact.format}
        return digest(identity)

    @property
    def answers_as(self) -> tuple[str, str, str, str]:
        """Return what its outputs are a function of: cases that share it share their score."""
        return self.artifact.sha256, self.backend, self.runtime_version, self.side

    @property
    def label(self) -> str:
        """Name the case for people: model variant backend scenario."""
        batch = f" b{self.batch}" if self.batch != 1 else ""
        side = f" ({self.side})" if self.side else ""
        return f"{self.model} {self.variant} {self.backend} {self.scenario}{batch}{side}"


class Skip(msgspec.Struct, frozen=True, kw_only=True):
    """A point of the product that cannot be measured here, and why."""

    device: str
    model: str
    variant: str
    backend: str
    scenario: str
    batch: int
    reason: str
    status: Status = "skipped"


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """How good a case's outputs are, scored on `n` evaluation samples.

    `value` is the model's own metric (higher is better) and `reference` the same metric of the FP32
    source. `loss` is relative, (reference - value) / reference, with its 95 % interval; `fidelity`
    is the mean cosine between the outputs and the FP32 reference's. A value that could not be had
    is None and `reason` says why.
    """

    metric: str
    value: float | None
    reference: float | None
    loss: float | None
    loss_lo: float | None = None
    loss_hi: float | None = None
    n: int = 0
    fidelity: float | None = None
    sqnr_db: float | None = None
    reason: str | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One fresh process that measured one case once: the unit of replication.

    `samples_ns` are the raw durations in order; `result` is what the agent reported beside them
    (memory by phase, evidence, power, stop reason, environment), kept whole.
    """

    run_id: str
    session_id: str
    seq: int
    block: int
    case_key: str
    status: Status
    reason: str | None
    started_unix_s: float
    duration_s: float
    samples_ns: tuple[int, ...] = ()
    quality: Quality | None = None
    result: Json = {}


class SessionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a session is about to do; written first, so that it can be resumed.

    `order` lists one tuple of case keys per block, those of the `anchors` among them: cases that
    are the same in every session of a device, so that they show its drift; they are no rows.
    Blocks beyond `order` may follow: repeats of disturbed ones and those that a wanted precision
    takes. `environment` is the device's identity. `design` holds what a gate fixes beforehand:
    blocks per look, alpha, policy; of an import the whole documents that it was read from; of a fit
    the board, what it leaves to a model, and what this host could give.
    """

    session_id: str
    created_unix_s: UnixTime
    command: tuple[str, ...]
    suite: str
    device: str
    seed: int
    blocks: int
    cases: tuple[Case, ...]
    skipped: tuple[Skip, ...]
    order: tuple[tuple[str, ...], ...]
    sampling: Json
    models: tuple[Model, ...]
    environment: Json
    harness_version: str
    kind: Kind = "run"
    anchors: tuple[Case, ...] = ()
    design: Json = {}

    @property
    def two_sided(self) -> bool:
        """Tell whether a base and a candidate ran in it, so that whole blocks count."""
        return self.kind not in ("run", "import", "emulation", "fit")


def digest(value: Any) -> str:
    """Return 16 hex digits of the SHA-256 of `value` as canonical JSON (sorted keys)."""
    canonical = msgspec.json.encode(value, order="sorted")
    return hashlib.sha256(canonical).hexdigest()[:16]
