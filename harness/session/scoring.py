"""A run's outputs become its quality: the agent writes them, the model's own score judges them."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from harness.types import Case, Json, Quality
from suites.build import load_evaluation
from suites.models import Evaluation


class Scores(Protocol):
    """Who judges a model's outputs: a suites.models.Source does."""

    def score(self, outputs: dict[str, Any], evaluation: Evaluation) -> Quality:
        """Return how good the outputs are."""


Answers = dict[str, Any] | None
_NO_NUMBERS = Quality(
    metric="fidelity",
    value=None,
    reference=None,
    loss=None,
    reason="the outputs are not numbers",
)


class Scorer:
    """Decides which runs are scored and scores them; one scored run per artifact and runtime.

    Outputs are a function of artifact, runtime and batch, so the other blocks need no second pass.
    Batched cases take the quality of their twin at batch 1 where the session has one. A gate's
    candidate is scored against its base: what the base answered is the reference.
    """

    def __init__(
        self,
        cases: Iterable[Case],
        sources: Mapping[str, Scores],
        evaluations: Mapping[str, Path | None],
        against: Mapping[str, str] | None = None,
    ) -> None:
        """Take sources and evaluation files by model name; outputs go to a folder of its own.

        `against` maps the key of a candidate to that of its base.
        """
        self._singles = {case.answers_as for case in cases if case.batch == 1}
        self._against = against or {}
        self._answers: dict[str, Answers] = {}
        self._sources = sources
        self._paths = evaluations
        self._loaded: dict[str, Evaluation] = {}
        self._scored: dict[tuple[str, str, str, str], Quality] = {}
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
        if path is None or case.answers_as in self._scored or case.key in self._answers:
            return None
        if case.batch != 1 and case.answers_as in self._singles:
            return None
        return {"inputs": str(path), "outputs": str(self._outputs(case))}

    def remember(self, case: Case, quality: Quality) -> None:
        """Take in a quality that an earlier part of the session measured."""
        self._scored[case.answers_as] = quality

    def quality(self, case: Case) -> Quality | None:
        """Return the quality of `case` if it was scored, in this run or before."""
        if self._outputs(case).exists():
            self._answers[case.key] = self._read(case)
        if case.answers_as not in self._scored and case.key in self._answers:
            self._judge(case)
        return self._scored.get(case.answers_as)

    def _judge(self, case: Case) -> None:
        """Score what `case` answered; a candidate waits until its base has answered too."""
        outputs = self._answers[case.key]
        if outputs is None:
            self._scored[case.answers_as] = _NO_NUMBERS
            return
        evaluation = self._evaluation(case)
        base_key = self._against.get(case.key)
        if base_key is not None:
            if base_key not in self._answers:
                return
            reference = self._answers[base_key]
            if reference is None:
                self._scored[case.answers_as] = _NO_NUMBERS
                return
            evaluation = dataclasses.replace(evaluation, reference=reference)
        self._scored[case.answers_as] = self._sources[case.model].score(outputs, evaluation)
        if case.key not in self._against.values():
            del self._answers[case.key]

    def _evaluation(self, case: Case) -> Evaluation:
        if case.model not in self._loaded:
            self._loaded[case.model] = load_evaluation(Path(str(self._paths[case.model])))
        return self._loaded[case.model]

    def _read(self, case: Case) -> Answers:
        """Return the outputs by name, None where they are text: objects are never unpickled."""
        import numpy as np

        path = self._outputs(case)
        try:
            with np.load(path, allow_pickle=False) as stored:
                return {key: stored[key] for key in stored.files}
        except ValueError:
            return None
        finally:
            path.unlink()

    def _outputs(self, case: Case) -> Path:
        return Path(self._folder.name) / f"{case.key}.npz"
