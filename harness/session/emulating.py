"""An emulated session: every case once, no clock, and outputs of as many samples as it can bear."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from harness.session.prepare import Prepared
from harness.session.schedule import Block, State, planned
from harness.session.scoring import Scores
from harness.types import Quality, SessionPlan, digest
from suites.models import Evaluation
from suites.quality.scoring import score_fidelity

SIDE = "emulated"
# Emulated arithmetic is some hundred times slower than the board's: this many bytes of weights may
# be read for all samples of one case together, and so many samples are compared at the least.
_READ_BYTES = 100e6
_LEAST_SAMPLES = 8
_TIMEOUT_S = 3600.0


def plan(made: SessionPlan) -> SessionPlan:
    """Return a session's plan as that of an emulation: one block, no anchors, nothing timed.

    Its cases are marked, so that neither their keys nor their rows are those of the real board.
    """
    cases = tuple(msgspec.structs.replace(case, side=SIDE) for case in made.cases)
    run = {"warmup_calls": 0, "warmup_s": 0.0, "min_samples": 1, "max_samples": 1, "min_s": 0.0}
    sampling = {
        "precision": None,
        "goal": None,
        "budget_s": None,
        "planned_s": None,
        "timeout_s": _TIMEOUT_S,
        "energy_s": 0,
        "run": {**run, "budget_s": 0.0, "precision": None},
    }
    return msgspec.structs.replace(
        made,
        kind="emulation",
        blocks=1,
        cases=cases,
        anchors=(),
        order=(tuple(case.key for case in cases),) if cases else (),
        sampling=sampling,
    )


class OnceSchedule:
    """Every case of the plan once."""

    def __init__(self, made: SessionPlan) -> None:
        """Take the cases and their order from the plan."""
        self._plan = made

    def next(self, state: State) -> Block | None:
        """Return what is missing of the one block."""
        return planned(self._plan, state)


class FewSamples:
    """Scores outputs of a part of the evaluation samples: how near they are to FP32, no more."""

    def __init__(self, samples: int, total: int) -> None:
        """Take how many of how many samples are answered."""
        self._samples, self._total = samples, total

    def score(self, outputs: dict[str, Any], evaluation: Evaluation) -> Quality:
        """Return fidelity; the metric of the model takes all samples, and the reason says so."""
        found = score_fidelity(outputs, evaluation.reference)
        reason = (
            f"{self._samples} of {self._total} evaluation samples were answered under emulation:"
            " enough to compare outputs, too few for a score"
        )
        return Quality(
            metric=found.metric,
            value=None,
            reference=None,
            loss=None,
            n=found.n,
            fidelity=found.fidelity,
            sqnr_db=found.sqnr_db,
            reason=found.reason or reason,
        )


def shortened(
    ready: Prepared, folder: Path
) -> tuple[Mapping[str, Scores], Mapping[str, Path | None]]:
    """Return what a Scorer takes: who judges each model, and on which file of samples.

    Where all samples would take too long, a file with the first ones is written to `folder`.
    """
    judges: dict[str, Scores] = dict(ready.sources)
    paths = dict(ready.evaluations)
    for name, path in ready.evaluations.items():
        sizes = [case.artifact.size_bytes or 0 for case in ready.plan.cases if case.model == name]
        if path is None or not sizes:
            continue
        samples = max(_LEAST_SAMPLES, int(_READ_BYTES / max(1, *sizes)))
        with np.load(path, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
        parts = {key: value for key, value in arrays.items() if key.startswith(("in:", "out:"))}
        total = min(len(value) for value in parts.values())
        if total > samples:
            target = paths[name] = folder / f"{digest(name)}.npz"
            np.savez(str(target), **{key: value[:samples] for key, value in parts.items()})
            judges[name] = FewSamples(samples, total)
    return judges, paths
