"""Suites: models x variants x backends x scenarios, the tables to draw and the claims to check.

One TOML file per suite beside this module. The file's name is the suite's name; its keys are the
fields of the records below, and a key that is not among them is an error that names the file and
the key.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

import msgspec

from harness.errors import UsageError, unknown

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parent
LARGEST_FILE_BYTES = 1_000_000

# How a suite may drive a case, and what a command makes of all of them.
Driven = Literal["single-stream", "offline"]
Scenario = Literal["single-stream", "offline", "soak"]
CapacityMetric = Literal[
    "limit_bytes", "limit_to_file", "limit_to_ram", "limit_to_budget", "at_once"
]
Metric = (
    Literal["memory", "size", "speed", "latency", "throughput", "quality_loss"] | CapacityMetric
)
ClaimKind = Literal["equal", "at_most", "at_least"]


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rectangle of the product: each variant on each backend in one scenario.

    `batch` is the number of inputs per call. `blocks` replaces the session's number of blocks for
    these cases, None keeps it.
    """

    variants: tuple[str, ...]
    backends: tuple[str, ...]
    scenario: Driven = "single-stream"
    batch: int = 1
    blocks: int | None = None


class Sampling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one run is driven and how many blocks there are, unless the command says otherwise.

    A run warms up for at least `warmup_runs` calls and `warmup_s` seconds, then samples for
    `sample_s` seconds: never fewer than `min_samples` calls, never more than `max_samples`.
    `timeout_s` bounds the whole run.
    """

    blocks: int = 5
    warmup_runs: int = 5
    warmup_s: float = 0.3
    sample_s: float = 1.0
    min_samples: int = 20
    max_samples: int = 5000
    timeout_s: float = 120.0


class Column(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One column of a table: a metric, relative to the row `relative_to` where that is set."""

    metric: Metric
    title: str
    relative_to: str | None = None


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One comparison to draw: a row per variant, in this order, for one scenario and batch."""

    id: str
    title: str
    rows: tuple[str, ...]
    columns: tuple[Column, ...]
    scenario: Driven = "single-stream"
    batch: int = 1


class Claim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A documented figure, and the relation of ours that it is held against.

    `value` is the relation as a bare number: a ratio to `baseline` (memory, size, latency: level
    over baseline; speed, throughput: how many times faster) or the fraction of quality lost.
    `rounding` is half a unit of the last digit that was printed. Without a value, `unmeasurable`
    says why there is none. `text` is the figure as documented. `architecture` is set where the
    figure was given for one only (as `uname -m` says it); `unmeasurable` where no relation of ours
    can answer it, and says why.
    """

    source: str
    table: str
    level: str
    metric: Metric
    kind: ClaimKind
    text: str
    value: float | None = None
    rounding: float = 0.0
    baseline: str = "fp32"
    scenario: Driven = "single-stream"
    batch: int = 1
    architecture: str | None = None
    unmeasurable: str | None = None


class Suite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one session measures by default, the tables it draws and the claims it checks."""

    name: str
    title: str
    question: str
    models: tuple[str, ...]
    groups: tuple[Group, ...]
    sampling: Sampling = Sampling()
    tables: tuple[Table, ...] = ()
    claims: tuple[Claim, ...] = ()


def names() -> tuple[str, ...]:
    """Return the names of all suites, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load(name: str) -> Suite:
    """Return the suite called `name`; raise UsageError where there is none or its file is wrong."""
    if name not in names():
        raise unknown("suite", name, names())
    return read(FOLDER / f"{name}.toml")


def read(path: Path) -> Suite:
    """Return the suite that the file `path` describes; its stem becomes the name.

    Raises UsageError, naming the file and the key, for anything that a suite cannot contain.
    """
    content = _parse(path)
    if "name" in content:
        raise UsageError(
            f"{path.name}: key 'name' is not allowed", "the file's name is the suite's"
        )
    try:
        suite = msgspec.convert({**content, "name": path.stem}, Suite)
    except msgspec.ValidationError as error:
        reason = str(error).replace("`", "'").replace("Object contains", "it contains")
        raise UsageError(
            f"{path.name}: {reason[0].lower()}{reason[1:]}", "correct that key"
        ) from error
    _check(suite, path.name)
    return suite


def _parse(path: Path) -> dict[str, Any]:
    """Return the file's content as TOML tables."""
    try:
        content = path.read_bytes()
        if len(content) > LARGEST_FILE_BYTES:
            raise UsageError(f"{path.name}: larger than 1 MB", "a suite is a few hundred lines")
        return tomllib.loads(content.decode())
    except OSError as error:
        raise UsageError(f"cannot read {path.name}: {error.strerror}", "check the file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name}: not TOML: {error}", "correct that line") from error


def _check(suite: Suite, file: str) -> None:
    """Raise UsageError where the parts of `suite` do not fit together."""
    for key, value in (("models", suite.models), ("groups", suite.groups)):
        if not value:
            raise UsageError(f"{file}: key '{key}' is empty", "name at least one")
    for number, group in enumerate(suite.groups):
        if group.batch < 1 or not group.variants or not group.backends:
            raise UsageError(
                f"{file}: groups[{number}] needs variants, backends and a batch of 1 or more",
                "correct that group",
            )
    measured = {variant for group in suite.groups for variant in group.variants}
    tables = {table.id: table for table in suite.tables}
    if len(tables) != len(suite.tables):
        raise UsageError(f"{file}: two tables have the same id", "give each its own")
    for table in suite.tables:
        for row in table.rows:
            _require(row in measured, f"row of table '{table.id}' in {file}", row, measured)
    for claim in suite.claims:
        kind = f"of a claim of {claim.source} in {file}"
        _require(claim.level in measured, f"level {kind}", claim.level, measured)
        _require(claim.table in tables, f"table {kind}", claim.table, tables)
        if claim.value is None and claim.unmeasurable is None:
            raise UsageError(
                f"{file}: a claim of {claim.source} has no value",
                "give it, or say why it is unmeasurable",
            )


def _require(known: bool, kind: str, word: str, words: Any) -> None:
    """Raise the error for `word` unless it is known."""
    if not known:
        raise unknown(kind, word, words)
