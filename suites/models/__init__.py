"""The zoo, and the user's own files, behind one contract: one file per model.

A source offers (everything heavy is imported inside the methods; they run only in the build worker, never in
the process that measures or draws):

    model: Model                        identity; made without importing torch
    material(workdir, calibration) -> Material     train, load or copy; may take seconds
    evaluation(workdir, material) -> Evaluation    inputs to score on, and the FP32 reference's outputs
    score(outputs, evaluation) -> Quality          desk only, numpy only: it runs beside the session
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harness.types import Model, Quality
from suites.variants import Material


@dataclass(frozen=True)
class Evaluation:
    """Evaluation samples: `inputs` {name: array [n, ...]}, `reference` the FP32 outputs {name: array [n, ...]}.

    `labels` [n] where the model has them. Saved as one .npz (keys `in:NAME`, `out:NAME`, `labels`).
    """

    inputs: dict[str, Any]
    reference: dict[str, Any]
    labels: Any | None


class Source(Protocol):
    """What a zoo module or a user's file must be able to do."""

    @property
    def model(self) -> Model:
        """Return the model's identity without heavy imports."""

    def material(self, workdir: Path) -> Material:
        """Return what toolchains may start from."""

    def evaluation(self, material: Material) -> Evaluation:
        """Return evaluation inputs and the FP32 reference's outputs."""

    def score(self, outputs: dict[str, Any], evaluation: Evaluation) -> Quality:
        """Score one case's outputs on the evaluation."""
