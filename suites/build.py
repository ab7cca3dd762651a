"""Build variants, or find them built: the desk's side, without a heavy import.

Two stages, each in build workers of their own: first a model's material (weights, evaluation, base
exports), then one worker per model and format for all its wanted variants. At most two run at once.
What a worker's death takes with it is the variant it was working on: the others are built by the
next worker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from harness.errors import UsageError
from harness.types import Json
from suites.artifacts.cache import open_cache
from suites.artifacts.inspection import cached_inspector
from suites.artifacts.plan import BuildEvent, BuildResult, Plan, Wanted
from suites.artifacts.process import Crew, WorkerDied
from suites.artifacts.site import Site
from suites.models import Evaluation, Inspector, ModelOptions, Source, resolve
from suites.models.binding import Inspection

__all__ = [
    "BuildEvent",
    "BuildResult",
    "Wanted",
    "build_all",
    "is_cached",
    "load_evaluation",
    "source",
    "worker_inspector",
]

INSPECT_PATIENCE_S = 300.0
HUB_PATIENCE_S = 3600.0


def source(word: str, given: ModelOptions, cache: Path) -> Source:
    """Return the source behind `word`; a build worker looks into a user's file, once per content.

    Raises UsageError for an unknown word, a file that cannot be read and options that do not fit.
    """
    root = open_cache(cache)
    return resolve(word, given, cached_inspector(root, worker_inspector()))


def build_all(
    wanted: Sequence[Wanted], cache: Path, on_event: Callable[[BuildEvent], None]
) -> list[BuildResult]:
    """Return one result per Wanted, in order; what the cache holds is not built and emits no event.

    Events may come from another thread, one at a time. Raises UsageError where a model's own data
    or file is at fault, and StoreError where the cache cannot be written.
    """
    root = open_cache(cache)
    plans = [Plan.of(want, root) for want in wanted]
    work = [plan for plan in plans if plan.missing or not plan.is_prepared]
    if work:
        Site(root, on_event, sum(plan.pieces for plan in work)).build(work)
    return [plan.result() for plan in plans]


def is_cached(wanted: Sequence[Wanted], cache: Path) -> bool:
    """Tell whether `build_all` would have nothing to do."""
    plans = [Plan.of(want, cache.resolve()) for want in wanted]
    return all(plan.is_prepared and not plan.missing for plan in plans)


def load_evaluation(path: Path) -> Evaluation:
    """Read the evaluation that a BuildResult points to."""
    with np.load(path, allow_pickle=False) as data:
        arrays = {name: data[name] for name in data.files}
    return Evaluation(
        inputs={key[3:]: array for key, array in arrays.items() if key.startswith("in:")},
        reference={key[4:]: array for key, array in arrays.items() if key.startswith("out:")},
        labels=arrays.get("labels"),
    )


def worker_inspector() -> Inspector:
    """Return the inspector that lets a build worker open the file."""

    def ask(request: Json, patience_s: float, what: str) -> Json:
        crew = Crew(threads=1)
        try:
            for message in crew.converse(request, patience_s):
                if "usage" in message:
                    raise UsageError(*message["usage"])
                if "failed" in message:
                    raise UsageError(f"cannot read {what}: {message['failed']}")
                if "disk" in message:
                    raise UsageError(f"cannot read {what}: {message['disk']}")
                return message
            raise UsageError(f"cannot read {what}: the build worker gave no answer")
        except WorkerDied as death:
            raise UsageError(
                f"cannot read {what}: {death}", "the file is most likely damaged"
            ) from death
        finally:
            crew.stop()

    def file(path: Path, kind: str) -> Inspection:
        request = {"job": "inspect", "path": str(path), "kind": kind}
        answer = ask(request, INSPECT_PATIENCE_S, repr(str(path)))
        return msgspec.convert(answer["inspection"], Inspection)

    def hub(identifier: str) -> Path:
        answer = ask({"job": "hub", "id": identifier}, HUB_PATIENCE_S, f"hf:{identifier}")
        return Path(answer["directory"])

    return Inspector(file=file, hub=hub)
