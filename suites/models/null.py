"""`null-model`: four floats in, the same four out; needs nothing but numpy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import UsageError
from harness.types import Model, Quality, TensorSpec, digest
from suites.models import Evaluation, ModelOptions
from suites.quality.scoring import score_fidelity
from suites.variants import Material

SAMPLES = 8

MODEL = Model(
    name="null-model",
    origin="null",
    digest=digest(["null-model", 1]),
    inputs=(TensorSpec(name="x", dtype="float32", shape=(1, 4)),),
    description="no model: the null backend answers with its input",
    quality_metric="cosine",
    quality_reason="no task behind it: its outputs are compared with its inputs",
)


def source(given: ModelOptions) -> NullSource:
    """Return the source; it has no option but the seed of its samples."""
    if given.shapes:
        raise UsageError("--shape does not apply to 'null-model'", "its one input is always x=1x4")
    return NullSource(given)


@dataclass(frozen=True)
class NullSource:
    """The model that is not there."""

    given: ModelOptions
    model: Model = MODEL
    word: str = "null-model"
    packages: tuple[str, ...] = ()

    def prepare(self, workdir: Path) -> None:
        """Prepare nothing: there are no weights."""

    def material(self, workdir: Path) -> Material:
        """Return a material without any file."""
        return Material(
            model=self.model,
            torch_program=None,
            onnx=None,
            tflite=None,
            xml=None,
            pt2=None,
            calibration=(),
        )

    def evaluation(self, workdir: Path) -> Evaluation:
        """Return eight samples of x [8, 4] float32 and, as the reference, the same."""
        x = np.random.default_rng(self.given.seed).standard_normal((SAMPLES, 4)).astype(np.float32)
        return Evaluation({"x": x}, {"x": x}, None)

    def score(self, outputs: dict[str, Any], evaluation: Evaluation) -> Quality:
        """Score by cosine with the inputs."""
        return score_fidelity(outputs, evaluation.reference)
