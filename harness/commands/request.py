"""The words of one `boardmark run` as a request, and the words that would ask for it again."""

from __future__ import annotations

import argparse
from importlib.metadata import version

from devices import lab
from devices.lab import Reachable
from harness import places
from harness.commands import options
from harness.plan.choice import Choice
from harness.session import prepare as preparing
from suites.models import ModelOptions, parse_shape


def of(args: argparse.Namespace, place: Reachable | None) -> preparing.Request:
    """Return what `boardmark run` was asked for; `place` is the lab's entry of its device."""
    options.check_data(args, args.model or ())
    choice = Choice(
        suite=args.suite,
        device=args.device,
        models=tuple(options.absolute(word) for word in args.model) if args.model else None,
        variants=args.variants,
        backends=args.backends,
        batches=args.batch,
        threads=args.threads,
        cores=args.cores,
        blocks=args.blocks,
        budget_s=args.budget,
        precision=args.precision,
        sample_s=args.sample,
        soak_s=args.soak,
        seed=args.seed,
    )
    given = ModelOptions(
        shapes=dict(parse_shape(text) for text in args.shape),
        calibration=args.calibration.absolute() if args.calibration else None,
        labels=args.labels.absolute() if args.labels else None,
        seed=args.seed,
    )
    return preparing.Request(
        choice=choice,
        options=given,
        cache=places.cache(),
        command=words(args, place),
        harness_version=version("boardmark"),
        place=place,
    )


def words(args: argparse.Namespace, place: Reachable | None = None) -> tuple[str, ...]:
    """Return the words that would ask for the same session again, from any directory.

    Of a board of the lab, the file that named it is among them: another folder may have another.
    """
    named = args.lab or (lab.find() if place else None)
    told = ["run", "--suite", args.suite, "--device", args.device, "--seed", str(args.seed)]
    for name in ("variants", "backends", "batch", "cores"):
        value = getattr(args, name)
        told += [f"--{name}", ",".join(map(str, value))] if value else []
    for name in ("threads", "blocks", "budget", "precision", "sample", "soak"):
        value = getattr(args, name)
        told += [f"--{name}", str(value)] if value is not None else []
    for name, value in (("calibration", args.calibration), ("labels", args.labels), ("lab", named)):
        told += [f"--{name}", str(value.absolute())] if value else []
    told += ["--emulate"] if args.emulate else []
    for name in ("model", "shape", "interpreter"):
        for value in getattr(args, name) or ():
            told += [f"--{name}", options.absolute(value) if name == "model" else value]
    return tuple(told)
