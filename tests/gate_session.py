"""Sessions of a gate by hand: pairs of cases and their runs, block by block, noise from a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import handmade
import msgspec

from harness.types import Case, Quality, Run, SessionPlan

DISTURBED = {"host": {"steal_share": 0.3, "window_s": 10.0, "ticks": 2000}}


def pair(**changes: Any) -> tuple[Case, Case]:
    base = handmade.case("fp32", side="base", **changes)
    return base, handmade.case("int8-dynamic", side="candidate", size_bytes=1000, **changes)


def plan(
    pairs: Sequence[tuple[Case, Case]] | None = None, blocks: int = 10, **changes: Any
) -> SessionPlan:
    cases = tuple(case for both in pairs or [pair()] for case in both)
    keys = tuple(case.key for case in cases)
    fields = {
        "kind": "gate",
        "cases": cases,
        "skipped": (),
        "blocks": blocks,
        "order": (keys,) * blocks,
        "design": {"blocks": blocks},
        "environment": {**handmade.plan().environment, "ram_bytes": 1_000_000_000},
        **changes,
    }
    return handmade.plan(**fields)


def run(of: Case, block: int, number: int, factor: float = 1.0, **changes: Any) -> Run:
    """One good run of 120 samples; `factor` scales time, memory and energy."""
    middle = 2_000_000 * factor
    memory = changes.pop("memory", 1.0)
    samples = changes.pop("samples", 120)
    durations = tuple(round(middle * (1 + step / 10_000)) for step in range(samples))
    result = handmade.result(factor) | {
        "peak_rss_bytes": round(100_000_000 * memory),
        "timed_wall_s": sum(durations) / 1e9,
    }
    result |= changes.pop("extra", {})
    return handmade.run(
        number, of, block, run_id=f"r{number:04}", samples_ns=durations, result=result, **changes
    )


def runs(
    of: SessionPlan,
    slower: float = 1.0,
    noise: float = 0.004,
    blocks: int = 10,
    seed: int = 1,
    memory: float = 1.0,
    **changes: Any,
) -> list[Run]:
    """Runs of every case in every block; the candidates are `slower` and take `memory` times."""
    rng = random.Random(seed)
    found = []
    for block in range(blocks):
        drift = 1 + 0.03 * block / blocks
        for case in of.cases:
            theirs = case.side == "candidate"
            factor = drift * rng.lognormvariate(0, noise) * (slower if theirs else 1)
            used = rng.lognormvariate(0, 0.0005) * (memory if theirs else 1)
            found.append(run(case, block, len(found), factor, memory=used, **changes))
    return found


def replace(run: Run, **changes: Any) -> Run:
    return msgspec.structs.replace(run, **changes)


def disturbed(run: Run) -> Run:
    """The same run while a neighbour took a third of the machine."""
    return replace(run, result={**run.result, **DISTURBED})


def scored(run: Run, loss: float, lo: float | None, hi: float | None) -> Run:
    quality = Quality(
        metric="accuracy", value=0.97 * (1 - loss), reference=0.97, loss=loss, loss_lo=lo,
        loss_hi=hi, n=360,
    )  # fmt: skip
    return replace(run, quality=quality)
