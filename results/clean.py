"""Which runs count: those during which the machine was the same one and did nothing else.

The unit is the block where cases are compared: dropping one side of a pair would charge the other
with what moved both.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable

from harness.stats import noise
from harness.stats.noise import Flag
from harness.stats.summary import LEAST_RUNS
from harness.types import Run, SessionPlan

Flags = dict[str, tuple[Flag, ...]]


def flags_by_run(runs: Iterable[Run]) -> Flags:
    """Return the flags of every run that succeeded by its run_id: alone, and among the others.

    Give all runs of a session: what its sentinel loop usually does decides from where on that is a
    disturbance.
    """
    cases: dict[str, list[Run]] = collections.defaultdict(list)
    for run in runs:
        if run.status == "ok":
            cases[run.case_key].append(run)
    usual = noise.usual_sentinel(run.result for of_case in cases.values() for run in of_case)
    found: Flags = {}
    for of_case in cases.values():
        relative = noise.among([run.result for run in of_case])
        for run, beside in zip(of_case, relative, strict=True):
            alone = noise.flags(run.result, run.samples_ns)
            found[run.run_id] = noise.eased(alone, usual) + beside
    return found


def is_clean(run: Run, found: Flags) -> bool:
    """Tell whether a run succeeded and none of its flags says that it is invalid."""
    return run.status == "ok" and not any(
        flag.severity == "invalid" for flag in found.get(run.run_id, ())
    )


def undisturbed(runs: Iterable[Run], found: Flags | None = None) -> list[Run]:
    """Return the runs to take figures from: of one case, of a pair, or of all that is compared.

    Those of the blocks in which every case among `runs` has a clean run, if there are LEAST_RUNS
    such blocks at least; otherwise all that succeeded, because an interval of too few is worth
    less than one that shows the noise. `found` are their flags, where the caller has them already.
    """
    good = [run for run in runs if run.status == "ok"]
    found = flags_by_run(good) if found is None else found
    keys = {run.case_key for run in good}
    clean = [run for run in good if is_clean(run, found)]
    held: dict[int, set[str]] = collections.defaultdict(set)
    for run in clean:
        held[run.block].add(run.case_key)
    blocks = {block for block, of_block in held.items() if of_block == keys}
    if len(blocks) < LEAST_RUNS:
        return good
    return [run for run in clean if run.block in blocks]


def clean_blocks(plan: SessionPlan, runs: Iterable[Run]) -> frozenset[int]:
    """Return the complete blocks in which every run is ok and none is invalid, anchors included.

    A block is complete with the cases that the plan's order names for it; one beyond that order
    with every case of a gate, and with whatever it holds in any other session.
    """
    runs = list(runs)
    found = flags_by_run(runs)
    held: dict[int, list[Run]] = collections.defaultdict(list)
    for run in runs:
        held[run.block].append(run)
    return frozenset(
        block
        for block, of_block in held.items()
        if all(is_clean(run, found) for run in of_block)
        and {run.case_key for run in of_block} >= _wanted(plan, block)
    )


def _wanted(plan: SessionPlan, block: int) -> frozenset[str]:
    """Return the keys of the cases that make a block complete."""
    if 0 <= block < len(plan.order):
        return frozenset(plan.order[block])
    if not plan.two_sided:
        return frozenset()
    return frozenset(case.key for case in plan.cases)
