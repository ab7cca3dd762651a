"""What is decided before anything runs: points, cases, skips, order, sampling."""

from __future__ import annotations

import sys
from pathlib import Path

import handmade
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import suites
from harness.errors import UsageError
from harness.plan import anchor, cases, looks, order, pace, points, sampling, sides
from harness.plan.cases import Grounds, Runtime
from harness.plan.choice import Choice
from harness.plan.pace import Effort
from harness.types import Artifact, Case, Model, Skip, TensorSpec
from results import history
from suites import Group, Suite


def suite(*groups: Group, models: tuple[str, ...] = ("m",)) -> Suite:
    return Suite(name="s", title="s", question="?", models=models, groups=groups)


SINGLE = Group(variants=("fp32", "int4"), backends=("onnxruntime", "openvino"))
BATCHED = Group(variants=("fp32",), backends=("openvino",), scenario="offline", batch=8)


def test_points_are_the_product_of_each_group_times_the_suites_blocks() -> None:
    found = points.expand(suite(SINGLE, BATCHED), Choice(suite="s"))
    assert len(found) == 5
    assert {point.blocks for point in found} == {5}
    assert found[-1].scenario == "offline"


def test_a_choice_narrows_groups_and_may_add_to_single_stream_only() -> None:
    choice = Choice(suite="s", variants=("fp16", "fp32"), backends=("openvino", "torch"), blocks=2)
    found = points.expand(suite(SINGLE, BATCHED), choice)
    got = {(point.variant, point.backend, point.batch) for point in found}
    assert got == {
        ("fp16", "openvino", 1), ("fp16", "torch", 1), ("fp32", "openvino", 1),
        ("fp32", "torch", 1), ("fp32", "openvino", 8),
    }  # fmt: skip
    assert {point.blocks for point in found} == {2}


def test_chosen_batches_replace_the_scenarios() -> None:
    found = points.expand(suite(SINGLE, BATCHED), Choice(suite="s", batches=(1, 4)))
    assert {(point.scenario, point.batch) for point in found} == {
        ("single-stream", 1),
        ("offline", 4),
    }
    assert len(found) == 8


def test_the_null_backend_meets_only_the_null_model() -> None:
    both = suite(Group(variants=("fp32",), backends=("null", "torch")), models=("null-model", "m"))
    found = points.expand(both, Choice(suite="s"))
    assert {(point.model, point.backend) for point in found} == {
        ("null-model", "null"),
        ("m", "torch"),
    }
    with pytest.raises(UsageError, match="nothing to measure"):
        points.expand(both, Choice(suite="s", models=("m",), backends=("null",)))


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (Choice(suite="s", variants=("int8-dynamc",)), "int8-dynamic"),
        (Choice(suite="s", backends=("onnxruntme",)), "onnxruntime"),
    ],
)
def test_unknown_words_get_the_nearest_names(choice: Choice, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        points.expand(suite(SINGLE), choice)


def grounds(artifact: Artifact | str, runtime: Runtime) -> Grounds:
    inputs = (
        TensorSpec(name="x", dtype="int64", shape=(1, 64), low=0, high=10),
        TensorSpec(name="scale", dtype="float32", shape=(3,), batched=False),
    )
    model = Model(name="m", origin="trained", digest="d", inputs=inputs)
    return Grounds(
        device="local",
        threads=2,
        runtimes={"openvino": runtime},
        models={"m": model},
        artifacts={("m", "fp32", "xml"): artifact},
    )


READY = Runtime(backend="openvino", interpreter="python", version="1.0")
BUILT = Artifact(path="a.xml", format="xml", sha256="00", size_bytes=1)


def point(batch: int = 1) -> points.Point:
    return points.expand(
        suite(Group(variants=("fp32",), backends=("openvino",), scenario="offline", batch=batch)),
        Choice(suite="s"),
    )[0]


def test_a_case_binds_the_batch_and_leaves_unbatched_inputs_alone() -> None:
    made = cases.make(point(8), Choice(suite="s"), grounds(BUILT, READY))
    assert isinstance(made, Case)
    assert made.options["shapes"] == {"x": [8, 64], "scale": [3]}
    assert made.options["precision"] == "f32"


def test_a_model_of_fixed_batch_is_measured_alone_and_skipped_in_batches() -> None:
    known = grounds(BUILT, READY)
    inputs = tuple(
        msgspec.structs.replace(spec, batched=False) for spec in known.models["m"].inputs
    )
    fixed = msgspec.structs.replace(known.models["m"], inputs=inputs)
    known = msgspec.structs.replace(known, models={"m": fixed})
    assert isinstance(cases.make(point(1), Choice(suite="s"), known), Case)
    made = cases.make(point(8), Choice(suite="s"), known)
    assert isinstance(made, Skip)
    assert "the batch is fixed" in made.reason


@pytest.mark.parametrize(
    ("artifact", "runtime", "reason"),
    [
        ("no toolchain does that", READY, "no toolchain does that"),
        (
            BUILT,
            Runtime(backend="openvino", interpreter="p", reason="not installed"),
            "not installed",
        ),
    ],
)
def test_what_cannot_run_is_a_skip_with_the_reason(
    artifact: Artifact | str, runtime: Runtime, reason: str
) -> None:
    made = cases.make(point(), Choice(suite="s"), grounds(artifact, runtime))
    assert isinstance(made, Skip)
    assert made.reason == reason


def test_the_key_changes_with_what_may_change_the_number_and_not_with_where_files_lie() -> None:
    def key(artifact: Artifact = BUILT, runtime: Runtime = READY, batch: int = 1) -> str:
        made = cases.make(point(batch), Choice(suite="s"), grounds(artifact, runtime))
        assert isinstance(made, Case)
        return made.key

    moved = Artifact(path="elsewhere.xml", format="xml", sha256="00", size_bytes=1)
    other = Artifact(path="a.xml", format="xml", sha256="01", size_bytes=1)
    upgraded = Runtime(backend="openvino", interpreter="python", version="1.1")
    assert key() == key(moved)
    assert len({key(), key(other), key(runtime=upgraded), key(batch=2)}) == 4


def test_the_key_survives_storage() -> None:
    """Bounds given as integers come back as floats; a session must still find its own runs."""
    made = cases.make(point(), Choice(suite="s"), grounds(BUILT, READY))
    assert isinstance(made, Case)
    stored = msgspec.json.decode(msgspec.json.encode(made), type=Case)
    assert isinstance(stored.inputs[0].high, float)
    assert stored.key == made.key


@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=4), st.integers(1, 8), max_size=12),
    st.integers(0, 1000),
)
def test_every_case_runs_as_often_as_asked_once_per_block(
    repeats: dict[str, int], seed: int
) -> None:
    found = order.blocks(repeats, seed)
    assert found == order.blocks(dict(reversed(repeats.items())), seed)
    assert all(len(set(block)) == len(block) for block in found)
    assert {key: sum(key in block for block in found) for key in repeats} == repeats


def test_the_place_in_the_block_rotates() -> None:
    found = order.blocks({str(number): 5 for number in range(10)}, seed=3)
    for key in found[0]:
        places = [block.index(key) for block in found]
        assert len(set(places)) >= 3, "a drift within the block must reach every case"
    assert order.blocks({"a": 4, "b": 4}, 1)[0] != order.blocks({"a": 4, "b": 4}, 1)[1]


def test_a_precision_reaches_the_agent_and_asks_for_more_blocks() -> None:
    own = suites.Sampling(sample_s=2.0)
    plain = sampling.of(own, Choice(suite="s"), 2.0, 60.0)
    assert (plain["run"]["budget_s"], plain["run"]["min_s"], plain["goal"]) == (2.0, 1.0, None)
    assert (plain["precision"], plain["planned_s"]) == (0.05, 60.0)
    tight = sampling.of(own, Choice(suite="s", precision=0.01), 2.0, 60.0)
    assert (tight["run"]["precision"], tight["goal"]) == (pytest.approx(0.005), 0.01)
    hurried = sampling.of(own, Choice(suite="s", budget_s=20), 0.5, 20.0)
    assert (hurried["goal"], hurried["precision"]) == (0.01, 0.05)


def test_a_named_sample_time_is_taken_whole() -> None:
    soaked = sampling.of(suites.Sampling(), Choice(suite="s", sample_s=180.0), 180.0, 900.0)
    assert soaked["run"]["min_s"] == soaked["run"]["budget_s"] == 180.0
    assert soaked["run"]["max_samples"] == 200_000
    assert soaked["timeout_s"] > 180


def test_a_budget_shortens_the_samples_but_not_below_the_least() -> None:
    efforts = [Effort(start_s=1.0, first_s=0.0)] * 4
    assert pace.sample_s(2.0, None, efforts, 5) == 2.0
    assert pace.sample_s(2.0, 40.0, efforts, 5) == pytest.approx(1.0)
    assert pace.sample_s(2.0, 400.0, efforts, 5) == 2.0
    assert pace.sample_s(2.0, 5.0, efforts, 5) == pace.SHORTEST_SAMPLE_S


def test_the_plan_of_time_adds_starts_first_runs_and_samples() -> None:
    efforts = {"a": Effort(start_s=1.0, first_s=0.5), "b": Effort(start_s=2.0, first_s=0.0)}
    total_s = pace.total_s([("a", "b"), ("b", "a")], efforts, {"a": 0.1, "b": 0.2})
    assert total_s == pytest.approx(0.5 + 2 * (1.0 + 2.0 + 0.3))


def test_an_effort_known_from_an_earlier_session_beats_a_guess() -> None:
    made = cases.make(point(), Choice(suite="s"), grounds(BUILT, READY))
    assert isinstance(made, Case)
    probed = {"openvino": msgspec.structs.replace(READY, probe_s=0.7)}
    guessed = pace.effort(made, probed, {})
    assert 0.7 < guessed.start_s < 1.0
    assert pace.effort(made, probed, {made.key: Effort(start_s=9.0)}).start_s == 9.0


@given(st.lists(st.text("abcdef", min_size=1, max_size=3), min_size=1, max_size=6, unique=True),
       st.integers(1, 9), st.integers(0, 99))  # fmt: skip
def test_mirrored_blocks_balance_who_comes_first(keys: list[str], count: int, seed: int) -> None:
    found = order.mirrored(keys, count, seed)
    assert len(found) == count
    assert all(sorted(block) == sorted(keys) for block in found)
    for first, second in zip(found[::2], found[1::2], strict=False):
        assert first == tuple(reversed(second))


def test_mirrored_blocks_are_drawn_anew_for_each_two() -> None:
    firsts = {order.mirrored(("a", "b"), 40, 1)[2 * twin][0] for twin in range(20)}
    assert firsts == {"a", "b"}


def test_sides_are_two_of_a_kind(tmp_path: Path) -> None:
    base, candidate = sides.both("fp32", "int8-dynamic", "minilm-l6")
    assert (base.kind, base.variant, candidate.variant) == ("variant", "fp32", "int8-dynamic")
    models = sides.both("a.onnx", "b.onnx", None)
    assert [side.model for side in models] == ["a.onnx", "b.onnx"]
    assert sides.default_backend(models[0]) == "onnxruntime"
    pythons = sides.both(sys.executable, sys.executable, "m.tflite")
    assert pythons[0].interpreter == sys.executable
    assert sides.default_backend(pythons[0]) == "tflite"


@pytest.mark.parametrize(
    ("base", "candidate", "model", "said"),
    [
        ("fp32", "b.onnx", None, "a level of which model"),
        ("fp32", sys.executable, "m", "is a variant and"),
        (sys.executable, sys.executable, None, "a python to run which model"),
        ("a.onnx", "b.onnx", "m", "neither a level"),
    ],
)
def test_sides_that_make_no_pair_are_refused(
    base: str, candidate: str, model: str | None, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        sides.both(base, candidate, model)


def test_a_gate_fits_its_blocks_into_the_budget() -> None:
    two, one = [Effort(start_s=0.5, first_s=0.0)] * 2, [Effort(start_s=0.1, first_s=0.0)]
    usual = looks.design(two, one, None, None)
    assert usual.blocks == 10
    roomy = looks.design(two, one, None, 120.0)
    tight = looks.design(two, one, None, 25.0)
    assert roomy.blocks > usual.blocks > tight.blocks
    assert looks.design(two, one, 7, None).blocks == 7
    endless = looks.design(two, one, None, 1e9)
    assert endless.planned_s < 1e3, "announced is what it takes, not what it may"
    assert looks.design(two, one, None, 6.0).blocks == 5, "tried, although it looks too short"
    with pytest.raises(UsageError, match="too short"):
        looks.design(two, one, None, 4.0)


def test_the_least_calls_of_a_slow_model_are_in_the_plan_of_time() -> None:
    slow = Effort(start_s=0.5, first_s=0.0, call_s=3.0)
    assert slow.calling_s(1.0, 8) == 24.0
    assert Effort(start_s=0.5, call_s=0.01).calling_s(1.0, 8) == 1.0
    planned_s = looks.design([slow] * 2, [], 5, None).planned_s
    assert planned_s >= 2 * 5 * 2 * 8 * 3.0, "two looks, five blocks, two sides, eight calls"
    calls = {"samples_ns": (3_000_000_000,) * 5, "result": {"timed_wall_s": 15.0}}
    runs = [handmade.run(n, handmade.FP32, n, duration_s=20.0 + n, **calls) for n in range(3)]
    told = history.of_runs(runs)
    assert (told.start_s, told.first_s, told.call_s) == (6.5, 0.0, 3.0)


def test_the_anchor_is_the_same_case_on_every_day_and_another_under_another_python() -> None:
    ready = Runtime(backend="null", interpreter="python", version="1")
    first, second = anchor.cases("pi", {"python": "3.11"}, ready, anchor.SIDES)
    assert first.key != second.key
    assert anchor.cases("pi", {"python": "3.11"}, ready, anchor.SIDES)[0].key == first.key
    assert anchor.cases("pi", {"python": "3.12"}, ready, anchor.SIDES)[0].key != first.key
    gone = Runtime(backend="null", interpreter="python", reason="no python")
    assert anchor.cases("pi", {}, gone, anchor.SIDES) == ()
