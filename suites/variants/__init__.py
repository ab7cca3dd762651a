"""Variants of a model, each made by the runtime's own maintained toolchain: one file per toolchain.

A toolchain module offers

    FORMAT     the artifact format it makes: "onnx", "xml", "tflite", "torch", ...
    PACKAGES   the distributions whose versions belong to the cache key
    REVISION   raised when this file's recipe changes, so that caches rebuild
    build(variant, material, out) -> Built

`build` writes the artifact into the empty directory `out` and returns where it is, or raises
Unsupported with the reason a person reads in the skipped row. It never answers with another
precision than asked.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.types import Model

VARIANTS = ("fp32", "fp16", "int8-dynamic", "int8-static", "int4")

# artifact format -> the toolchain that makes it
TOOLCHAINS = {
    "onnx": "suites.variants.onnx_tools",
    "xml": "suites.variants.nncf_tools",
    "tflite": "suites.variants.litert_tools",
    "torch": "suites.variants.torch_tools",
    "pt2": "suites.variants.torch_export",
    "torchscript": "suites.variants.torch_script",
    "null": "suites.variants.null_tools",
}


class Unsupported(Exception):
    """This toolchain cannot make this variant of this model; the message says why."""


@dataclass(frozen=True)
class TorchProgram:
    """A torch model ready to export: module in eval mode, example inputs, open dimensions.

    `example` holds one batch of two samples, keyed by input name in forward's order;
    `dynamic_shapes` is torch.export's (None = static).
    """

    module: Any
    example: dict[str, Any]
    dynamic_shapes: dict[str, Any] | None
    output_names: tuple[str, ...]


@dataclass(frozen=True)
class Material:
    """What a toolchain may start from; what the model does not have is None.

    `calibration` holds samples of batch 1, {input name: array}; empty means that there is no real
    data and a calibrated variant is Unsupported. `onnx`, `tflite`, `xml`, `pt2` are FP32 files.
    """

    model: Model
    torch_program: Callable[[], TorchProgram] | None
    onnx: Path | None
    tflite: Path | None
    xml: Path | None
    pt2: Path | None
    calibration: Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Built:
    """A made artifact: its main file and what a reader of the row should know about it."""

    path: Path
    notes: tuple[str, ...] = ()


def toolchain(format_name: str) -> ModuleType:
    """Return the toolchain module that makes artifacts of `format_name`."""
    return importlib.import_module(TOOLCHAINS[format_name])
