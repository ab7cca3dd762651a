"""Build the variants of a model without measuring them, and say where they are."""

from __future__ import annotations

import argparse
import sys

import backends
from harness import places, units
from harness.commands import options
from harness.commands.progress import Progress
from harness.errors import unknown
from harness.plan.cases import format_of
from harness.types import Artifact
from suites import build
from suites.models import ModelOptions, parse_shape
from suites.variants import VARIANTS


def prepare(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    options.add_model(parser)
    parser.add_argument("--variants", type=options.words, default=VARIANTS, metavar="A,B")
    parser.add_argument(
        "--backends",
        type=options.words,
        default=("onnxruntime", "openvino", "tflite", "torch"),
        metavar="A,B",
    )


def run(args: argparse.Namespace) -> int:
    """Build and list the artifacts; what a toolchain cannot do is listed with the reason."""
    for kind, given, known in (
        ("variant", args.variants, VARIANTS),
        ("backend", args.backends, tuple(backends.TABLE)),
    ):
        for word in given:
            if word not in known:
                raise unknown(kind, word, known)
    models = args.model or ["minilm-l6"]
    options.check_data(args, models)
    chosen = ModelOptions(
        shapes=dict(parse_shape(text) for text in args.shape),
        calibration=args.calibration,
        labels=args.labels,
    )
    formats = tuple(dict.fromkeys(map(format_of, args.backends)))
    wanted = [
        build.Wanted(
            source=build.source(word, chosen, places.cache()),
            variants=tuple(args.variants),
            formats=formats,
        )
        for word in models
    ]
    for result in build.build_all(wanted, places.cache(), Progress().built):
        for (variant, format_name), artifact in result.artifacts.items():
            _say(result.model.name, variant, format_name, artifact)
    sys.stdout.flush()
    return 0


def _say(model: str, variant: str, format_name: str, artifact: Artifact | str) -> None:
    if isinstance(artifact, str):
        print(f"{model}  {variant:13} {format_name:12} skipped: {artifact}")
    else:
        size = units.show(artifact.size_bytes, "bytes")
        print(f"{model}  {variant:13} {format_name:12} {size:>9}  {artifact.path}")
