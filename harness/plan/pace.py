"""How long a session will take, told before it starts, and how it is kept to that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from harness.plan.cases import Runtime
from harness.types import Case, Json

# Where a runtime's import was not timed: the start of a python and of a small library.
_ASSUMED_START_S = 1.0
# What a run takes beside import, load and samples: our own process, memory, two sentinel loops.
_OWN_S = 0.15
# Reading an artifact, making the graph: most files are in the page cache when they are read.
_LOAD_BYTES_PER_S = 150e6
# The first run of an artifact also computes the outputs that are scored.
_FIRST_RUN_S = 0.4
SHORTEST_SAMPLE_S = 0.1
# A session may overrun what was announced by this much before it leaves something out.
TOLERANCE = 1.15
# Set aside for disturbed runs that are repeated.
REPEATS = 1.1


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of one run of a case beside its samples, of its first run on top, and of one call.

    `call_s` is 0 where nobody has called it yet.
    """

    start_s: float
    first_s: float = _FIRST_RUN_S
    call_s: float = 0.0

    def calling_s(self, wanted_s: float, least_calls: int) -> float:
        """Return the seconds of warm-up and samples: a slow model's few calls outlast its time."""
        return max(wanted_s, least_calls * self.call_s)


def effort(case: Case, runtimes: Mapping[str, Runtime], known: Mapping[str, Effort]) -> Effort:
    """Return what a run of `case` takes: as in an earlier session, else from its import."""
    if case.key in known:
        return known[case.key]
    runtime = runtimes.get(case.backend)
    start_s = runtime.probe_s if runtime and runtime.probe_s else _ASSUMED_START_S
    return Effort(start_s=start_s + _OWN_S + (case.artifact.size_bytes or 0) / _LOAD_BYTES_PER_S)


def sample_s(
    wanted_s: float, budget_s: float | None, efforts: Sequence[Effort], blocks: int
) -> float:
    """Return the seconds of samples per run: as wanted, shortened where a budget leaves less."""
    if budget_s is None or not efforts:
        return wanted_s
    starts_s = sum(one.first_s + blocks * one.start_s for one in efforts)
    left_s = (budget_s - starts_s) / (blocks * len(efforts))
    return min(wanted_s, max(SHORTEST_SAMPLE_S, left_s))


def total_s(
    order: Sequence[Sequence[str]], efforts: Mapping[str, Effort], samples_s: Mapping[str, float]
) -> float:
    """Return the seconds that the blocks of `order` take in all."""
    runs = [key for block in order for key in block]
    firsts_s = sum(efforts[key].first_s for key in set(runs))
    return firsts_s + sum(efforts[key].start_s + samples_s[key] for key in runs)


def shortened(run: Json, share: float) -> Json:
    """Return the sampling of one run with its seconds cut to `share` of them, 1 at the most.

    A soak is not cut: half of it answers another question.
    """
    if share >= 1 or run.get("soak"):
        return run
    return {**run, **{name: run[name] * share for name in ("budget_s", "min_s") if name in run}}
