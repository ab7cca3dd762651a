"""Two prepared sides to one plan: every case twice, base and candidate, in the same blocks."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from harness.errors import DeviceError, UsageError
from harness.gate.incomparable import incomparable
from harness.plan import anchor, looks, order, pace
from harness.session.prepare import Outline, Prepared, Request
from harness.types import Case, Json, Kind, SessionPlan, Side

ANCHORS: tuple[Side, ...] = ("anchor-1",)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate was asked for beside its sides; `blocks` are those of one look.

    `slow_down` is the share of extra work that the candidate gets on purpose.
    """

    kind: Kind
    session_id: str
    blocks: int | None
    budget_s: float | None
    energy_s: float
    alpha: float
    policy: Json
    names: Mapping[str, str]
    slow_down: float = 0.0


class Pairs(msgspec.Struct, frozen=True, kw_only=True):
    """A gate's plan, what scoring needs, and which case is scored against which, by key."""

    plan: SessionPlan
    prepared: Prepared
    against: dict[str, str]


def pair(wish: Wish, request: Request, found: Outline, sides: tuple[Prepared, Prepared]) -> Pairs:
    """Return the plan that measures both sides; UsageError where they are not comparable.

    `request` and `found` are the base's. A case that only one side has is skipped with the reason.
    """
    base, candidate = sides
    matched = _matched(base.plan, candidate.plan)
    if not matched:
        raise DeviceError("nothing can be compared: " + "; ".join(_reasons(base, candidate)))
    renamed = _names(base.plan, candidate.plan)
    cases = tuple(
        msgspec.structs.replace(
            case,
            side=side,
            model=renamed.get((side, case.model), case.model),
            slow_down=wish.slow_down if side == "candidate" else 0.0,
        )
        for twins in matched
        for side, case in zip(_SIDES, twins, strict=True)
    )
    _check(cases)
    plan = _plan(wish, request, found, cases)
    plan = msgspec.structs.replace(
        plan,
        skipped=(*base.plan.skipped, *candidate.plan.skipped),
        models=_models(base.plan, candidate.plan, renamed),
    )
    against = {new.key: old.key for old, new in zip(cases[::2], cases[1::2], strict=True)}
    return Pairs(plan=plan, prepared=_scoring(plan, base, candidate, renamed), against=against)


def fixed(wish: Wish, request: Request, found: Outline) -> Pairs:
    """Return the plan that measures the anchor's fixed workload against itself."""
    usable = found.runtimes["null"]
    base, candidate = (
        anchor.case(found.device, found.identity, usable, side, slow_down)
        for side, slow_down in zip(_SIDES, (0.0, wish.slow_down), strict=True)
    )
    plan = _plan(wish, request, found, (base, candidate))
    plan = msgspec.structs.replace(plan, models=(anchor.MODEL_RECORD,))
    return Pairs(plan=plan, prepared=Prepared(plan=plan, sources={}, evaluations={}), against={})


_SIDES: tuple[Side, Side] = ("base", "candidate")
Names = dict[tuple[Side, str], str]


def _matched(base: SessionPlan, candidate: SessionPlan) -> list[tuple[Case, Case]]:
    """Return the cases of both sides that share runtime, scenario and batch, in order."""
    others = {(case.backend, case.scenario, case.batch): case for case in candidate.cases}
    keyed = [((case.backend, case.scenario, case.batch), case) for case in base.cases]
    return [(case, others[key]) for key, case in keyed if key in others]


def _reasons(base: Prepared, candidate: Prepared) -> list[str]:
    skips = (*base.plan.skipped, *candidate.plan.skipped)
    told = (f"{skip.model} {skip.variant} on {skip.backend}: {skip.reason}" for skip in skips)
    return list(dict.fromkeys(told))[:4]


def _check(cases: tuple[Case, ...]) -> None:
    for base, candidate in zip(cases[::2], cases[1::2], strict=True):
        differing = incomparable(base, candidate)
        if differing:
            raise UsageError(
                f"base and candidate are incomparable on {base.backend}: {'; '.join(differing)}",
                "measure both with the same inputs and threads",
            )


def _names(base: SessionPlan, candidate: SessionPlan) -> Names:
    """Return new names for the candidate's models where another model has the same one."""
    taken = {model.name: model.digest for model in base.models}
    return {
        ("candidate", model.name): f"{model.name} (candidate)"
        for model in candidate.models
        if taken.get(model.name, model.digest) != model.digest
    }


def _models(base: SessionPlan, candidate: SessionPlan, renamed: Names) -> tuple[object, ...]:
    named = [
        msgspec.structs.replace(model, name=renamed.get(("candidate", model.name), model.name))
        for model in candidate.models
    ]
    return tuple({model.name: model for model in (*base.models, *named)}.values())


def _scoring(plan: SessionPlan, base: Prepared, candidate: Prepared, renamed: Names) -> Prepared:
    """Return what scoring needs: both sides answer the base's evaluation, the base's way."""
    pairs = list(zip(plan.cases[::2], plan.cases[1::2], strict=True))
    sources = {old.model: base.sources[old.model] for old, _ in pairs}
    evaluations: dict[str, Path | None] = {
        old.model: base.evaluations[old.model] for old, _ in pairs
    }
    for old, new in pairs:
        sources[new.model] = base.sources[old.model]
        evaluations[new.model] = base.evaluations[old.model]
    return Prepared(plan=plan, sources=sources, evaluations=evaluations)


def _plan(wish: Wish, request: Request, found: Outline, cases: tuple[Case, ...]) -> SessionPlan:
    anchors = anchor.cases(found.device, found.identity, found.runtimes["null"], ANCHORS)
    efforts = {
        case.key: pace.effort(case, found.runtimes, request.known) for case in (*cases, *anchors)
    }
    chosen = looks.design(
        [efforts[case.key] for case in cases],
        [efforts[case.key] for case in anchors],
        wish.blocks,
        wish.budget_s,
    )
    driven = looks.drive(chosen, found.suite.sampling.timeout_s, wish.budget_s)
    count = chosen.blocks * looks.LOOKS
    keys = [case.key for case in (*cases, *anchors)]
    return SessionPlan(
        session_id=wish.session_id,
        created_unix_s=time.time(),
        command=request.command,
        suite=found.suite.name,
        device=found.device,
        seed=request.choice.seed,
        blocks=count,
        cases=cases,
        skipped=(),
        order=order.mirrored(keys, count, request.choice.seed),
        sampling={**driven, "energy_s": wish.energy_s},
        models=(),
        environment=found.identity,
        harness_version=request.harness_version,
        kind=wish.kind,
        anchors=anchors,
        design={
            "blocks": chosen.blocks,
            "looks": looks.LOOKS,
            "alpha": wish.alpha,
            "policy": wish.policy,
            "names": dict(wish.names),
        },
    )
