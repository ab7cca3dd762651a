"""From an exported torch program (`.pt2`) to ONNX, for the other runtimes. Build worker only."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

from harness.types import Model
from suites.models.torch_reference import save_onnx


def to_onnx(path: Path, model: Model, onnx: Path) -> None:
    """Write `path` as ONNX to `onnx`, or nothing where torch cannot: its variants say so then."""
    import torch

    logging.getLogger("torch.onnx").setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            # the exporter warns of torch's own deprecations: nothing to act on
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                torch.export.load(str(path)),
                dynamo=True,
                input_names=[spec.name for spec in model.inputs],
                external_data=False,
                verbose=False,
            )
            if program is not None:
                save_onnx(program, onnx)
    except (ImportError, RuntimeError, ValueError, TypeError) as error:
        logging.getLogger(__name__).warning("no ONNX from %s: %s", path.name, error)
        onnx.unlink(missing_ok=True)
