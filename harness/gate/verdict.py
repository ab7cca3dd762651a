"""What a gate says: one verdict per metric of each pair, and one judgement of the session."""

from __future__ import annotations

from typing import Literal

import msgspec

from harness.gate.metrics import Better
from harness.types import Json

Outcome = Literal["failed", "regressed", "over-budget", "inconclusive", "pass"]
# The worst first.
OUTCOMES: tuple[Outcome, ...] = ("failed", "regressed", "over-budget", "inconclusive", "pass")
EXIT_CODES: dict[Outcome, int] = {
    "failed": 4,
    "regressed": 1,
    "over-budget": 1,
    "inconclusive": 3,
    "pass": 0,
}


class MetricVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one pair, decided.

    `kind` is margin (candidate against base), budget (candidate against an absolute limit) or runs
    (whether there is anything to compare). `base` and `candidate` are typical values of the blocks
    used (`across_runs`) in base units of `unit` (s, bytes, j, per_s, share); `change` is candidate
    / base - 1, block by block, with its 95 % interval `change_lo` to `change_hi`. `limit` is the
    margin as a fraction, or the budget in base units. `p` is the one-sided chance of data like
    these from equal sides, `p_limit` what it is held against; `p_alarm` the smallest of both looks,
    1 where a look shows the change to lie within the margin: what calibration collects. `n` counts
    blocks, or evaluation samples where quality is judged. `missing` tells that data are missing,
    which no policy lets pass; `blocking` that this verdict fails the gate. What is unknown is None,
    and `reason` says why.
    """

    pair: str
    base_key: str | None
    candidate_key: str | None
    metric: str
    kind: Literal["margin", "budget", "runs"]
    outcome: Outcome
    reason: str
    advice: str | None = None
    unit: str | None = None
    better: Better = "lower"
    base: float | None = None
    candidate: float | None = None
    change: float | None = None
    change_lo: float | None = None
    change_hi: float | None = None
    limit: float | None = None
    p: float | None = None
    p_limit: float | None = None
    p_alarm: float | None = None
    n: int = 0
    missing: bool = False
    blocking: bool = False


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate answers: the worst blocking outcome, and all that it rests on.

    `base` and `candidate` name the sides. `family` counts the tests that share `alpha`;
    `calibration` is the sentence that says whether A/A sessions of this device set the threshold
    (`calibrated`). `blocks_used` of the `blocks_wanted` per look are free of disturbance;
    `rejected` counts disturbed blocks by signal, a block under each of its signals. `smallest_p`
    is the least `p_alarm`, None where one is missing.
    """

    session_id: str
    device: str
    base: str
    candidate: str
    outcome: Outcome
    exit_code: int
    verdicts: tuple[MetricVerdict, ...]
    alpha: float
    family: int
    calibrated: bool
    calibration: str
    blocks_used: int
    blocks_wanted: int
    blocks_rejected: int
    rejected: dict[str, int]
    warnings: tuple[str, ...]
    smallest_p: float | None
    design: Json


def worst(outcomes: set[Outcome]) -> Outcome:
    """Return the worst of `outcomes`, pass where there is none."""
    return next((outcome for outcome in OUTCOMES if outcome in outcomes), "pass")
