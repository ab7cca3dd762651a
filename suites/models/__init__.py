"""The zoo, and the user's own files, behind one contract: one file per model.

A zoo module offers `source(given) -> Source`. A source knows its identity without heavy imports;
everything heavy is imported inside three methods that run only in the build worker, never in the
process that plans, measures or draws:

    prepare(workdir)     once: train or read the weights, export base files, pick calibration data
    material(workdir)    any number of times: what toolchains start from, out of what is prepared
    evaluation(workdir)  once: inputs to score on, and the FP32 reference's outputs

and `score(outputs, evaluation) -> Quality` for the desk: numpy only, it runs beside the session.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from harness.errors import UsageError, unknown
from harness.types import Json, Model, Quality
from suites.variants import Material

if TYPE_CHECKING:
    from suites.models.binding import Inspection

# the user's word -> module, and what `boardmark list` says about it
ZOO = {
    "digits-cnn": (
        "suites.models.digits",
        "convolutional classifier of handwritten digits, trained here in seconds on real data",
    ),
    "minilm-l6": (
        "suites.models.minilm",
        "pretrained sentence encoder all-MiniLM-L6-v2, 22.7 million parameters",
    ),
    "null-model": ("suites.models.null", "no model at all: drives the null backend"),
}


@dataclass(frozen=True)
class ModelOptions:
    """What the user said about a model beside its name; empty for the zoo's own settings.

    `shapes` binds inputs by name; `calibration` is an .npz of samples named like the inputs,
    `labels` the class index of each sample; `seed` draws the evaluation inputs where there is no
    data.
    """

    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    calibration: Path | None = None
    labels: Path | None = None
    seed: int = 0

    def to_json(self) -> Json:
        """Return the options as plain JSON, for the build worker."""
        return {
            "shapes": {name: list(shape) for name, shape in self.shapes.items()},
            "calibration": str(self.calibration) if self.calibration else None,
            "labels": str(self.labels) if self.labels else None,
            "seed": self.seed,
        }

    @staticmethod
    def from_json(record: Json) -> ModelOptions:
        """Return the options that `to_json` wrote."""
        return ModelOptions(
            shapes={name: tuple(shape) for name, shape in record["shapes"].items()},
            calibration=Path(record["calibration"]) if record["calibration"] else None,
            labels=Path(record["labels"]) if record["labels"] else None,
            seed=record["seed"],
        )


@dataclass(frozen=True)
class Evaluation:
    """Evaluation samples: `inputs` and the FP32 outputs, `reference`, both {name: array [n, ...]}.

    Sample i of an input is array[i : i + 1] where its TensorSpec is batched, else array[i].
    `labels` are what the model's metric needs: class indices [n], or triplets of sample indices [t,
    3]. Saved as one .npz (keys `in:NAME`, `out:NAME`, `labels`).
    """

    inputs: dict[str, Any]
    reference: dict[str, Any]
    labels: Any | None


class Source(Protocol):
    """What a zoo module or a user's file must be able to do."""

    @property
    def model(self) -> Model:
        """Return the model's identity without heavy imports."""

    @property
    def word(self) -> str:
        """Return the word that `resolve` turns into this source again, paths made absolute."""

    @property
    def given(self) -> ModelOptions:
        """Return what the user said about it."""

    @property
    def packages(self) -> tuple[str, ...]:
        """Return the distributions whose versions may change what `prepare` makes."""

    def prepare(self, workdir: Path) -> None:
        """Write what `material` and `evaluation` read into the empty `workdir`; takes seconds."""

    def material(self, workdir: Path) -> Material:
        """Return what toolchains may start from."""

    def evaluation(self, workdir: Path) -> Evaluation:
        """Return evaluation inputs and the FP32 reference's outputs."""

    def score(self, outputs: dict[str, Any], evaluation: Evaluation) -> Quality:
        """Score one case's outputs on the evaluation."""


@dataclass(frozen=True)
class Inspector:
    """How to look into what the desk may not open: through a build worker, or inside one."""

    file: Callable[[Path, str], Inspection]
    hub: Callable[[str], Path]


def zoo() -> dict[str, str]:
    """Return the zoo's names with one line of description each; imports no model."""
    return {name: description for name, (_, description) in ZOO.items()}


def resolve(word: str, given: ModelOptions, inspector: Inspector) -> Source:
    """Return the source behind the user's `word`.

    A zoo name, `hf:org/name`, a directory with a sentence encoder, or the path of a model file.
    Raises UsageError for a word that is none of them and for options that do not fit the model.
    """
    if word in ZOO:
        return _zoo_source(word, given)
    if word.startswith("hf:"):
        return _hub_source(word, given, inspector)
    path = Path(word).expanduser()
    if path.is_dir():
        from suites.models import minilm

        return minilm.directory_source(path.resolve(), given)
    if path.exists() or path.suffix or "/" in word:
        from suites.models import files

        return files.file_source(path, given, inspector.file)
    raise unknown("model", word, ZOO)


def parse_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """Return (input name, dimensions) of `name=1x128`."""
    match = re.fullmatch(r"(?P<name>[^=]+)=(?P<dims>-?\d+(?:[x,]-?\d+)*)", text.strip())
    if not match:
        raise UsageError(f"not a shape: {text!r}", "write it like input_ids=1x128")
    dims = tuple(int(part) for part in re.split("[x,]", match["dims"]))
    if min(dims) < 1 or max(dims) >= 2**31:
        raise UsageError(f"not a shape: {text!r}", f"dimensions go from 1 to {2**31 - 1}")
    return match["name"], dims


def _zoo_source(word: str, given: ModelOptions) -> Source:
    """Import the zoo module and hand it the options that a zoo model may have."""
    for option, value in (("--calibration", given.calibration), ("--labels", given.labels)):
        if value is not None:
            raise UsageError(f"{option} does not apply to {word!r}", "it brings its own data")
    source: Source = importlib.import_module(ZOO[word][0]).source(given)
    return source


def _hub_source(word: str, given: ModelOptions, inspector: Inspector) -> Source:
    """Fetch the hub's snapshot (through the build worker) and treat it as a directory."""
    from suites.models import minilm

    identifier = word.removeprefix("hf:")
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", identifier):
        raise UsageError(f"not a hub id: {word!r}", "write it like hf:org/name")
    return minilm.directory_source(inspector.hub(identifier), given, name=identifier.split("/")[1])
