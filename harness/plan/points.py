"""The product of a suite and a choice: what should be measured, before asking whether it can be."""

from __future__ import annotations

import msgspec

import backends
from harness.errors import UsageError, unknown
from harness.plan.choice import Choice
from suites import Group, Scenario, Suite
from suites.variants import VARIANTS

NULL_MODEL = "null-model"
_LONGEST_SOAK_S = 86_400.0


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One point of the product; `blocks` is how often it is measured."""

    model: str
    variant: str
    backend: str
    scenario: Scenario
    batch: int
    blocks: int


def expand(suite: Suite, choice: Choice) -> tuple[Point, ...]:
    """Return the points of `suite` as `choice` narrows or widens it; UsageError for unknown words.

    A chosen variant or backend that the suite does not have joins its single-stream groups; other
    groups keep those of the chosen words that are theirs. Chosen batches replace the suite's
    scenarios. A soak keeps their batches and takes their place, with one block unless more are
    chosen.
    """
    _check(choice)
    groups = _batched(suite, choice) if choice.batches else suite.groups
    soak = choice.soak_s is not None
    blocks = choice.blocks or (1 if soak else suite.sampling.blocks)
    points = [
        Point(
            model=model,
            variant=variant,
            backend=backend,
            scenario="soak" if soak else group.scenario,
            batch=group.batch,
            blocks=blocks if choice.blocks or soak else group.blocks or blocks,
        )
        for model in choice.models or suite.models
        for group in groups
        for variant in _narrow(group.variants, choice.variants, group)
        for backend in _narrow(group.backends, choice.backends, group)
        if (model == NULL_MODEL) == (backend == "null")
    ]
    if not points:
        raise UsageError(
            "nothing to measure: no chosen backend can run a chosen model",
            f"the null backend runs only {NULL_MODEL}, the real ones everything else",
        )
    return tuple(dict.fromkeys(points))


def _check(choice: Choice) -> None:
    _check_soak(choice)
    for kind, words, known in (
        ("variant", choice.variants, VARIANTS),
        ("backend", choice.backends, backends.TABLE),
    ):
        for word in words or ():
            if word not in known:
                raise unknown(kind, word, known)


def _check_soak(choice: Choice) -> None:
    """Refuse a soak with what would cut it short or ask for more of it."""
    if choice.soak_s is None:
        return
    if choice.soak_s > _LONGEST_SOAK_S:
        raise UsageError(
            f"a soak of {choice.soak_s:g} s is longer than a day", "10m shows most boards' heat"
        )
    for name, value in (
        ("sample", choice.sample_s),
        ("budget", choice.budget_s),
        ("precision", choice.precision),
    ):
        if value is not None:
            raise UsageError(
                f"--soak and --{name} cannot be had together: a soak lasts as long as it says",
                f"leave --{name} out",
            )


def _batched(suite: Suite, choice: Choice) -> tuple[Group, ...]:
    """Return one group per chosen batch with all of the suite's variants and backends."""
    variants = dict.fromkeys(variant for group in suite.groups for variant in group.variants)
    names = dict.fromkeys(backend for group in suite.groups for backend in group.backends)
    return tuple(
        Group(
            variants=tuple(choice.variants or variants),
            backends=tuple(choice.backends or names),
            scenario="single-stream" if batch == 1 else "offline",
            batch=batch,
        )
        for batch in choice.batches or ()
    )


def _narrow(own: tuple[str, ...], chosen: tuple[str, ...] | None, group: Group) -> tuple[str, ...]:
    if chosen is None:
        return own
    if group.scenario == "single-stream":
        return chosen
    return tuple(word for word in chosen if word in own)
