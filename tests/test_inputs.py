"""Inputs: seeded, rotating, inside their bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.agent import inputs


def spec(
    dtype: str, shape: list[int], low: float | None = None, high: float | None = None
) -> dict[str, Any]:
    return {"name": "x", "dtype": dtype, "shape": shape, "low": low, "high": high}


@given(st.integers(0, 50), st.integers(1, 30_000), st.integers(0, 2**31))
def test_token_ids_never_leave_the_vocabulary(low: int, size: int, seed: int) -> None:
    for feed in inputs.draw([spec("int64", [2, 16], low, low + size)], seed):
        assert feed["x"].dtype == np.int64
        assert low <= feed["x"].min() <= feed["x"].max() < low + size


def test_one_seed_gives_the_same_set_and_each_feed_is_another() -> None:
    first = inputs.draw([spec("float32", [1, 8])], 3)
    again = inputs.draw([spec("float32", [1, 8])], 3)
    assert len(first) == 8
    np.testing.assert_array_equal(first[5]["x"], again[5]["x"])
    assert not np.array_equal(first[0]["x"], first[1]["x"])
    assert len({feed["x"].ctypes.data for feed in first}) == 8, "a buffer of its own for each"


def test_a_mask_bound_to_one_is_all_ones() -> None:
    assert all((feed["x"] == 1).all() for feed in inputs.draw([spec("int64", [1, 64], 1, 2)], 0))
    assert all(feed["x"].all() for feed in inputs.draw([spec("bool", [1, 64], 1, 2)], 0))


def test_large_inputs_rotate_over_fewer_buffers_but_never_over_one() -> None:
    assert len(inputs.draw([spec("float32", [1, 3, 512, 512])], 0)) == 2


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "int8", "uint8", "int32", "bool"]
)
def test_every_dtype_comes_out_as_asked(dtype: str) -> None:
    assert inputs.draw([spec(dtype, [3])], 0)[0]["x"].dtype == np.dtype(dtype)


def test_without_numpy_the_null_backend_still_gets_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    real = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name == "numpy":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    feeds = inputs.draw([spec("float32", [2, 3])], 5)
    assert len(feeds[0]["x"]) == 6
    assert feeds[0]["x"] != feeds[1]["x"]
