"""The anchors of a session: its drift, the noise between identical runs, and the picture."""

from __future__ import annotations

import math
import re

import fake_session
import msgspec
import pytest

from harness.types import Run
from reports.drift import Drift, drift, picture, sentences
from reports.session import SessionView
from reports.text import table


@pytest.fixture(scope="module")
def view() -> SessionView:
    return fake_session.view()


def anchored(first: list[int], second: list[int]) -> SessionView:
    """Return a session whose anchors take these microseconds, block by block."""
    plan = fake_session.plan_of(len(first))
    runs = []
    for number, values in enumerate((first, second)):
        for block, us in enumerate(values):
            runs.append(run_of(plan.anchors[number].key, block, us))
    return SessionView(plan=plan, rows=[], runs=tuple(runs))


def run_of(key: str, block: int, us: int) -> Run:
    return Run(
        run_id=f"{key}{block}",
        session_id="20261120T141500Z-3f2a",
        seq=block,
        block=block,
        case_key=key,
        status="ok",
        reason=None,
        started_unix_s=0.0,
        duration_s=1.0,
        samples_ns=(us * 1000,) * 3,
    )


def found(view: SessionView) -> Drift:
    seen = drift(view)
    assert seen is not None
    return seen


def test_the_anchors_show_the_drift_that_was_put_in(view):
    seen = found(view)
    assert seen.trend.ratio == pytest.approx(1.04, abs=0.02)
    assert seen.trend.lo is not None
    assert seen.trend.lo > 1
    assert (
        "the machine drifted: from start to end the same work's time moved +" in sentences(seen)[0]
    )


def test_two_anchors_apart_by_a_constant_share_that_spread():
    seen = found(anchored([1000] * 6, [1020, 980] * 3))
    wanted = math.sqrt((math.log(1.02) ** 2 + math.log(0.98) ** 2) / 2)
    assert seen.spread == pytest.approx(math.expm1(wanted))
    assert "differ by about 2.02\u00a0%" in sentences(seen)[1]
    assert seen.apart is not None
    assert seen.apart.lo < 1 < seen.apart.hi
    assert "chance" not in sentences(seen)[1]


def test_anchors_that_seem_to_differ_are_said_to_do_so_by_chance():
    seen = found(anchored([1000, 1010, 990, 1000, 1005], [1050, 1062, 1041, 1050, 1055]))
    assert "Their ratio seems to be +5" in sentences(seen)[1]
    assert "one session of twenty" in sentences(seen)[1]


def test_a_quiet_machine_shows_no_drift():
    seen = found(anchored([1000, 1010, 990, 1000, 1005], [1003, 998, 1004, 1001, 997]))
    assert "no drift is shown" in sentences(seen)[0]


def test_failed_runs_of_an_anchor_are_left_out(view):
    lost = [
        msgspec.structs.replace(run, status="crashed")
        if run.case_key == view.plan.anchors[0].key and run.block == 2
        else run
        for run in view.runs
    ]
    seen = found(msgspec.structs.replace(view, runs=tuple(lost)))
    assert set(seen.anchors[0]) == {0, 1, 3, 4}
    assert set(seen.level) == {0, 1, 2, 3, 4}
    assert seen.apart is not None
    assert seen.apart.n == 4


def test_one_block_tells_the_noise_of_one_pair_and_no_drift():
    seen = found(anchored([1000], [1010]))
    assert sentences(seen) == ("Two identical runs in one block differ by about 1.00\u00a0%.",)


def test_one_anchor_tells_the_drift_alone():
    view = anchored([1000, 1010, 1020], [1000, 1010, 1020])
    plan = msgspec.structs.replace(view.plan, anchors=view.plan.anchors[:1])
    seen = found(msgspec.structs.replace(view, plan=plan))
    assert (seen.apart, seen.spread) == (None, None)
    assert len(sentences(seen)) == 1


def test_a_session_without_anchors_says_nothing(view):
    plan = msgspec.structs.replace(view.plan, anchors=())
    assert drift(msgspec.structs.replace(view, plan=plan)) is None
    runs = tuple(run for run in view.runs if run.case_key not in anchors(view))
    assert drift(msgspec.structs.replace(view, runs=runs)) is None


def anchors(view: SessionView) -> set[str]:
    return {case.key for case in view.plan.anchors}


def test_the_picture_is_told_in_words_and_holds_both_anchors(view):
    drawn = picture(view, found(view))
    assert 'role="img"' in drawn.markup
    assert "the machine drifted" in drawn.markup
    assert "anchor 1" in drawn.markup
    assert "anchor 2" in drawn.markup
    assert "fixed loop" in drawn.markup
    ticks = re.findall("> ?([+−]?[0-9.]+)\u00a0%<", drawn.markup)
    assert len(ticks) >= 3
    assert all(-5 <= float(tick.replace("−", "-")) <= 10 for tick in ticks)


@pytest.mark.parametrize("odd", [None, [], ["x", None], [0, -3], "text", {"a": 1}, [1e400, 2]])
def test_odd_sentinel_readings_leave_the_anchors(view, odd):
    runs = tuple(
        msgspec.structs.replace(run, result={"host": {"sentinel_ns": odd}}) for run in view.runs
    )
    view = msgspec.structs.replace(view, runs=runs)
    assert ("fixed loop" in picture(view, found(view)).markup) == (odd == [1e400, 2])


def test_the_text_has_the_drift_and_the_noise(view):
    text = table(view)
    assert "Machine:\n  Over 5 blocks the machine drifted" in text
    plan = msgspec.structs.replace(view.plan, anchors=())
    assert "Machine:" not in table(msgspec.structs.replace(view, plan=plan))
