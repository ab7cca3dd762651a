"""The user's own data: calibration samples (.npz) and labels (.npy, .npz, .csv), checked.

The desk reads only the arrays' headers; the values are read in the build worker.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import UsageError
from harness.types import TensorSpec
from suites.models.binding import TensorInfo

LARGEST_LABELS_BYTES = 64 << 20


@dataclass(frozen=True)
class Header:
    """What an array in an .npz says about itself."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]


def read_headers(path: Path) -> dict[str, Header]:
    """Return {array name: header} of an .npz without reading its values."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            return {name.removesuffix(".npy"): _header(archive, name) for name in names}
    except FileNotFoundError as error:
        raise UsageError(f"no such calibration file: {str(path)!r}") from error
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise UsageError(
            f"cannot read the calibration file {str(path)!r}: {error}", "write it with numpy.savez"
        ) from error


def check_calibration(
    path: Path, inputs: tuple[TensorInfo, ...]
) -> tuple[int, dict[str, tuple[int, ...]]]:
    """Return (samples, {input name: bound shape of one sample}) of a calibration file.

    Every input must have an array of its name whose first dimension counts the samples. A sample
    may leave out the input's leading batch dimension. Raises UsageError for names, dtypes and ranks
    that do not fit.
    """
    headers = read_headers(path)
    names = {info.name for info in inputs}
    for name in sorted(set(headers) ^ names):
        what = "has no array for input" if name in names else "has an array for the unknown input"
        raise UsageError(
            f"calibration file {str(path)!r} {what} {name!r}",
            f"the inputs: {', '.join(sorted(names))}",
        )
    counts = {header.shape[0] for header in headers.values() if header.shape}
    if len(counts) != 1 or any(not header.shape for header in headers.values()) or counts == {0}:
        raise UsageError(
            f"the arrays of {str(path)!r} do not hold the same number of samples",
            "the first dimension of each must count them, and be at least 1",
        )
    shapes = {info.name: _sample_shape(path, info, headers[info.name]) for info in inputs}
    return counts.pop(), shapes


def load_calibration(path: Path, inputs: tuple[TensorSpec, ...]) -> dict[str, Any]:
    """Return {input name: samples}: [n, ...rest] where the input is batched, else [n, *shape].

    Raises UsageError for values that no sample may have: not finite, or outside the bounds of an
    input.
    """
    with np.load(path, allow_pickle=False) as data:
        arrays = {spec.name: data[spec.name] for spec in inputs}
    checked = {}
    for spec in inputs:
        raw = arrays[spec.name]
        array = raw.astype(spec.dtype, copy=False)
        if array.dtype.kind in "iu" and (array != raw).any():
            raise UsageError(
                f"calibration array {spec.name!r} in {str(path)!r} does not fit {spec.dtype}"
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise UsageError(
                f"calibration array {spec.name!r} in {str(path)!r} has values that are not finite"
            )
        if _leaves_vocabulary(array, spec):
            raise UsageError(
                f"calibration array {spec.name!r} in {str(path)!r} leaves the model's vocabulary",
                f"they must lie from 0 to {int(spec.high or 0) - 1}",
            )
        shape = spec.shape[1:] if spec.batched else spec.shape
        checked[spec.name] = array.reshape((len(array), *shape))
    return checked


def load_labels(path: Path, samples: int) -> Any:
    """Return class indices int64 [samples] of a .npy, a one-array .npz or a one-column .csv."""
    try:
        if path.stat().st_size > LARGEST_LABELS_BYTES:
            raise ValueError("larger than 64 MiB")
        labels = _read_labels(path)
    except FileNotFoundError as error:
        raise UsageError(f"no such labels file: {str(path)!r}") from error
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise UsageError(
            f"cannot read the labels {str(path)!r}: {error}",
            "give a .npy, .npz or .csv of class indices",
        ) from error
    flat = np.asarray(labels).reshape(-1)
    whole = flat.dtype.kind in "iu" or (
        flat.dtype.kind == "f" and bool((flat == np.floor(flat)).all())
    )
    if not whole or (len(flat) and flat.min() < 0):
        raise UsageError(
            f"the labels {str(path)!r} are not class indices", "they must be integers from 0"
        )
    if len(flat) != samples:
        raise UsageError(f"{str(path)!r} has {len(flat)} labels for {samples} calibration samples")
    return flat.astype(np.int64)


def _header(archive: zipfile.ZipFile, name: str) -> Header:
    with archive.open(name) as stream:
        version = np.lib.format.read_magic(stream)
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(stream)
        if dtype.hasobject:
            raise ValueError(f"array {name!r} holds Python objects")
        return Header(dtype, tuple(shape))


def _sample_shape(path: Path, info: TensorInfo, header: Header) -> tuple[int, ...]:
    """Return one sample's shape with the input's leading batch dimension in place."""
    if not np.can_cast(header.dtype, np.dtype(info.dtype), "same_kind"):
        raise UsageError(
            f"calibration array {info.name!r} in {str(path)!r} is {header.dtype}",
            f"the input takes {info.dtype}",
        )
    sample = header.shape[1:]
    leading = info.dims[:1] in ((None,), (1,))
    if leading and len(sample) == len(info.dims) - 1:
        return (1, *sample)
    return sample


def _leaves_vocabulary(array: Any, spec: TensorSpec) -> bool:
    indexes = array.dtype.kind in "iu" and spec.high is not None and spec.high > 2
    return bool(
        indexes and array.size and (array.max() >= spec.high or array.min() < (spec.low or 0))
    )


def _read_labels(path: Path) -> Any:
    if path.suffix == ".npy":
        return np.load(path, allow_pickle=False)
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as data:
            if len(data.files) != 1:
                raise ValueError(f"it holds {len(data.files)} arrays instead of one")
            return data[data.files[0]]
    if path.suffix in (".csv", ".txt"):
        lines = [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
        if lines and not lines[0].lstrip("-").isdigit():
            lines = lines[1:]  # a header
        return np.array([int(line) for line in lines], dtype=np.int64)
    raise ValueError(f"unknown ending {path.suffix!r}")
