from __future__ import annotations

import handmade
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.types import Quality
from results import tables
from results.cases import summarise
from results.nights import COLUMNS, IDENTITY, Night, newest, nights
from results.row import CaseRow

SAME = tuple(name for name in Night.__struct_fields__ if name in CaseRow.__struct_fields__)


def of(plan, runs):
    """The figures of a session through the rows that are stored of it."""
    rows = tables.arrow(tables.Recorded(plan=plan, runs=tuple(runs)))["runs"].select(list(COLUMNS))
    rows = rows.filter(rows["case_key"].is_valid())
    rows = rows.sort_by([("case_key", "ascending"), ("seq", "ascending")])
    return {night.case_key: night for night in nights(rows.to_pylist())}


def assert_as_reported(plan, runs):
    found = of(plan, runs)
    reported = {row.case_key: row for row in summarise(plan, runs) if row.runs or row.runs_failed}
    assert found.keys() == reported.keys()
    for key, row in reported.items():
        # the interval of one run alone comes from its samples, which are not read
        alone = ("latency_p50_lo_s", "latency_p50_hi_s") if row.runs == 1 else ()
        for name in SAME:
            if name not in alone:
                wanted = getattr(row, name)
                assert getattr(found[key], name) == (
                    wanted if wanted is None or isinstance(wanted, str) else pytest.approx(wanted)
                ), name


def test_the_figures_are_those_of_the_report():
    assert len(SAME) > 25
    assert_as_reported(handmade.plan(), handmade.runs())


def steal(share, factor=1.0):
    """What the agent reports while somebody else takes this share of the processor."""
    return {
        **handmade.result(factor),
        "timed_host": {"window_s": 6.0, "ticks": 1200, "steal_share": share},
    }


_score = st.builds(
    Quality,
    metric=st.just("accuracy"),
    value=st.none() | st.floats(0.5, 1),
    reference=st.just(0.9),
    loss=st.none() | st.floats(-0.1, 0.4),
    fidelity=st.none() | st.floats(0.9, 1),
    n=st.integers(0, 9),
)


@st.composite
def sessions(draw):
    """Up to eight blocks of three cases, some disturbed, some failed, some scored."""
    runs = []
    for block in range(draw(st.integers(1, 8))):
        for case in (handmade.FP32, handmade.INT8, handmade.INT4):
            number = len(runs)
            if draw(st.integers(0, 9)) == 0:
                runs.append(handmade.failed(number, case, block, "crashed", "SIGILL"))
                continue
            quality = draw(st.none() | _score) if case is handmade.INT8 else None
            factor = draw(st.floats(0.5, 2))
            share = draw(st.sampled_from([0.0, 0.0, 0.5]))
            runs.append(
                handmade.run(
                    number, case, block, factor, result=steal(share, factor), quality=quality
                )
            )
    return runs


@given(sessions())
@settings(max_examples=60, deadline=None)
def test_any_session_has_the_figures_of_its_report(runs):
    assert_as_reported(handmade.plan(), runs)


def test_disturbed_runs_are_left_out_where_five_clean_blocks_remain():
    clean = [handmade.run(number, handmade.FP32, number) for number in range(5)]
    slow = handmade.run(9, handmade.FP32, 9, 3.0, result=steal(0.5))
    (night,) = of(handmade.plan(), [*clean, slow]).values()
    assert (night.runs, night.runs_disturbed) == (5, 1)
    assert night.latency_p50_hi_s < 0.0021
    (night,) = of(handmade.plan(), [*clean[1:], slow]).values()
    assert (night.runs, night.runs_disturbed) == (5, 1)
    assert night.latency_p50_hi_s > 0.003


def test_a_score_is_shared_by_cases_that_must_answer_alike():
    batched = msgspec.structs.replace(handmade.INT8, batch=8)
    plan = handmade.plan(cases=(handmade.INT8, batched))
    runs = [
        *(run for run in handmade.runs() if run.case_key == handmade.INT8.key),
        handmade.run(50, batched, 0),
    ]
    assert of(plan, runs)[batched.key].quality == 0.95
    assert_as_reported(plan, runs)


def test_the_newest_of_each_case_is_by_its_names_and_not_by_its_version():
    old, new = of(handmade.plan(), handmade.runs()), []
    for night in old.values():
        upgraded = msgspec.structs.replace(
            night, session_id="20261121T000000Z-0000", case_key=night.case_key[::-1],
            runtime_version="2.0",
        )  # fmt: skip
        if night.variant != "int4":
            new.append(upgraded)
    found = newest([*new[:1], *old.values(), *new[1:]])
    assert len(found) == len({tuple(getattr(one, name) for name in IDENTITY) for one in found}) == 3
    assert {one.variant: one.runtime_version for one in found} == {
        "fp32": "2.0", "int8-dynamic": "2.0", "int4": "1.0",
    }  # fmt: skip


def test_two_cases_of_one_session_with_the_same_names_are_both_its_newest():
    (night, *_) = of(handmade.plan(), handmade.runs()).values()
    pinned = msgspec.structs.replace(night, case_key="0" * 16)
    assert newest([night, pinned]) == [night, pinned]
