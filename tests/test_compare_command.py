"""Two stored sessions compared: what is said first, what changed, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fake_session
import msgspec
import pytest

from harness import cli
from harness.errors import UsageError
from harness.stats.compare import Comparison
from harness.types import Case, Run, SessionPlan, TensorSpec
from reports.change import Changes, changes
from reports.change_text import difference, markdown, text
from reports.session import SessionView
from results.cases import summarise
from results.store import Store

OLD, NEW = "20261119T010000Z-aaaa", "20261120T010000Z-bbbb"
INT8 = ("int8-dynamic", "openvino")


def view(plan: SessionPlan, factor: float = 1.0, machine: float = 1.0) -> SessionView:
    """Return a session in which INT8 is slower by `factor` and everything by `machine`."""
    slow = {case.key for case in plan.cases if (case.variant, case.backend) == INT8}
    runs = [_times(run, machine * (factor if run.case_key in slow else 1)) for run in made(plan)]
    return SessionView(plan=plan, rows=summarise(plan, runs), runs=tuple(runs))


def _times(run: Run, factor: float) -> Run:
    samples = tuple(round(value * factor) for value in run.samples_ns)
    return msgspec.structs.replace(run, samples_ns=samples)


def made(plan: SessionPlan) -> list[Run]:
    """Return runs whose ids and blocks are the session's own."""
    return [
        msgspec.structs.replace(run, run_id=f"{plan.session_id}-{run.run_id}")
        for run in fake_session.runs_of(plan)
    ]


def plan(session_id: str = OLD, blocks: int = 8, **changed: Any) -> SessionPlan:
    base = fake_session.plan_of(blocks)
    later = 86400 * 3 if session_id == NEW else 0
    return msgspec.structs.replace(
        base, session_id=session_id, created_unix_s=base.created_unix_s + later, **changed
    )


def with_cases(one: SessionPlan, **changed: Any) -> SessionPlan:
    """Return the plan with `changed` in every case of INT8, its order by the new keys."""
    return _mapped(one, lambda c: (c.variant, c.backend) == INT8, changed)


def _mapped(one: SessionPlan, chosen: Any, changed: dict[str, Any]) -> SessionPlan:
    new: dict[str, Case] = {
        case.key: msgspec.structs.replace(case, **changed) if chosen(case) else case
        for case in one.cases
    }
    order = tuple(tuple(new[k].key if k in new else k for k in keys) for keys in one.order)
    return msgspec.structs.replace(one, cases=tuple(new.values()), order=order)


def case_of(found: Changes, words: str) -> Any:
    return next(one for one in found.cases if words in one.case)


@pytest.fixture(scope="module")
def slower() -> Changes:
    return changes(view(plan()), view(plan(NEW), 1.1))


def test_a_slow_down_is_found_with_its_interval_and_the_rest_is_not(slower):
    found = case_of(slower, "int8-dynamic openvino single-stream").latency
    assert found.lo < 1.1 < found.hi
    assert found.lo > 1
    assert difference(found).startswith("slower by 1")
    same = case_of(slower, "fp32 openvino single-stream").latency
    assert difference(same).startswith("no difference shown [")
    assert len(slower.cases) == 23


def test_disturbed_runs_are_left_out():
    new = view(plan(NEW))
    runs = [
        msgspec.structs.replace(
            _times(run, 3.0),
            result={**run.result, "host": {"window_s": 2.0, "ticks": 400, "steal_share": 0.5}},
        )
        if run.block == 2
        else run
        for run in new.runs
    ]
    hit = SessionView(plan=new.plan, rows=summarise(new.plan, runs), runs=tuple(runs))
    found = case_of(changes(view(plan()), hit), "fp32 openvino single-stream").latency
    assert found.n == 7
    assert difference(found).startswith("no difference shown")


def test_the_first_thing_said_is_that_they_were_not_interleaved(slower):
    assert "not interleaved: they lie 3 days apart" in slower.caveats[0]
    assert "charged to the change" in slower.caveats[0]
    lines = text(slower).splitlines()
    assert lines[0] == f"From session {OLD} to {NEW} on local"
    assert lines[2].startswith("These sessions were not interleaved")
    assert "of 23 cases about 1 differs by chance" in slower.caveats[1]


def test_it_never_speaks_a_verdict(slower):
    for told in (text(slower), markdown(slower)):
        assert "REGRESSED" not in told.upper()
        assert "PASS" not in told


def test_a_machine_that_moved_is_told_by_its_anchor():
    moved = changes(view(plan()), view(plan(NEW), machine=1.08))
    assert moved.anchor is not None
    assert moved.anchor.ratio == pytest.approx(1.08, rel=0.01)
    assert "same fixed work (the anchor) changed by +8" in text(moved)
    still = changes(view(plan()), view(plan(NEW)))
    assert "The machine is not shown to have moved" in text(still)


def test_without_the_same_anchor_the_machine_is_not_known():
    base = plan(NEW)
    keys = {case.key for case in base.cases}
    order = tuple(tuple(key for key in block if key in keys) for block in base.order)
    bare = changes(view(plan()), view(plan(NEW, anchors=(), order=order)))
    assert bare.anchor is None
    assert "is not known: not both sessions have an anchor" in text(bare)
    other = msgspec.structs.replace(fake_session.anchor("anchor-1"), runtime_version="2.0")
    order = tuple((*block, other.key) for block in order)
    changed = msgspec.structs.replace(base, anchors=(other,), order=order)
    assert "their anchors are not the same work" in text(changes(view(plan()), view(changed)))


def test_what_changed_in_a_case_is_named():
    artifact = msgspec.structs.replace(fake_session.case(*INT8[::-1]).artifact, sha256="f" * 64)
    new = with_cases(plan(NEW), runtime_version="2027.0.0", artifact=artifact)
    new = msgspec.structs.replace(new, harness_version="0.2.0")
    found = changes(view(plan()), view(new))
    assert case_of(found, "int8-dynamic openvino single-stream").changed == (
        "runtime 2026.1.0 → 2027.0.0",
        "artifact int8-dynamic → ffffffffffff",
        "boardmark 0.1.0 → 0.2.0",
    )
    assert case_of(found, "fp32 tflite single-stream").changed == ("boardmark 0.1.0 → 0.2.0",)
    assert "runtime 2026.1.0 → 2027.0.0; artifact" in text(found)


def test_options_that_changed_are_named():
    new = with_cases(plan(NEW), options={"mode": "fast"})
    found = changes(view(plan()), view(new))
    assert case_of(found, "int8-dynamic openvino single").changed == ("mode None → fast",)


def test_memory_size_and_quality_stand_side_by_side(slower):
    figures = {one.name: one for one in case_of(slower, "int8-dynamic openvino single").figures}
    assert set(figures) == {"latency p50", "peak memory", "file size", "quality"}
    assert figures["file size"].old == figures["file size"].new
    assert figures["peak memory"].old is not None
    assert "0.9362" in text(slower)


def test_cases_that_only_one_session_holds_are_listed():
    old = plan()
    kept = tuple(case for case in old.cases if case.backend != "tflite")
    keys = {case.key for case in (*kept, *old.anchors)}
    order = tuple(tuple(key for key in block if key in keys) for block in old.order)
    fewer = msgspec.structs.replace(plan(NEW), cases=kept, order=order)
    found = changes(view(old), view(fewer))
    assert len(found.only_old) == 6
    assert found.only_new == ()
    assert "Only in the old session:\n  minilm-l6 fp32 tflite single-stream" in text(found)
    back = changes(view(msgspec.structs.replace(fewer, session_id=OLD)), view(plan(NEW)))
    assert len(back.only_new) == 6


def test_a_case_in_doubt_is_not_compared_but_shown(slower):
    torch = case_of(slower, "int4 torch")
    assert torch.latency.ratio is None
    assert difference(torch.latency).startswith(
        "not compared: failed before (the runtime stopped on SIGILL); failed now ("
    )


def _threads(one: SessionPlan) -> SessionPlan:
    return _mapped(one, lambda case: case.variant == "fp16", {"threads": 4})


def _affinity(one: SessionPlan) -> SessionPlan:
    return _mapped(one, lambda case: True, {"affinity": (0, 1)})


def _shape(one: SessionPlan) -> SessionPlan:
    inputs = (TensorSpec(name="input_ids", dtype="int64", shape=(1, 64), low=0, high=30522),)
    return _mapped(one, lambda case: case.batch == 1, {"inputs": inputs})


def _device(one: SessionPlan) -> SessionPlan:
    other = _mapped(one, lambda case: True, {"device": "pi4"})
    return msgspec.structs.replace(other, device="pi4")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_threads, "threads 2 and 4"),
        (_affinity, r"affinity none and 0\+1"),
        (_shape, "inputs input_ids int64"),
        (_device, "device local and pi4"),
        (lambda one: msgspec.structs.replace(one, seed=8), "seed 7 and 8"),
        (
            lambda one: msgspec.structs.replace(
                one, environment={**one.environment, "cpu_model": "Other"}
            ),
            "cpu_model AMD EPYC and Other",
        ),
    ],
)
def test_sessions_under_other_conditions_are_refused_by_name(change, said):
    with pytest.raises(UsageError, match=f"incomparable: .*{said}"):
        changes(view(plan(blocks=1)), view(change(plan(NEW, blocks=1))))


def test_a_session_is_not_compared_with_itself_nor_with_one_that_shares_no_case():
    one = view(plan(blocks=1))
    with pytest.raises(UsageError, match="with itself"):
        changes(one, one)
    other = _mapped(plan(NEW, blocks=1), lambda case: True, {"model": "other"})
    with pytest.raises(UsageError, match="share no case"):
        changes(one, view(other))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(20, "a minute"), (600, "10 minutes"), (7200, "2 hours"), (86400 * 2, "2 days")],
)
def test_how_far_apart_they_lie_is_said(seconds, words):
    old = plan(blocks=1)
    new = msgspec.structs.replace(plan(NEW, blocks=1), created_unix_s=old.created_unix_s + seconds)
    assert f"they lie {words} apart" in changes(view(old), view(new)).caveats[0]


def test_the_younger_session_named_first_is_pointed_out():
    found = changes(view(plan(NEW)), view(plan(OLD)))
    assert "The first one named is the younger one." in found.caveats


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ((1.041, 1.012, 1.07), "slower by 4.10\u00a0% [1.20\u00a0–\u00a07.00]"),
        ((0.961, 0.933, 0.99), "faster by 3.90\u00a0% [1.00\u00a0–\u00a06.70]"),
        ((1.01, 0.99, 1.03), "no difference shown [−1.00\u00a0–\u00a03.00]"),
        ((1.05, None, None), "not compared: too few runs"),
    ],
)
def test_a_ratio_in_words(ends, words):
    ratio, lo, hi = ends
    assert difference(Comparison(ratio=ratio, lo=lo, hi=hi, confidence=0.95, n=5)) == words


def store_of(folder: Path, *views: SessionView) -> Path:
    store = Store.create(folder)
    for one in views:
        with store.start(one.plan) as journal:
            for run in one.runs:
                journal.append(msgspec.structs.replace(run, session_id=one.plan.session_id))
        store.seal(one.plan.session_id)
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("store")
    return str(store_of(folder, view(plan(blocks=5)), view(plan(NEW, blocks=5), 1.1)))


def test_the_command_prints_text_for_latest_and_the_one_before(store, capsys):
    assert cli.main(["compare", "latest~1", "latest", "--store", store]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"From session {OLD} to {NEW} on local\n")
    assert "slower by" in told
    assert max(map(len, told.splitlines())) < 300


def test_the_command_prints_markdown_and_json(store, capsys):
    words = ["compare", OLD, "20261120", "--store", store, "--format"]
    assert cli.main([*words, "markdown"]) == 0
    told = capsys.readouterr().out
    assert "| case | p50 | difference |" in told
    assert sum(line.startswith("| minilm") for line in told.splitlines()) == 23
    assert cli.main([*words, "json"]) == 0
    object_ = json.loads(capsys.readouterr().out)
    assert (object_["old"], object_["new"]) == (OLD, NEW)
    int8 = next(c for c in object_["cases"] if "int8-dynamic openvino single" in c["case"])
    assert int8["latency"]["lo"] > 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["latest~2", "latest"], "latest~2"),
        (["latest", "latest"], "with itself"),
        (["nonsense", "latest"], "unknown session 'nonsense'"),
    ],
)
def test_a_wrong_session_is_one_sentence_and_exit_2(store, capsys, words, said):
    assert cli.main(["compare", *words, "--store", store]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_names_from_a_session_do_not_become_markup():
    hostile = "evil | <b>x</b> `y`\n\x1b[31m"
    plans = [
        _mapped(one, lambda case: True, {"model": hostile})
        for one in (plan(blocks=5), plan(NEW, blocks=5))
    ]
    found = changes(*map(view, plans))
    told = markdown(found)
    rows = [line for line in told.splitlines() if "evil" in line]
    assert rows
    assert "<b>" not in told.replace("\\<", "")
    assert "\x1b" not in told + text(found)
    assert all(line.replace("\\|", "").count("|") == 8 for line in rows)
