"""What is wanted, what the cache already holds of it, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.types import Artifact, Json, Model
from suites.artifacts.cache import Refusal, artifact_key, material_key, read_artifact
from suites.models import Source


@dataclass(frozen=True)
class Wanted:
    """One model with the variants and artifact formats that are wanted of it, every combination."""

    source: Source
    variants: tuple[str, ...]
    formats: tuple[str, ...]


@dataclass(frozen=True)
class BuildEvent:
    """Something was begun or ended. `format` and `variant` are empty for a model's material.

    `done` of `total` pieces of work are finished; `seconds` is how long the piece took, 0 at its
    start.
    """

    kind: Literal["start", "done", "skipped", "failed"]
    model: str
    format: str
    variant: str
    done: int
    total: int
    seconds: float = 0.0
    reason: str | None = None


@dataclass(frozen=True)
class BuildResult:
    """What became of one Wanted: per (variant, format) the artifact, or why there is none.

    `evaluation` is the path for `load_evaluation`, None where the model's material could not be
    made.
    """

    model: Model
    artifacts: dict[tuple[str, str], Artifact | str]
    evaluation: Path | None


@dataclass
class Plan:
    """One Wanted with its places in the cache, what was found there and what went wrong."""

    want: Wanted
    root: Path
    prepared: Path
    entries: dict[tuple[str, str], Path]
    found: dict[tuple[str, str], Artifact | Refusal]
    failed: dict[tuple[str, str], str] = field(default_factory=dict)

    @staticmethod
    def of(want: Wanted, root: Path) -> Plan:
        """Look up everything that `want` names in the cache `root`; builds nothing."""
        key = material_key(want.source)
        entries = {
            (variant, format_name): root / artifact_key(key, variant, format_name)
            for format_name in want.formats
            for variant in want.variants
        }
        found = {pair: read_artifact(entry) for pair, entry in entries.items()}
        known = {pair: record for pair, record in found.items() if record is not None}
        return Plan(want, root, root / key, entries, known)

    @property
    def is_prepared(self) -> bool:
        """Tell whether the model's material is in the cache."""
        return (self.prepared / "prepared.json").is_file()

    @property
    def missing(self) -> list[tuple[str, str]]:
        """Return the (variant, format) pairs that have neither an artifact nor a reason yet."""
        return [pair for pair in self.entries if pair not in self.found and pair not in self.failed]

    @property
    def pieces(self) -> int:
        """Return how many pieces of work are left: the material counts as one."""
        return len(self.missing) + (not self.is_prepared)

    @property
    def request(self) -> Json:
        """Return how a build worker finds the same source again."""
        source = self.want.source
        return {"word": source.word, "given": source.given.to_json(), "cache": str(self.root)}

    def result(self) -> BuildResult:
        """Return what became of it; every pair must have an artifact or a reason by now."""
        outcome: dict[tuple[str, str], Artifact | str] = {}
        for pair in self.entries:
            record = self.found.get(pair)
            if isinstance(record, Artifact):
                outcome[pair] = record
            else:
                outcome[pair] = record.reason if record else self.failed[pair]
        evaluation = self.prepared / "evaluation.npz" if self.is_prepared else None
        return BuildResult(self.want.source.model, outcome, evaluation)
