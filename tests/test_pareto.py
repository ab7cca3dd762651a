"""A case is set aside only where another is shown to be better somewhere and worse nowhere."""

from __future__ import annotations

import fake_session
import msgspec
import pytest

from reports.pareto import front, simultaneous
from reports.relations import Relations
from reports.session import SessionView
from results.cases import CaseRow, summarise


@pytest.fixture(scope="module")
def view() -> SessionView:
    return fake_session.view()


def single(view: SessionView) -> list[CaseRow]:
    return [row for row in view.rows if row.scenario == "single-stream" and row.latency_p50_s]


def named(rows: tuple[CaseRow, ...]) -> set[tuple[str, str]]:
    return {(row.variant, row.backend) for row in rows}


def test_what_another_beats_is_out_and_the_fastest_is_in(view):
    best = named(front(single(view), Relations(view)))
    assert ("int8-static", "openvino") in best
    assert ("int8-dynamic", "openvino") in best, "slower, but it loses less"
    assert ("fp32", "torch") not in best
    assert ("int4", "onnxruntime") not in best


def test_only_comparable_rows_are_in_it(view):
    rows = [msgspec.structs.replace(row, verdict="unstable") for row in single(view)]
    assert front(rows, Relations(view)) == ()


def pair(
    samples: float, memory: float = 1.0, energy: float | None = None, peak: float = 2e8
) -> SessionView:
    """Return two cases, fp32 and fp16 on openvino: fp16 times `samples`, `memory` and `energy`."""
    plan = fake_session.plan_of(6)
    cases = tuple(
        c for c in plan.cases if c.backend == "openvino" and c.variant in ("fp32", "fp16")
        and c.scenario == "single-stream"
    )  # fmt: skip
    keys = {c.key for c in cases}
    order = tuple(tuple(k for k in block if k in keys) for block in plan.order)
    plan = msgspec.structs.replace(plan, cases=cases, order=order, anchors=(), skipped=())
    base = {}
    runs = []
    for run in fake_session.runs_of(plan):
        case = next(c for c in cases if c.key == run.case_key)
        base.setdefault(run.block, run)
        factor = samples if case.variant == "fp16" else 1.0
        result = {
            "peak_rss_bytes": round(peak * (memory if case.variant == "fp16" else 1)),
            "timed_wall_s": 1.0,
        }
        if energy:
            result["power"] = {
                "energy_per_inference_j": 0.1 * (energy if case.variant == "fp16" else 1)
            }
        wobble = 1 + run.seq % 3 / 1000
        taken = tuple(round(2e6 * factor * wobble * (1 + n / 1e4)) for n in range(150))
        runs.append(msgspec.structs.replace(run, samples_ns=taken, result=result))
    return SessionView(plan=plan, rows=summarise(plan, runs), runs=tuple(runs))


def best_of(view: SessionView, **fields) -> set[str]:
    rows = [
        msgspec.structs.replace(row, **{"quality_loss": 0.0, **fields})
        if row.variant == "fp16"
        else msgspec.structs.replace(row, quality_loss=0.0)
        for row in view.rows
    ]
    return {row.variant for row in front(rows, Relations(view))}


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({"samples": 0.9}, {"fp16"}),
        ({"samples": 1.2}, {"fp32"}),
        ({"samples": 0.98}, {"fp32", "fp16"}),  # faster, but within the margin
        ({"samples": 0.9, "memory": 1.1}, {"fp32", "fp16"}),
        ({"samples": 0.9, "memory": 1.004}, {"fp16"}),  # within 4 MB or 1 %
        ({"samples": 0.9, "memory": 1.08, "peak": 4e7}, {"fp16"}),
        ({"samples": 0.9, "memory": 1.12, "peak": 4e7}, {"fp32", "fp16"}),
        ({"samples": 1.0, "memory": 0.9}, {"fp16"}),
        ({"samples": 0.9, "energy": 1.2}, {"fp32", "fp16"}),
        ({"samples": 0.9, "energy": 1.01}, {"fp16"}),
    ],
)
def test_better_beyond_the_margin_in_one_and_no_worse_in_all(changes, left):
    assert best_of(pair(**changes)) == left


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ({"quality_loss": 0.02, "quality_loss_lo": 0.01, "quality_loss_hi": 0.03}, 2),
        ({"quality_loss": 0.004, "quality_loss_lo": 0.0, "quality_loss_hi": 0.008}, 1),
        ({"quality_loss": 0.004, "quality_loss_lo": -0.02, "quality_loss_hi": 0.028}, 2),
        ({"quality_loss": 0.0, "quality_loss_lo": -0.03, "quality_loss_hi": 0.03}, 1),
        ({"quality_loss": None}, 2),
    ],
)
def test_quality_counts_by_its_interval(fields, left):
    seen = pair(0.9)
    rows = [
        msgspec.structs.replace(
            row, quality_loss=0.0, quality_loss_lo=-0.001, quality_loss_hi=0.001
        )
        for row in seen.rows
    ]
    seen = msgspec.structs.replace(seen, rows=rows)
    rows = [msgspec.structs.replace(r, **fields) if r.variant == "fp16" else r for r in rows]
    assert len(front(rows, Relations(seen))) == left


def test_nothing_is_set_aside_by_two_blocks():
    seen = pair(0.5)
    runs = tuple(run for run in seen.runs if run.block < 1)
    losses = {"fp32": (0.2, 0.19, 0.21), "fp16": (0.0, -0.01, 0.01)}
    rows = [
        msgspec.structs.replace(
            row,
            quality_loss=losses[row.variant][0],
            quality_loss_lo=losses[row.variant][1],
            quality_loss_hi=losses[row.variant][2],
        )
        for row in seen.rows
    ]
    assert len(front(rows, Relations(seen))) == 1
    assert len(front(rows, Relations(msgspec.structs.replace(seen, runs=runs)))) == 2


def test_the_confidence_is_shared_by_all_comparisons_with_one_case():
    assert [simultaneous(n) for n in (1, 2, 6)] == [0.95, 0.95, pytest.approx(0.99)]
