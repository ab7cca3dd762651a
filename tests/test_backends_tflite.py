from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tiny_models

from backends import BackendError, tflite

LINEAR = str(tiny_models.FIXTURES / "linear.tflite")
LOOKUP = str(tiny_models.FIXTURES / "lookup.tflite")


def opened(path: str, **options: Any) -> Any:
    return tflite.open(path, {"flavour": "ai_edge_litert", "threads": 2, **options})


@pytest.mark.toolchain
def test_the_vendor_still_raises_only_pythons_own_exceptions() -> None:
    from ai_edge_litert import interpreter

    modules = (interpreter, interpreter._interpreter_wrapper)
    raised = [
        name
        for module in modules
        for name, found in vars(module).items()
        if isinstance(found, type) and issubclass(found, BaseException)
    ]
    assert raised == []


@pytest.mark.toolchain
def test_the_delegates_share_is_counted() -> None:
    evidence = opened(LINEAR).evidence()
    assert evidence["provider"] == "XNNPACK"
    assert (evidence["nodes_on_provider"], evidence["nodes_total"]) == (2, 2)
    assert evidence["precision"] == "f32"
    assert "does not report" in evidence["detail"]
    partly = opened(LOOKUP).evidence()
    assert 0 < partly["nodes_on_provider"] < partly["nodes_total"] == 8


@pytest.mark.toolchain
def test_a_batch_is_resized() -> None:
    session = opened(LINEAR, shapes={"anything": [5, 16]})
    raw = session.infer(session.bind({"anything": np.ones((5, 16), "float32")}))
    (answer,) = session.outputs(raw).values()
    assert answer.shape == (5, 4)
    np.testing.assert_allclose(answer[4], [-0.0898, -0.1364, 0.3867, -0.2378], atol=1e-3)


@pytest.mark.toolchain
def test_a_frozen_batch_is_unsupported() -> None:
    with pytest.raises(BackendError, match=r"cannot be resized to args_0 \[3, 5\]") as caught:
        opened(LOOKUP, shapes={"ids": [3, 5], "mask": [3, 5]})
    assert caught.value.kind == "unsupported"


@pytest.mark.toolchain
def test_inputs_go_by_position_and_integers_take_the_models_width() -> None:
    session = opened(LOOKUP, shapes={"ids": [1, 5], "mask": [1, 5]})
    assert [entry["dtype"] for entry in session.inputs] == ["int32", "float32"]
    feed = session.bind(
        {
            "ids": np.array([[1, 2, 3, 0, 0]], "int64"),
            "mask": np.array([[1, 1, 1, 0, 0]], "float64"),
        }
    )
    outputs = session.outputs(session.infer(feed))
    assert list(outputs) == ["output_0", "output_1"]
    assert outputs["output_1"].tolist() == [3.0]


@pytest.mark.toolchain
def test_a_token_outside_the_table_fails_that_call_only() -> None:
    session = opened(LOOKUP)
    mask = np.ones((1, 5), "float32")
    with pytest.raises(BackendError, match="out of bounds") as caught:
        session.infer(session.bind({"ids": np.full((1, 5), 99), "mask": mask}))
    assert caught.value.kind == "infer"
    session.infer(session.bind({"ids": np.full((1, 5), 9), "mask": mask}))


def details(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "index": index} for index, name in enumerate(names)]


def test_numbered_inputs_are_ordered_by_number() -> None:
    found = details("serving_default_args_10:0", "serving_default_args_2:0")
    ordered = tflite._ordered(found, {"args_10": 0, "args_2": 1})
    assert [name for name, _ in ordered] == ["args_2", "args_10"]


def test_named_inputs_keep_the_order_of_the_file() -> None:
    ordered = tflite._ordered(details("z", "a"), {"ids": 0, "mask": 1})
    assert [name for name, _ in ordered] == ["ids", "mask"]


def test_without_a_signature_names_lose_their_decoration() -> None:
    ordered = tflite._ordered(details("serving_default_ids:0", "mask"), {})
    assert [name for name, _ in ordered] == ["ids", "mask"]


def operator(index: int, name: str, inputs: list[int], outputs: list[int]) -> dict[str, Any]:
    return {"index": index, "op_name": name, "inputs": inputs, "outputs": outputs}


def test_only_what_lies_between_a_delegates_ends_was_taken() -> None:
    operators = [
        operator(0, "GATHER", [0], [1]),
        operator(1, "ADD", [1, 9], [2]),
        operator(2, "MUL", [2, -1], [3]),
        operator(3, "SHAPE", [3], [4]),
        operator(4, "DELEGATE", [1], [3]),
    ]
    assert tflite._delegated(operators) == {1, 2}
    assert tflite._delegated(operators[:4]) == set()


@pytest.mark.parametrize(
    ("kinds", "precision"),
    [
        ({0: "f32", 1: "f32"}, "f32"),
        ({0: "f32", 1: "i8"}, "i8"),
        ({0: "i8", 1: "i8"}, "i8"),
        ({}, "unknown"),
    ],
)
def test_integer_weights_make_an_integer_product(kinds: dict[int, str], precision: str) -> None:
    assert tflite._precision(operator(0, "FULLY_CONNECTED", [0, 1, 2], [3]), kinds) == precision


class AnswersTheOldBatch:
    """An interpreter whose graph swallows another batch and still answers one row."""

    def __init__(self) -> None:
        self.rows = 1

    def _get_full_signature_list(self) -> dict[str, Any]:
        return {}

    def get_input_details(self) -> list[dict[str, Any]]:
        shape = np.array([self.rows, 4])
        return [
            {"name": "x", "index": 0, "shape": shape, "shape_signature": shape, "dtype": np.float32}
        ]

    def get_output_details(self) -> list[dict[str, Any]]:
        return [{"name": "y", "index": 1, "shape": np.array([1, 2])}]

    def resize_tensor_input(self, index: int, shape: list[int]) -> None:
        self.rows = shape[0]

    def allocate_tensors(self) -> None:
        pass

    set_tensor = invoke = get_tensor = allocate_tensors


def test_a_graph_that_answers_the_old_batch_is_unsupported() -> None:
    session = tflite.Session(AnswersTheOldBatch(), "0", 1)
    session.allocate({"x": [1, 4]})
    with pytest.raises(BackendError, match=r"still answers y \[1, 2\]") as caught:
        session.allocate({"x": [8, 4]})
    assert caught.value.kind == "unsupported"
