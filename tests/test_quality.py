"""Quality functions against hand values, independent formulas and properties."""

import math

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from suites.quality import accuracy, agreement, paired, scoring
from suites.quality.alignment import Mismatch, align
from suites.quality.bootstrap import mean_interval

FINITE = st.floats(-(2.0**100), 2.0**100, width=32)
MATRIX = hnp.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=FINITE)
ANSWERS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80)


@given(MATRIX)
def test_identical_outputs_agree_wholly(values):
    assert agreement.cosine(values, values) == pytest.approx(1.0)
    expected = math.inf if values.any() else None
    assert agreement.sqnr_db(values, values) == expected


@given(MATRIX, st.floats(0.01, 1000))
def test_cosine_sees_direction_only(values, factor):
    signs = np.where(values.any(axis=1), -1.0, 1.0)
    assert agreement.cosine(values.astype(float) * factor, values) == pytest.approx(1.0)
    assert agreement.cosine(-values, values) == pytest.approx(signs)


def test_hand_values_of_agreement():
    reference = np.array([[3.0, 4.0], [1.0, 0.0]])
    outputs = np.array([[4.0, 3.0], [0.0, 1.0]])
    assert agreement.cosine(outputs, reference) == pytest.approx([24 / 25, 0.0])
    assert agreement.sqnr_db(outputs, reference) == pytest.approx(10 * math.log10(26 / 4))
    assert agreement.relative_agreement([[9.0], [22.0]], [[10.0], [20.0]]) == pytest.approx(0.9)


def test_outputs_that_are_not_finite_never_agree():
    reference = np.ones((3, 2))
    outputs = np.array([[1.0, 1.0], [math.nan, 1.0], [math.inf, 1.0]])
    assert agreement.cosine(outputs, reference) == pytest.approx([1.0, 0.0, 0.0])
    assert agreement.sqnr_db(outputs, reference) is None
    assert agreement.relative_agreement(outputs, reference) is None


def test_a_zero_vector_agrees_with_nothing_but_zero():
    zeros = [[0.0, 0.0], [0.0, 0.0]]
    assert list(agreement.cosine(zeros, [[0.0, 0.0], [1.0, 0.0]])) == [1.0, 0.0]


def test_outputs_are_matched_by_name_else_by_position():
    reference = {"a": np.zeros((2, 3)), "b": np.ones((2, 1))}
    by_name = align({"b": np.ones((2, 1)), "a": np.zeros((2, 3))}, reference)
    assert [(name, got.shape) for name, got, _ in by_name] == [("a", (2, 3)), ("b", (2, 1))]
    by_place = align({"out:0": np.zeros((2, 1, 3)), "out:1": np.ones(2)}, reference)
    assert [(name, got.shape) for name, got, _ in by_place] == [("a", (2, 1, 3)), ("b", (2,))]


@pytest.mark.parametrize("outputs", [{}, {"a": np.zeros((2, 4))}, {"a": np.zeros((1, 6))}])
def test_outputs_that_cannot_be_compared_are_a_mismatch(outputs):
    with pytest.raises(Mismatch):
        align(outputs, {"a": np.zeros((2, 3))})


@pytest.mark.parametrize("odd", [np.zeros((0, 4)), np.zeros((2, 0)), np.array([["a"], ["b"]])])
def test_outputs_that_hold_no_numbers_are_a_value_less_quality(odd):
    quality = scoring.score_fidelity({"out:0": odd}, {"y": odd})
    assert quality.value is None
    assert "'y' is" in str(quality.reason)


def test_top1_and_triplets_by_hand():
    scores = np.array([[0.1, 0.9], [0.8, 0.2], [math.nan, 0.0]])
    assert list(accuracy.top1_correct(scores, [1, 1, 1])) == [True, False, False]
    embeddings = np.array([[1.0, 0.0], [2.0, 0.1], [0.0, 1.0], [math.nan, 0.0]])
    triplets = [[0, 1, 2], [0, 2, 1], [0, 1, 3], [0, 1, 1]]
    assert list(accuracy.triplet_correct(embeddings, triplets)) == [True, False, False, False]


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_scipys(hits_of):
    hits, n = hits_of
    expected = binomtest(hits, n).proportion_ci(method="wilson")
    assert paired.wilson_interval(hits, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_newcombe_by_hand():
    """50 pairs: 40 both right, 6 only the first, 2 only the second, 2 neither; phi 43 / 248.64."""
    first = [True] * 46 + [False] * 4
    second = [True] * 40 + [False] * 6 + [True] * 2 + [False] * 2
    difference, lo, hi = paired.newcombe_interval(first, second)
    assert (difference, lo, hi) == pytest.approx((0.08, -0.0414323, 0.2061384), abs=1e-6)


@given(ANSWERS)
def test_newcombe_holds_the_difference_and_mirrors(answers):
    first, second = map(list, zip(*answers, strict=True))
    difference, lo, hi = paired.newcombe_interval(first, second)
    assert -1 <= lo <= difference + 1e-12 and difference - 1e-12 <= hi <= 1
    mirrored = paired.newcombe_interval(second, first)
    assert mirrored == pytest.approx((-difference, -hi, -lo), abs=1e-12)


def test_newcombe_covers_the_truth():
    """Nominal 95 %; 400 seeded experiments of 200 pairs with a true loss of 5 points."""
    generator = np.random.default_rng(5)
    covered = 0
    for _ in range(400):
        first = generator.random(200) < 0.9
        second = first ^ (generator.random(200) < np.where(first, 0.07, 0.13))
        truth = 0.9 - (0.9 * 0.93 + 0.1 * 0.13)
        _, lo, hi = paired.newcombe_interval(first, second)
        covered += lo <= truth <= hi
    assert 0.92 <= covered / 400 <= 0.99


@given(ANSWERS)
def test_relative_loss_is_none_only_without_any_right_answer(answers):
    reference, value = map(list, zip(*answers, strict=True))
    loss = paired.relative_loss(reference, value)
    assert (loss is None) == (not any(reference))
    if loss is not None:
        assert loss.value == pytest.approx((sum(reference) - sum(value)) / sum(reference))
        assert loss.lo <= loss.value + 1e-12 and loss.value - 1e-12 <= loss.hi


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_the_bootstrap_interval_holds_the_mean_and_repeats(values):
    lo, hi = mean_interval(values)
    assert lo <= np.mean(values) <= hi
    assert min(values) - 1e-6 <= lo and hi <= max(values) + 1e-6
    assert (lo, hi) == mean_interval(values)


def test_a_classifier_that_lost_two_of_ten():
    labels = np.arange(10) % 3
    reference = {"logits": np.eye(3)[labels]}
    outputs = {
        "StatefulPartitionedCall:0": np.eye(3)[
            np.where(np.arange(10) < 2, (labels + 1) % 3, labels)
        ]
    }
    quality = scoring.score_top1(outputs, reference, labels)
    assert (quality.metric, quality.value, quality.reference, quality.n) == ("top1", 0.8, 1.0, 10)
    assert quality.loss == pytest.approx(0.2)
    assert quality.loss_lo < 0.2 < quality.loss_hi
    assert quality.fidelity == pytest.approx(0.8)
    assert quality.sqnr_db == pytest.approx(10 * math.log10(10 / 4))
    assert quality.reason is None


def test_broken_outputs_are_scored_wrong_with_the_reason():
    reference = {"logits": np.eye(2)}
    quality = scoring.score_top1({"logits": np.full((2, 2), math.nan)}, reference, [0, 1])
    assert (quality.value, quality.loss, quality.fidelity) == (0.0, 1.0, 0.0)
    assert quality.sqnr_db is None
    assert quality.reason == "2 of 2 outputs are not finite"


def test_another_shape_is_no_value_and_a_reason():
    quality = scoring.score_triplets({"e": np.zeros((2, 5))}, {"e": np.zeros((2, 4))}, [[0, 1, 1]])
    assert quality.value is None and quality.loss is None
    assert "shape (2, 5)" in (quality.reason or "")


def test_fidelity_suits_what_the_model_puts_out():
    vectors, numbers, classes = np.eye(4), np.arange(1.0, 5.0), np.array([1, 2, 3, 4])
    cosine = scoring.score_fidelity({"y": vectors}, {"x": vectors})
    assert (cosine.metric, cosine.value, cosine.loss) == ("cosine", 1.0, 0.0)
    relative = scoring.score_fidelity({"y": numbers * 1.1}, {"x": numbers})
    assert relative.metric == "relative_agreement"
    assert relative.value == pytest.approx(0.9) and relative.loss == pytest.approx(0.1)
    equal = scoring.score_fidelity({"y": np.array([1, 2, 3, 0])}, {"x": classes})
    assert (equal.metric, equal.value) == ("agreement", 0.75)
    assert equal.loss_lo <= 0.25 <= equal.loss_hi
