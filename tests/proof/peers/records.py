"""What travels between the parts of the comparison: frozen records, base units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What one start of a tool reported.

    `half_width` is that of a 95 % interval, as a fraction of the median; `interval` says where it
    comes from, or why there is none. `alarm` is the answer of the tool's own comparison with its
    previous start, None where it made none. `n` counts timed calls where the tool tells them.
    """

    median_s: float
    n: int | None
    half_width: float | None
    interval: str
    alarm: bool | None = None


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """One start of one tool. Either `reading` is there or `reason` says why not.

    `wall_s` is from its start to its end. `peak_bytes` is the largest sum of the high-water marks
    (VmHWM) of the processes of its tree that lived at the same time.
    """

    tool: str
    round: int
    wall_s: float
    peak_bytes: int | None
    reading: Reading | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Bench:
    """What every tool is given: the model's files, the inputs, threads, and how long to time.

    `python` has the runtimes, `peers_python` optimum-benchmark and LoadGen (None: not installed).
    `artifacts` are the model by format, `inputs` one .npy by input name, `encoder` the folder that
    transformers loads. `shelf` is a folder that outlives a round.
    """

    python: Path
    peers_python: Path | None
    artifacts: Mapping[str, Path]
    inputs: Mapping[str, Path]
    encoder: Path
    shelf: Path
    threads: int
    seconds: float


@dataclass(frozen=True)
class Command:
    """What to start, in a folder of its own, and how long it may take."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    patience_s: float = 120.0
    good_codes: tuple[int, ...] = (0,)


class Tool(Protocol):
    """The two functions that every peer's file offers."""

    def command(self, bench: Bench, word: str) -> Command:
        """Say what to start; raises Unusable where it cannot be."""

    def read(self, folder: Path, word: str) -> Reading:
        """Read what it left in `folder`; raises Unusable where that is not what it should be."""


@dataclass(frozen=True)
class Peer:
    """One tool: its file, the word that its two functions are asked with, its bare loop.

    `runtime` is the column's text; `baseline` names the bare loop that its median is held against,
    None for the bare loops themselves.
    """

    name: str
    runtime: str
    tool: Tool
    word: str
    baseline: str | None


class Unusable(Exception):
    """A tool cannot be started here, or its output does not hold what it should."""
