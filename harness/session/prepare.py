"""From what the user asked for to a plan: device, runtimes, artifacts, cases, order."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

import devices
import suites
from devices.lab import Reachable
from devices.reached import reached
from devices.schema import Device
from harness.errors import UsageError
from harness.plan import anchor, energy, order, pace, sampling
from harness.plan import cases as planning
from harness.plan.choice import Choice
from harness.plan.points import Point, expand
from harness.session.boards import Board
from harness.stats.readings import section
from harness.types import Artifact, Case, Json, Model, SessionPlan, Skip
from results import history
from results.store import Store
from suites import build
from suites.models import ModelOptions, Source


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a `run` command says: choice, models' data, cache, its own words.

    `known` is what earlier sessions tell of the time that a case's runs take, by key. `place` is
    the lab's entry of the board, None where the board is this host.
    """

    choice: Choice
    options: ModelOptions
    cache: Path
    command: tuple[str, ...]
    harness_version: str
    known: dict[str, pace.Effort] = {}
    place: Reachable | None = None


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """What is known before anything is built: enough for a dry run."""

    suite: suites.Suite
    device: str
    identity: Json
    points: tuple[Point, ...]
    runtimes: dict[str, planning.Runtime]
    sources: dict[str, Source]


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A plan and what scoring needs beside it, by model name."""

    plan: SessionPlan
    sources: dict[str, Source]
    evaluations: dict[str, Path | None]


def known(store: Store) -> dict[str, pace.Effort]:
    """Return what earlier sessions of `store` tell of the time that runs take, by case key."""
    return {
        key: pace.Effort(start_s=one.start_s, first_s=one.first_s, call_s=one.call_s)
        for key, one in history.took(store).items()
    }


def outline(request: Request, board: Board) -> Outline:
    """Look everything up and probe the runtimes; UsageError for anything unknown or impossible."""
    choice = request.choice
    suite = suites.load(choice.suite)
    points = expand(suite, choice)
    identity = board.identify()
    device = _device(request, identity).name
    _check_cores(choice, identity)
    words = tuple(dict.fromkeys(point.model for point in points))
    found = {word: build.source(word, _options(word, request), request.cache) for word in words}
    _check_names(found)
    return Outline(
        suite=suite,
        device=device,
        identity=identity,
        points=points,
        runtimes=board.runtimes([*(point.backend for point in points), "null"]),
        sources=found,
    )


def _device(request: Request, identity: Json) -> Device:
    """Return the device that was meant; what was reached over a network is marked so."""
    if request.place is None:
        return devices.resolve(request.choice.device, identity)
    identity["reached"] = {"over": "ssh", "name": request.place.name}
    return reached(request.place, identity)


def prepare(
    request: Request,
    found: Outline,
    session_id: str,
    on_event: Callable[[build.BuildEvent], None],
) -> Prepared:
    """Build what is missing and return the plan."""
    built = _build(request, found, on_event)
    models = {word: result.model for word, result in built.items()}
    grounds = planning.Grounds(
        device=found.device,
        threads=request.choice.threads or default_threads(request.choice, found.identity),
        runtimes=found.runtimes,
        models=models,
        artifacts=_artifacts(built),
    )
    made = [(point, planning.make(point, request.choice, grounds)) for point in found.points]
    return Prepared(
        plan=_plan(request, found, session_id, made, tuple(models.values())),
        sources={models[word].name: source for word, source in found.sources.items()},
        evaluations={result.model.name: result.evaluation for result in built.values()},
    )


def default_threads(choice: Choice, identity: Json) -> int:
    """Return one thread per core that may be used."""
    return len(choice.cores) if choice.cores else max(1, int(identity.get("cpu_count") or 1))


def _options(word: str, request: Request) -> ModelOptions:
    """Return the user's data for a model the user named; a suite's own models take none."""
    named = word in (request.choice.models or ())
    return request.options if named else ModelOptions(seed=request.options.seed)


def _check_cores(choice: Choice, identity: Json) -> None:
    here = [row["id"] for row in identity["cores"]]
    wrong = [core for core in choice.cores or () if here and core not in here]
    if wrong:
        raise UsageError(f"no core {wrong[0]} here", f"online are {', '.join(map(str, here))}")


def _check_names(sources: dict[str, Source]) -> None:
    taken: dict[str, str] = {}
    for word, source in sources.items():
        other = taken.setdefault(source.model.name, word)
        if other != word:
            raise UsageError(
                f"{other!r} and {word!r} would both be called {source.model.name!r}",
                "rename one of the files",
            )


def _build(
    request: Request, found: Outline, on_event: Callable[[build.BuildEvent], None]
) -> dict[str, build.BuildResult]:
    wanted = [
        build.Wanted(source=source, variants=variants, formats=formats)
        for word, source in found.sources.items()
        for variants, formats in [_needed(word, found)]
    ]
    results = build.build_all(wanted, request.cache, on_event)
    return dict(zip(found.sources, results, strict=True))


def _needed(word: str, found: Outline) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the variants and formats that usable runtimes will ask for."""
    usable = [
        point
        for point in found.points
        if point.model == word and found.runtimes[point.backend].version is not None
    ]
    variants = dict.fromkeys(point.variant for point in usable)
    formats = dict.fromkeys(planning.format_of(point.backend) for point in usable)
    return tuple(variants), tuple(formats)


def _artifacts(
    built: dict[str, build.BuildResult],
) -> dict[tuple[str, str, str], Artifact | str]:
    return {
        (word, variant, format_name): artifact
        for word, result in built.items()
        for (variant, format_name), artifact in result.artifacts.items()
    }


def _plan(
    request: Request,
    found: Outline,
    session_id: str,
    made: list[tuple[Point, Case | Skip]],
    models: tuple[Model, ...],
) -> SessionPlan:
    repeats = {case.key: point.blocks for point, case in made if isinstance(case, Case)}
    cases = tuple(case for _, case in made if isinstance(case, Case))
    blocks = max(repeats.values(), default=0)
    anchors = anchor.cases(found.device, found.identity, found.runtimes["null"], anchor.SIDES)
    ordered = order.blocks(repeats | {case.key: blocks for case in anchors}, request.choice.seed)
    return SessionPlan(
        session_id=session_id,
        created_unix_s=time.time(),
        command=request.command,
        suite=found.suite.name,
        device=found.device,
        seed=request.choice.seed,
        blocks=blocks,
        cases=cases,
        skipped=tuple(skip for _, skip in made if isinstance(skip, Skip)),
        order=ordered,
        sampling=_sampling(request, found, (*cases, *anchors), ordered),
        models=models,
        environment=found.identity,
        harness_version=request.harness_version,
        anchors=anchors,
    )


def _sampling(
    request: Request, found: Outline, cases: tuple[Case, ...], ordered: tuple[tuple[str, ...], ...]
) -> Json:
    """Return the session's sampling with the time that it is planned to take."""
    choice, suite = request.choice, found.suite.sampling
    efforts = {case.key: pace.effort(case, found.runtimes, request.known) for case in cases}
    wanted_s = choice.soak_s or choice.sample_s or suite.sample_s
    power = energy.passes(found.identity, request.place.meter if request.place else None)
    metered = _metered(request, found, cases)
    power = energy.within(power, power.total_s(len(metered), len(ordered)), choice.budget_s)
    unpaid = [case for case in metered if not power.is_in(request.known.get(case.key))]
    power_s = power.total_s(len(unpaid), len(ordered))
    budget_s = choice.budget_s - power_s if choice.budget_s else None
    sample_s = pace.sample_s(wanted_s, budget_s, list(efforts.values()), len(ordered))
    run_s = {
        case.key: sampling.anchor()["budget_s"]
        if case.model == anchor.MODEL
        else efforts[case.key].calling_s(
            sample_s + min(suite.warmup_s, sample_s), suite.warmup_runs + suite.min_samples
        )
        for case in cases
    }
    planned_s = pace.total_s(ordered, efforts, run_s) * pace.REPEATS + power_s
    return sampling.of(suite, choice, sample_s, choice.budget_s or planned_s, power)


def _metered(request: Request, found: Outline, cases: tuple[Case, ...]) -> list[Case]:
    """Return the cases with passes for power, none where neither board nor desk has a source."""
    place = request.place
    if not (place and place.meter) and not section(found.identity, "power", "source"):
        return []
    return [case for case in cases if case.model != anchor.MODEL]
