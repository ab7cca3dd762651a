"""What a gate fixes before it measures: blocks per look and samples per run, from time alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from harness.errors import UsageError
from harness.plan import sampling
from harness.plan.pace import SHORTEST_SAMPLE_S, Effort
from harness.types import Json

LOOKS = 2
# Steps rather than any number, so that A/A sessions of the same design pile up.
_STEPS = (5, 7, 10, 15, 20, 30)
_USUAL_BLOCKS = 10
# Between processes lies most of the spread, so time goes into runs rather than into long ones.
_USUAL_SAMPLE_S = 0.25
_WARM_UP_S = 0.05
_WARM_UP_CALLS = 3
_LEAST_SAMPLES = 5
# No process starts, loads and samples in less.
_QUICKEST_RUN_S = 0.3
# Set aside for disturbed blocks that are repeated.
_REPEATS = 1.2


class Design(msgspec.Struct, frozen=True, kw_only=True):
    """Blocks of one look (there are two at the most), seconds of samples per run, time in all."""

    blocks: int
    sample_s: float
    planned_s: float


def design(
    sides: Sequence[Effort], anchors: Sequence[Effort], blocks: int | None, budget_s: float | None
) -> Design:
    """Return the design that fits `budget_s`; `blocks` fixes the blocks per look.

    Where it seems to hold none, the least one; UsageError where it cannot hold even that.
    """
    anchor_s = float(sampling.anchor()["budget_s"])
    beside_s = sum(one.start_s for one in (*sides, *anchors)) + len(anchors) * anchor_s
    firsts_s = sum(one.first_s for one in (*sides, *anchors))

    def total_s(count: int, sample_s: float) -> float:
        calls_s = [
            one.calling_s(sample_s + _WARM_UP_S, _WARM_UP_CALLS + _LEAST_SAMPLES) for one in sides
        ]
        runs_s = beside_s + sum(calls_s)
        return firsts_s + LOOKS * count * runs_s * _REPEATS

    wanted = [blocks] if blocks else list(_STEPS) if budget_s else [_USUAL_BLOCKS]
    fits = [
        (count, sample_s)
        for sample_s in (_USUAL_SAMPLE_S, SHORTEST_SAMPLE_S)
        for count in sorted(wanted, reverse=True)
        if budget_s is None or total_s(count, sample_s) <= budget_s
    ]
    least = min(wanted), SHORTEST_SAMPLE_S
    if budget_s is not None and not fits:
        _refuse_the_impossible(least[0], len(sides) + len(anchors), budget_s)
    count, sample_s = fits[0] if fits else least
    planned_s = min(total_s(count, sample_s), budget_s or math.inf)
    return Design(blocks=count, sample_s=sample_s, planned_s=planned_s)


def _refuse_the_impossible(blocks: int, runs: int, budget_s: float) -> None:
    """Raise UsageError where not even one look of the quickest runs fits.

    What an import takes was guessed from one process, on a busy machine or a cold disk much too
    high: a budget that merely looks short is tried, and what it does not hold stays undecided.
    """
    least_s = blocks * runs * _QUICKEST_RUN_S
    if budget_s < least_s:
        raise UsageError(
            f"a budget of {budget_s:.0f} s is too short for {blocks} blocks of {runs} runs",
            f"give --budget {least_s + 1:.0f}s at the very least, better twice that",
        )


def drive(chosen: Design, timeout_s: float, budget_s: float | None) -> Json:
    """Return what the session remembers of its sampling; a gate's runs are all equally long."""
    return {
        "precision": 0.05,
        "goal": None,
        "budget_s": budget_s,
        "planned_s": chosen.planned_s,
        "timeout_s": timeout_s,
        "energy_s": 0,
        "run": {
            "warmup_calls": _WARM_UP_CALLS,
            "warmup_s": _WARM_UP_S,
            "min_samples": _LEAST_SAMPLES,
            "max_samples": 5000,
            "min_s": chosen.sample_s,
            "budget_s": chosen.sample_s,
            "precision": None,
        },
        "anchor": sampling.anchor(),
    }
