"""Pair a runtime's outputs with the reference's, whatever the runtime calls them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Pairs = list[tuple[str, "np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]]


class Mismatch(Exception):
    """The outputs cannot be compared with the reference; the message says why, in one sentence."""


def rows(values: Any) -> np.ndarray[Any, Any]:
    """Return `values` [n, ...] as float64 [n, m]: one flat row per sample; scalars become m = 1."""
    array = np.asarray(values)
    return array.reshape(len(array), -1).astype(np.float64)


def align(outputs: Mapping[str, Any], reference: Mapping[str, Any]) -> Pairs:
    """Return [(reference name, output, reference)], each [n, ...], in the reference's order.

    Outputs are matched by name where all names agree, else by position: converters rename outputs
    but keep their order. Raises Mismatch where count, samples or sizes differ.
    """
    if len(outputs) != len(reference):
        raise Mismatch(f"{len(outputs)} outputs, but the reference has {len(reference)}")
    by_name = set(outputs) == set(reference)
    pairs: Pairs = []
    for position, (name, expected) in enumerate(reference.items()):
        want = np.asarray(expected)
        got = np.asarray(outputs[name] if by_name else list(outputs.values())[position])
        if got.ndim == 0 or len(got) != len(want) or got.size != want.size:
            raise Mismatch(f"output {name!r} has shape {got.shape}, the reference has {want.shape}")
        if got.size == 0:
            raise Mismatch(f"output {name!r} is empty: its shape is {got.shape}")
        if got.dtype.kind not in "biuf" or want.dtype.kind not in "biuf":
            raise Mismatch(f"output {name!r} is {want.dtype}, not numbers")
        pairs.append((name, got, want))
    return pairs
