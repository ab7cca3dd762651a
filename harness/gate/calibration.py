"""A/A sessions of the same device and design: how small p gets where nothing differs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.errors import StoreError, UsageError
from harness.gate import null_cache
from harness.gate.incomparable import machine
from harness.gate.judge import blocks_per_look, judge
from harness.gate.policy import Policy
from harness.plan.looks import LOOKS
from harness.stats.calibration import alarm_limit
from harness.types import SessionPlan, digest
from results import measured
from results.catalog import Catalog
from results.sessions import list_sessions, load
from results.store import Store

NEWEST = 200
_RECENT = 100
# The share of both looks' blocks that an A/A session must have had undisturbed.
_NEARLY = 0.9


def null_minima(store: Store, plan: SessionPlan, policy: Policy) -> tuple[float, ...]:
    """Return the smallest p of each A/A session that stands for `plan`, the newest first.

    Those are the newest 200 sealed sessions of kind calibration on the same machine and kernel,
    with the same runtimes and versions, threads, scenarios and batches pair by pair, as many blocks
    per look and as long samples. The model is no part of it: what is calibrated is the noise.
    Each is judged again from its runs under `policy`, at both looks; one that lacks a metric or
    clean blocks for the second look tells nothing, and neither does one that cannot be read.
    """
    wanted = _design(plan)
    cache = null_cache.read(store.root)
    before = msgspec.json.encode(cache)
    known = cache.of(policy)
    found: list[float] = []
    catalog = store.catalog()
    for session_id in reversed(_sealed(store)):
        if len(found) == NEWEST:
            break
        if session_id not in cache.designs:
            cache.designs[session_id] = _design_of(store, session_id, catalog)
        if cache.designs[session_id] != wanted:
            continue
        if session_id not in known:
            smallest = _smallest_p(store, session_id, policy, catalog)
            if smallest is None:
                continue
            known[session_id] = smallest
        found.append(known[session_id])
    if msgspec.json.encode(cache) != before:
        null_cache.write(store.root, cache)
    return tuple(found)


def alarm(minima: Sequence[float], alpha: float, family: int) -> str | None:
    """Return the warning that A/A sessions alarm more often than `alpha` allows, or None.

    Counted are those of the newest hundred whose smallest p lies at or below alpha divided by looks
    and tests, which is what an uncalibrated gate calls REGRESSED; plausible is what a binomial with
    `alpha` exceeds once in a hundred times.
    """
    newest = minima[:_RECENT]
    alarms = sum(value <= alpha / LOOKS / max(1, family) for value in newest)
    plausible = alarm_limit(len(newest), alpha)
    if not newest or alarms <= plausible:
        return None
    return (
        f"{alarms} of the last {len(newest)} A/A sessions differ although nothing did; at most "
        f"{plausible} are plausible at alpha {alpha:.2g}: something on this machine disturbs one "
        "side more than the other, boardmark doctor may tell what"
    )


def _design(plan: SessionPlan) -> str:
    """Return a digest of what two sessions have to share for the one's noise to be the other's."""
    pairs = sorted(
        [
            case.backend,
            case.runtime_version,
            case.threads,
            case.affinity or (),
            case.scenario,
            case.batch,
        ]
        for case in plan.cases[::2]
    )
    kernel = plan.environment.get("kernel")
    sample_s = measured.number(plan.sampling, "run", "budget_s")
    where = [plan.device, machine(plan.environment), kernel]
    return digest([*where, pairs, blocks_per_look(plan), sample_s])


def _sealed(store: Store) -> list[str]:
    """Return the sealed A/A sessions, the oldest first."""
    entries = list_sessions(store).entries
    return [one.session_id for one in entries if one.sealed and one.kind == "calibration"]


def _design_of(store: Store, session_id: str, catalog: Catalog) -> str:
    """Return the design of an A/A session, "" of one that cannot be read.

    Whoever lists or opens that session is told.
    """
    try:
        return _design(load(store, session_id, catalog).plan)
    except (StoreError, UsageError):
        return ""


def _smallest_p(store: Store, session_id: str, policy: Policy, catalog: Catalog) -> float | None:
    """Return the smallest p of one A/A session over its family and both looks."""
    try:
        session = load(store, session_id, catalog)
        judgement = judge(session.plan, session.runs, policy, ())
    except (StoreError, UsageError):
        return None
    both_looks = judgement.blocks_used >= _NEARLY * LOOKS * judgement.blocks_wanted
    return judgement.smallest_p if both_looks else None
