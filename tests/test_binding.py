"""Shapes and value bounds of a user's model, without any runtime."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.types import TensorSpec
from suites.models import parse_shape
from suites.models.binding import TensorInfo, bind, draw

IDS = TensorInfo(
    name="input_ids", dtype="int64", dims=(None, None), symbols=("batch", "seq"), vocabulary=500
)
MASK = TensorInfo(name="attention_mask", dtype="int64", dims=(None, None), symbols=("batch", "seq"))
IMAGE = TensorInfo(name="image", dtype="float32", dims=(None, 3, None, None))


def specs(*infos, asked=None, data=None):
    return bind(infos, asked or {}, data or {}, "model.onnx")


def test_defaults_are_batch_1_sequences_128_images_224():
    (ids, mask, image), notes = specs(IDS, MASK, IMAGE)
    assert (ids.shape, ids.low, ids.high, ids.batched) == ((1, 128), 0, 500, True)
    assert (mask.shape, mask.low, mask.high) == ((1, 128), 1, 2)
    assert (image.shape, image.low, image.high) == ((1, 3, 224, 224), None, None)
    assert "image taken as 1x3x224x224" in notes


def test_channels_last_is_seen():
    image = TensorInfo(name="image", dtype="uint8", dims=(None, None, None, 3))
    (spec,), _ = specs(image)
    assert (spec.shape, spec.low, spec.high) == ((1, 224, 224, 3), 0, 256)


def test_a_shape_given_for_one_input_binds_its_symbol_everywhere():
    (ids, mask), notes = specs(IDS, MASK, asked={"input_ids": (1, 32)})
    assert ids.shape == mask.shape == (1, 32)
    assert notes == ("attention_mask taken as 1x32",)


def test_without_symbols_the_same_axis_is_taken():
    plain = [TensorInfo(name=name, dtype="int64", dims=(None, None)) for name in ("ids", "mask")]
    (ids, mask), _ = specs(*plain, asked={"ids": (1, 48)})
    assert ids.shape == mask.shape == (1, 48)


def test_the_users_word_wins_over_the_data():
    (ids, _), notes = specs(
        IDS,
        MASK,
        asked={"input_ids": (1, 16)},
        data={"input_ids": (1, 64), "attention_mask": (1, 64)},
    )
    assert ids.shape == (1, 16) and notes == ()


def test_an_open_first_dimension_bound_to_more_than_one_is_no_batch():
    (spec,), _ = specs(IMAGE, asked={"image": (4, 3, 8, 8)})
    assert spec.shape == (4, 3, 8, 8) and not spec.batched


def test_a_fixed_first_dimension_is_no_batch():
    (spec,), _ = specs(TensorInfo(name="x", dtype="float32", dims=(1, 8)))
    assert not spec.batched


def test_integers_without_a_table_stay_small_and_say_so():
    (spec,), notes = specs(TensorInfo(name="code", dtype="int32", dims=(1, 4)))
    assert (spec.low, spec.high) == (0, 2)
    assert any("no table" in note for note in notes)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"ids": (1, 8)}, "unknown input 'ids'"),
        ({"image": (1, 3, 8)}, "has 3 dimensions, but the input has 4"),
        ({"image": (1, 4, 8, 8)}, "does not fit 'model.onnx': the input is ?x3x?x?"),
        ({"image": (1, 3, 0, 8)}, "a dimension below 1"),
    ],
)
def test_shapes_that_do_not_fit_name_the_input(asked, words):
    with pytest.raises(UsageError) as caught:
        specs(IMAGE, asked=asked)
    assert words in str(caught.value)


@given(
    st.sampled_from(["float32", "float16", "int64", "int8", "uint8", "bool"]),
    st.integers(1, 5),
    st.booleans(),
    st.integers(0, 100),
)
def test_draws_stay_in_bounds(dtype, count, batched, high):
    low, top = (0, 1 + high) if dtype != "bool" else (0, 2)
    spec = TensorSpec(name="x", dtype=dtype, shape=(1, 3), low=low, high=top, batched=batched)
    values = draw(spec, count, np.random.default_rng(high))
    assert values.dtype == np.dtype(dtype)
    assert values.shape == ((count, 3) if batched else (count, 1, 3))
    assert values.min() >= low and values.max() <= top
    if values.dtype.kind != "f":
        assert int(values.max()) < top


def test_draws_repeat_with_their_seed():
    spec = TensorSpec(name="x", dtype="float32", shape=(1, 3))
    first, again = (draw(spec, 4, np.random.default_rng(7)) for _ in range(2))
    assert (first == again).all() and (first < 0).any()


def test_shapes_are_parsed():
    assert parse_shape("input_ids=1x128") == ("input_ids", (1, 128))
    assert parse_shape("serving:0=1,3,224,224") == ("serving:0", (1, 3, 224, 224))


@pytest.mark.parametrize("text", ["", "x", "x=", "=1x2", "x=1x0", "x=1x-3", "x=axb", "x=1x"])
def test_what_is_no_shape_is_refused(text):
    with pytest.raises(UsageError, match="not a shape"):
        parse_shape(text)


@given(st.text(max_size=30))
def test_any_text_is_a_shape_or_a_usage_error(text):
    try:
        name, dims = parse_shape(text)
    except UsageError:
        return
    assert name and min(dims) >= 1
