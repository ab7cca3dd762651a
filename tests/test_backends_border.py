from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends import BackendError
from backends.border import in_order, leading, missing, require_shapes, translate, translated

INPUTS = [{"name": name, "dtype": "float32", "shape": [-1, 8]} for name in ("b", "a")]
names = st.lists(st.text(min_size=1), min_size=1, max_size=6, unique=True)


class Special(ValueError):
    pass


def test_the_most_specific_class_wins() -> None:
    kinds = {ValueError: None, Special: "unsupported"}
    assert translate(kinds, Special("no"), "load").kind == "unsupported"
    assert translate(kinds, ValueError("no"), "load").kind == "load"
    assert translate(kinds, ValueError("no"), "infer").kind == "infer"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("std::bad_alloc"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("Failed to allocate memory for requested buffer of size 4000000000"),
    ],
)
def test_an_allocation_that_failed_is_memory_whatever_its_class(error: Exception) -> None:
    assert translate({RuntimeError: None}, error, "infer").kind == "memory"


def test_lines_about_the_vendors_own_files_are_left_out() -> None:
    error = RuntimeError(
        "Exception from src/inference/src/cpp/core.cpp:84:\n"
        "Check 'm_weights_provider' failed at src/core/xml_util.cpp:887:\nEmpty weights data\n\n"
    )
    assert translate({}, error, "load").message == "the model was refused: Empty weights data"


def test_a_talkative_vendor_is_cut_at_a_sentence() -> None:
    error = ValueError("Bad file. It is bad. " + "This could have many reasons " * 12 + "maybe.")
    assert translate({}, error, "load").message == "the model was refused: Bad file. It is bad"


def test_translated_keeps_the_cause_and_lets_strangers_through() -> None:
    with pytest.raises(BackendError) as caught, translated({ValueError: None}, "load"):
        raise Special("gone")
    assert isinstance(caught.value.__cause__, Special)
    with pytest.raises(KeyError), translated({ValueError: None}, "load"):
        raise KeyError("a mistake of our own must stay visible")
    with pytest.raises(BackendError, match="as it was"), translated({Exception: None}, "load"):
        raise BackendError("unsupported", "as it was")


def test_missing_names_the_word_and_the_command() -> None:
    error = missing("openvino", ImportError("No module named 'openvino'"))
    assert error.kind == "missing"
    assert error.message == (
        "openvino cannot be imported here (No module named 'openvino'); "
        "get it with: pip install openvino"
    )


@given(names)
def test_known_names_are_ordered_as_the_runtime_wants(wanted: list[str]) -> None:
    inputs = [{"name": name} for name in wanted]
    values = {name: position for position, name in enumerate(wanted)}
    backwards = dict(reversed(values.items()))
    assert in_order(backwards, inputs) == list(range(len(wanted)))


@given(names)
def test_unknown_names_keep_their_position(given_names: list[str]) -> None:
    inputs = [{"name": None} for _ in given_names]
    values = {name: position for position, name in enumerate(given_names)}
    assert in_order(values, inputs) == list(range(len(given_names)))


def test_another_number_of_inputs_is_refused_with_both_lists() -> None:
    with pytest.raises(BackendError, match=r"takes 2 inputs \(b, a\), 1 were given \(x\)"):
        in_order({"x": 1}, INPUTS)


@pytest.mark.parametrize("shape", [[1, 8], [64, 8]])
def test_open_dimensions_take_any_size(shape: list[int]) -> None:
    assert require_shapes(INPUTS, {"a": shape, "b": shape}) is None


@pytest.mark.parametrize("shape", [[1, 9], [8], [1, 8, 1]])
def test_fixed_dimensions_do_not(shape: list[int]) -> None:
    with pytest.raises(BackendError, match=r"input 'b' of the model is \[-1, 8\]") as caught:
        require_shapes(INPUTS, {"a": shape, "b": shape})
    assert caught.value.kind == "unsupported"


def test_a_file_that_tells_no_shape_takes_every_shape() -> None:
    assert require_shapes([{"name": "x", "shape": None}], {"x": [3]}) is None
    assert require_shapes(INPUTS, None) is None


def test_leading_is_the_most_frequent_or_nothing() -> None:
    assert leading({"f32": 1, "i8": 5}) == "i8"
    assert leading({}) is None
