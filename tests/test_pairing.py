"""Two prepared sides to one plan; what was scored against what."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import numpy as np
import pytest
from handmade import FP32, INT8, case, plan

import suites
from harness.errors import DeviceError, UsageError
from harness.plan.cases import Runtime
from harness.plan.choice import Choice
from harness.session.pairing import Pairs, Wish, fixed, pair
from harness.session.prepare import Outline, Prepared, Request
from harness.session.scoring import Scorer
from harness.types import Case, Quality, SessionPlan
from suites.models import Evaluation, ModelOptions, Source

REQUEST = Request(
    choice=Choice(suite="quick", seed=3),
    options=ModelOptions(),
    cache=Path("cache"),
    command=("gate",),
    harness_version="0",
)
OUTLINE = Outline(
    suite=suites.load("quick"),
    device="local",
    identity={"python": "3.11"},
    points=(),
    runtimes={"null": Runtime(backend="null", interpreter="python", version="1", probe_s=0.1)},
    sources={},
)


def wish(**changes: Any) -> Wish:
    fields: dict[str, Any] = {
        "kind": "gate", "session_id": "20261120T141500Z-3f2a", "blocks": 6, "budget_s": None,
        "energy_s": 0.0, "alpha": 0.01, "policy": {}, "names": {"base": "a", "candidate": "b"},
    }  # fmt: skip
    return Wish(**{**fields, **changes})


def prepared(*cases: Case, **changes: Any) -> Prepared:
    chosen = plan(cases=cases, **{"skipped": (), **changes})
    names = {each.model for each in cases}
    return Prepared(
        plan=chosen,
        sources=dict.fromkeys(names, cast(Source, SimpleNamespace())),
        evaluations={name: Path(f"{name}.npz") for name in names},
    )


def paired(base: Prepared, candidate: Prepared, **changes: Any) -> Pairs:
    return pair(wish(**changes), REQUEST, OUTLINE, (base, candidate))


def test_every_case_stands_twice_in_mirrored_blocks_with_an_anchor() -> None:
    found = paired(prepared(FP32), prepared(INT8), slow_down=0.2)
    assert [(each.variant, each.side) for each in found.plan.cases] == [
        ("fp32", "base"), ("int8-dynamic", "candidate"),
    ]  # fmt: skip
    assert [each.slow_down for each in found.plan.cases] == [0.0, 0.2]
    keys = {each.key for each in (*found.plan.cases, *found.plan.anchors)}
    assert len(keys) == 3
    assert len(found.plan.order) == 12
    assert all(set(block) == keys for block in found.plan.order)
    assert found.plan.design["blocks"] == 6
    assert found.against == {found.plan.cases[1].key: found.plan.cases[0].key}


def test_a_side_measured_against_itself_is_two_cases() -> None:
    found = paired(prepared(FP32), prepared(FP32))
    assert len({each.key for each in found.plan.cases}) == 2
    assert {model.name for model in found.plan.models} == {"digits"}


def test_another_model_of_the_same_name_gets_a_name_of_its_own() -> None:
    other = case("fp32", model_digest="d2")
    models = tuple(msgspec.structs.replace(each, digest="d2") for each in plan().models)
    found = paired(prepared(FP32), prepared(other, models=models))
    assert [each.model for each in found.plan.cases] == ["digits", "digits (candidate)"]
    assert [model.name for model in found.plan.models] == ["digits", "digits (candidate)"]
    assert found.prepared.evaluations["digits (candidate)"] == Path("digits.npz")


def test_what_only_one_side_has_is_skipped_and_nothing_in_common_is_an_error() -> None:
    lone = case("fp32", backend="torch")
    skip = plan().skipped
    found = paired(prepared(FP32, lone), prepared(INT8, skipped=skip))
    assert [each.backend for each in found.plan.cases] == ["null", "null"]
    assert found.plan.skipped == skip
    with pytest.raises(DeviceError, match="no calibration data"):
        paired(prepared(lone), prepared(INT8, skipped=skip))


def test_sides_with_other_inputs_are_incomparable() -> None:
    longer = tuple(msgspec.structs.replace(spec, shape=(1, 16)) for spec in FP32.inputs)
    with pytest.raises(UsageError, match=r"incomparable on null: inputs x"):
        paired(prepared(FP32), prepared(case("fp32", inputs=longer)))


def test_the_fixed_workload_needs_no_model() -> None:
    found = fixed(wish(kind="self-test", slow_down=0.2), REQUEST, OUTLINE)
    assert [each.slow_down for each in found.plan.cases] == [0.0, 0.2]
    assert len({each.key for each in (*found.plan.cases, *found.plan.anchors)}) == 3


class Echo:
    """A source that tells which reference it was asked to score against."""

    def score(self, outputs: dict[str, Any], evaluation: Evaluation) -> Quality:
        return Quality(
            metric="sum",
            value=float(outputs["y"].sum()),
            reference=float(evaluation.reference["y"].sum()),
            loss=None,
        )


@pytest.mark.parametrize("first", [0, 1])
def test_a_candidate_is_scored_against_what_its_base_answered(tmp_path: Path, first: int) -> None:
    sides: SessionPlan = paired(prepared(FP32), prepared(INT8)).plan
    base, candidate = sides.cases
    evaluation = tmp_path / "evaluation.npz"
    np.savez(evaluation, **{"in:x": np.zeros(2), "out:y": np.full(2, 5.0)})
    sources = {"digits": cast(Source, Echo())}
    against = {candidate.key: base.key}
    with Scorer(sides.cases, sources, {"digits": evaluation}, against) as scorer:
        for each in (sides.cases[first], sides.cases[1 - first]):
            wanted = scorer.wanted(each)
            assert wanted is not None
            np.savez(wanted["outputs"], y=np.full(2, 1.0 if each is base else 3.0))
            scorer.quality(each)
        found = [scorer.quality(each) for each in (base, candidate)]
        assert [each and (each.value, each.reference) for each in found] == [(2, 10), (6, 2)]
        assert scorer.wanted(base) is scorer.wanted(candidate) is None
