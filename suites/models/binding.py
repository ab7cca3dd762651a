"""Bind the open dimensions of a user's model and bound the values drawn for its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from harness.errors import UsageError
from harness.types import TensorSpec

BATCH, CHANNELS, SPATIAL, SEQUENCE = 1, 3, 224, 128
DTYPES = (
    "float32", "float16", "float64", "int64", "int32", "int16", "int8",
    "uint8", "uint16", "uint32", "uint64", "bool",
)  # fmt: skip


class TensorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor as the file declares it; None is an open dimension, `symbols` names them.

    `vocabulary` is the number of rows of the table that an integer input indexes, None where none
    was found.
    """

    name: str
    dtype: str
    dims: tuple[int | None, ...]
    symbols: tuple[str | None, ...] = ()
    vocabulary: int | None = None


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What the build worker saw in a model file; `externals` are further files, relative to it."""

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    externals: tuple[str, ...] = ()


Shapes = Mapping[str, tuple[int, ...]]


def bind(
    inputs: tuple[TensorInfo, ...], asked: Shapes, data: Shapes, file: str
) -> tuple[tuple[TensorSpec, ...], tuple[str, ...]]:
    """Return the inputs with every dimension bound, and one note per assumption that was made.

    An open dimension takes what was `asked` (--shape), else what the calibration `data` has, else
    the value that its symbol or the same axis of an input of equal rank got from those, else a
    default: batch 1, sequences 128, images 3 x 224 x 224. Raises UsageError for shapes that do not
    fit `file`.
    """
    known = {info.name: info for info in inputs}
    for name, shape in asked.items():
        if name not in known:
            raise UsageError(
                f"--shape names an unknown input {name!r} of {file!r}",
                f"its inputs: {', '.join(known)}",
            )
        _check(known[name], shape, f"--shape {name}={_times(shape)}", file)
    for name, shape in data.items():
        _check(known[name], shape, f"calibration array {name!r} with samples {_times(shape)}", file)
    given = {**data, **asked}
    hints = _Hints.of(inputs, given)
    bound = [_bind_one(info, given.get(info.name), hints) for info in inputs]
    notes = tuple(note for _, assumed in bound for note in assumed)
    return tuple(spec for spec, _ in bound), notes


def draw(spec: TensorSpec, count: int, generator: np.random.Generator) -> np.ndarray[Any, Any]:
    """Return `count` random samples: [count, ...rest] where it is batched, else [count, *shape]."""
    shape = (count, *spec.shape[1:]) if spec.batched else (count, *spec.shape)
    dtype = np.dtype(spec.dtype)
    if dtype.kind == "f" and (spec.low is None or spec.high is None):
        return generator.standard_normal(shape).astype(dtype)
    low = 0.0 if spec.low is None else spec.low
    high = 2.0 if spec.high is None else spec.high
    if dtype.kind == "f":
        return generator.uniform(low, high, shape).astype(dtype)
    return generator.integers(int(low), int(high), shape).astype(dtype)


class _Hints(msgspec.Struct, frozen=True):
    """Values that dimensions have elsewhere in the same model: by symbol, and by (rank, axis)."""

    by_symbol: dict[str, int]
    by_axis: dict[tuple[int, int], int]

    @staticmethod
    def of(inputs: tuple[TensorInfo, ...], given: Shapes) -> _Hints:
        by_symbol: dict[str, int] = {}
        by_axis: dict[tuple[int, int], int] = {}
        for info in inputs:
            for axis, value in enumerate(given.get(info.name, ())):
                symbol = info.symbols[axis] if axis < len(info.symbols) else None
                if symbol:
                    by_symbol[symbol] = value
                if info.dims[axis] is None:
                    by_axis[len(info.dims), axis] = value
        return _Hints(by_symbol, by_axis)


def _check(info: TensorInfo, shape: tuple[int, ...], what: str, file: str) -> None:
    """Raise UsageError where `shape` contradicts what the file declares."""
    declared = _times(info.dims)
    if len(shape) != len(info.dims):
        raise UsageError(
            f"{what} has {len(shape)} dimensions, but the input has {len(info.dims)} in {file!r}",
            f"it is {declared or 'a scalar'}",
        )
    if any(value < 1 for value in shape):
        raise UsageError(f"{what} has a dimension below 1", f"the input is {declared} in {file!r}")
    for value, fixed in zip(shape, info.dims, strict=True):
        if fixed is not None and value != fixed:
            raise UsageError(
                f"{what} does not fit {file!r}: the input is {declared}", "? marks open dimensions"
            )


def _bind_one(
    info: TensorInfo, given: tuple[int, ...] | None, hints: _Hints
) -> tuple[TensorSpec, list[str]]:
    shape, assumed = [], []
    for axis, fixed in enumerate(info.dims):
        value = fixed if given is None else given[axis]
        if value is None:
            symbol = info.symbols[axis] if axis < len(info.symbols) else None
            elsewhere = hints.by_symbol.get(symbol or "", hints.by_axis.get((len(info.dims), axis)))
            value = elsewhere if elsewhere is not None else _default(info, axis, symbol or "")
            if axis > 0 or value != BATCH:
                assumed.append(axis)
        shape.append(value)
    low, high, note = _bounds(info)
    notes = [f"{info.name} taken as {_times(tuple(shape))}"] if assumed else []
    batched = bool(info.dims) and info.dims[0] is None and shape[0] == 1
    spec = TensorSpec(
        name=info.name, dtype=info.dtype, shape=tuple(shape), low=low, high=high, batched=batched
    )
    return spec, notes + ([note] if note else [])


def _default(info: TensorInfo, axis: int, symbol: str) -> int:
    """Guess an open dimension from its symbol, else from its place."""
    words = symbol.lower()
    if axis == 0 or words in ("n", "b") or "batch" in words:
        return BATCH
    if len(info.dims) == 4:
        channels_last = info.dims[3] in (1, 3, 4)
        return CHANNELS if axis == (3 if channels_last else 1) else SPATIAL
    return SEQUENCE


def _bounds(info: TensorInfo) -> tuple[float | None, float | None, str | None]:
    """Return (low, high, note) for the values of an input; (None, None) is standard normal."""
    name = info.name.lower()
    if info.dtype.startswith("float"):
        return None, None, None
    if "mask" in name:
        return 1, 2, None
    segment = "token_type" in name or "segment" in name
    if segment or info.dtype == "bool":
        return 0, min(2, info.vocabulary or 2), None
    if info.vocabulary is not None:
        return 0, info.vocabulary, None
    if info.dtype in _PIXELS and len(info.dims) == 4:
        return *_PIXELS[info.dtype], None
    return 0, 2, f"{info.name} drawn from 0 and 1: no table that it indexes was found"


_PIXELS = {"uint8": (0.0, 256.0), "int8": (-128.0, 128.0)}


def _times(dims: tuple[int | None, ...]) -> str:
    return "x".join("?" if dim is None else str(dim) for dim in dims)
