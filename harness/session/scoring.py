"""A run's outputs become its quality: the agent writes them, the model's own score judges them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.types import Case, Json, Quality
from suites.build import load_evaluation
from suites.models import Evaluation, Source


class Scorer:
    """Decides which runs are scored and scores them; one scored run per artifact and runtime.

    Outputs are a function of artifact, runtime and batch, so the other blocks need no second pass.
    Batched cases take the quality of their twin at batch 1 where the session has one.
    """

    def __init__(
        self,
        cases: Iterable[Case],
        sources: Mapping[str, Source],
        evaluations: Mapping[str, Path | None],
    ) -> None:
        """Take sources and evaluation files by model name; outputs go to a folder of its own."""
        self._singles = {_identity(case) for case in cases if case.batch == 1}
        self._sources = sources
        self._paths = evaluations
        self._loaded: dict[str, Evaluation] = {}
        self._scored: dict[tuple[str, str, str], Quality] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="boardmark-outputs-")

    def __enter__(self) -> Scorer:
        """Return the scorer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the outputs."""
        self._folder.cleanup()

    def wanted(self, case: Case) -> Json | None:
        """Return the request's `evaluate` object, None where the quality is known."""
        path = self._paths.get(case.model)
        if path is None or _identity(case) in self._scored:
            return None
        if case.batch != 1 and _identity(case) in self._singles:
            return None
        return {"inputs": str(path), "outputs": str(self._outputs(case))}

    def remember(self, case: Case, quality: Quality) -> None:
        """Take in a quality that an earlier part of the session measured."""
        self._scored[_identity(case)] = quality

    def quality(self, case: Case) -> Quality | None:
        """Return the quality of `case` if it was scored, in this run or before."""
        if self._outputs(case).exists():
            self._scored[_identity(case)] = self._score(case)
        return self._scored.get(_identity(case))

    def _score(self, case: Case) -> Quality:
        import numpy as np

        path = self._outputs(case)
        try:
            with np.load(path, allow_pickle=False) as stored:
                outputs: dict[str, Any] = {key: stored[key] for key in stored.files}
        except ValueError:  # text comes as Python objects, and objects are never unpickled
            return Quality(
                metric="fidelity", value=None, reference=None, loss=None,
                reason="the outputs are not numbers",
            )  # fmt: skip
        finally:
            path.unlink()
        if case.model not in self._loaded:
            self._loaded[case.model] = load_evaluation(Path(str(self._paths[case.model])))
        return self._sources[case.model].score(outputs, self._loaded[case.model])

    def _outputs(self, case: Case) -> Path:
        return Path(self._folder.name) / f"{case.key}.npz"


def _identity(case: Case) -> tuple[str, str, str]:
    return case.artifact.sha256, case.backend, case.runtime_version
