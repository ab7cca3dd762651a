"""Eight cases to two percent within ninety seconds: how many of them get there."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from .launch import execute
from .ours import MODEL, half_width
from .records import Bench, Command

WANTED = 0.02
BUDGET_S = 90
VARIANTS = "fp32,int8-dynamic"
BACKENDS = "onnxruntime,openvino,tflite,torch"
CASES = 8


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One case: its name, its median, the half-width of its interval as a fraction, its verdict."""

    label: str
    median_s: float | None
    half_width: float | None
    verdict: str


class Eight(msgspec.Struct, frozen=True, kw_only=True):
    """The session: how long the whole command took, its cases, or why there are none."""

    wall_s: float
    cases: tuple[Case, ...] = ()
    reason: str | None = None

    @property
    def reached(self) -> int:
        """Return how many cases have an interval within the wanted half-width."""
        return sum(c.half_width is not None and c.half_width <= WANTED for c in self.cases)


def measure(bench: Bench, folder: Path) -> Eight:
    """Run the session once, its artifacts built beforehand."""
    folder.mkdir(parents=True)
    choice = (
        *("--model", MODEL, "--variants", VARIANTS, "--backends", BACKENDS),
        *("--batch", "1", "--threads", str(bench.threads)),
    )
    python = str(bench.python)
    build = ("build", "--model", MODEL, "--variants", VARIANTS, "--backends", BACKENDS)
    built = folder / "build"
    built.mkdir()
    _, _, reason = execute(
        Command(argv=(python, "-m", "harness.cli", *build), patience_s=900), built
    )
    if reason is not None:
        return Eight(wall_s=0.0, reason=f"the artifacts cannot be built: {reason}")
    words = ("--precision", f"{WANTED:.0%}", "--budget", f"{BUDGET_S}s", "--store", "store")
    argv = (python, "-m", "harness.cli", "run", *choice, *words, "--no-report", "--json")
    command = Command(argv=argv, patience_s=3 * BUDGET_S, good_codes=(0, 4))
    wall_s, _, reason = execute(command, folder)
    if reason is not None:
        return Eight(wall_s=wall_s, reason=reason)
    try:
        return Eight(wall_s=wall_s, cases=cases((folder / "stdout.txt").read_text("utf-8")))
    except (ValueError, LookupError, TypeError) as error:
        return Eight(wall_s=wall_s, reason=f"its output cannot be read: {error}")


def cases(text: str) -> tuple[Case, ...]:
    """Return the cases of what `boardmark run --json` printed."""
    return tuple(
        Case(
            label=f"{row['variant']} {row['backend']}",
            median_s=row["latency_p50_s"],
            half_width=half_width(row) if row["latency_p50_s"] else None,
            verdict=row["verdict"],
        )
        for row in json.loads(text)
    )
