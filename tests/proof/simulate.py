"""Simulate gate sessions and intervals at full size and write the table of docs/measurement.md.

    make simulate

Every figure comes from the functions that the program uses, from fixed seeds. A figure in bold
misses its target.
"""

from __future__ import annotations

import multiprocessing
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import calibrated, candidates, coverage, gate_sessions
from .noise_models import MODELS, OFTEN

DOCUMENT = Path(__file__).parents[2] / "docs" / "measurement.md"
BEGIN, END = "<!-- simulations: begin -->", "<!-- simulations: end -->"
SEED = 20261
FALSE_TARGET, POWER_5, POWER_20, COVERAGE = 0.015, 0.95, 1.0, (0.93, 0.97)
Row = dict[str, str]


class Size(NamedTuple):
    """How many sessions each figure takes."""

    null: int = 20_000
    slowed: int = 10_000
    family: int = 8000
    calibrations: int = 200
    intervals: int = 8000
    tails: int = 2000


class Task(NamedTuple):
    """One row of one table: what is computed, of what."""

    table: str
    row: str
    compute: Callable[[Task, Size], Row]


def main() -> None:
    """Compute everything on all cores and rewrite the document between its markers."""
    begin, cores = time.monotonic(), multiprocessing.cpu_count()
    content = rendered(TASKS, Size(), cores)
    DOCUMENT.write_text(inserted(DOCUMENT.read_text(), content))
    print(f"{content}\n\n{DOCUMENT.name}: {time.monotonic() - begin:.0f} s on {cores} cores")


def rendered(tasks: list[Task], size: Size, processes: int) -> str:
    """Return the tables of all tasks as Markdown."""
    work = [(task, size) for task in tasks]
    if processes > 1:
        with multiprocessing.Pool(processes) as pool:
            rows = pool.starmap(_computed, work, chunksize=1)
    else:
        rows = [_computed(task, size) for task in tasks]
    parts = []
    for table, caption in CAPTIONS.items():
        own = [
            (task.row, row) for task, row in zip(tasks, rows, strict=True) if task.table == table
        ]
        if own:
            parts += [f"### {table}", caption.format(**size._asdict()), _markdown(own)]
    return "\n\n".join(parts)


def inserted(document: str, content: str) -> str:
    """Return the document with `content` between the markers."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{content}\n{END}{after}"


def _computed(task: Task, size: Size) -> Row:
    return task.compute(task, size)


def _markdown(rows: list[tuple[str, Row]]) -> str:
    names = list(rows[0][1])
    lines = [f"| | {' | '.join(names)} |", f"|---{'|---:' * len(names)}|"]
    lines += [f"| {label} | {' | '.join(row[name] for name in names)} |" for label, row in rows]
    return "\n".join(lines)


def _rng(task: Task) -> np.random.Generator:
    return np.random.default_rng([SEED, zlib.crc32(f"{task.table}/{task.row}".encode())])


def percent(share: float, met: bool = True, digits: int = 1) -> str:
    """Return a share as per cent, in bold where it misses its target."""
    text = f"{100 * share:.{digits}f}"
    return text if met else f"**{text}**"


def gate(task: Task, size: Size) -> Row:
    """One pair through the gate: false alarms, what is found, what passes."""
    rng, model = _rng(task), MODELS[task.row]
    bare = gate_sessions.rates(model, rng, size.null, 0.0, margin=0.0)["regressed"]
    equal = gate_sessions.rates(model, rng, size.null, 0.0)
    five = gate_sessions.rates(model, rng, size.slowed, 0.05)
    twenty = gate_sessions.rates(model, rng, size.slowed, 0.2)["regressed"]
    at_margin = gate_sessions.rates(model, rng, size.slowed, gate_sessions.MARGIN)["pass"]
    return {
        "false, margin 0": percent(bare, bare <= FALSE_TARGET, 2),
        "false, margin 3 %": percent(equal["regressed"], equal["regressed"] <= FALSE_TARGET, 2),
        "equal: PASS": percent(equal["pass"]),
        "+3 %: PASS": percent(at_margin, at_margin <= FALSE_TARGET, 2),
        "+5 % by 10 blocks": percent(five["at the first look"]),
        "+5 % by 20 blocks": percent(five["regressed"], five["regressed"] >= POWER_5),
        "+20 %": percent(twenty, twenty >= POWER_20, 2),
    }


def statistic(task: Task, size: Size) -> Row:
    """The statistics side by side: false alarms, +5 % found by 10 and by 20 blocks."""
    found = candidates.compared(MODELS[task.row], _rng(task), size.null)
    return {
        name: f"{percent(false, false <= FALSE_TARGET, 2)} / {percent(early, digits=0)} / "
        f"{percent(late, digits=0)}"
        for name, (false, early, late) in found.items()
    }


def family(task: Task, size: Size) -> Row:
    """Families of pairs, before and after calibration by 99 A/A sessions."""
    pairs, _, name = task.row.partition(" x ")
    found = calibrated.family_rates(
        MODELS[name], _rng(task), int(pairs), size.family, size.calibrations
    )
    return {
        column: percent(
            share, "false" not in column or "worst" in column or share <= FALSE_TARGET, 2
        )
        for column, share in found.items()
    }


def intervals(task: Task, size: Size) -> Row:
    """Coverage of the intervals across runs and of paired ratios."""
    rng, model = _rng(task), MODELS[task.row]
    found = {
        f"across_runs, {runs} runs, {cases} cases": coverage.of_runs(
            model, rng, size.intervals, runs, cases
        )
        for cases in (2, 8)
        for runs in (5, 10, 20)
    }
    found |= coverage.of_ratios(model, rng, size.intervals)
    return {name: _covered(share) for name, share in found.items()}


def tail(task: Task, size: Size) -> Row:
    """Coverage of p99 across runs, ours and the usual one."""
    processes, _, kind = task.row.partition("; ")
    rng, row = _rng(task), {}
    for design in ((5, 200), (10, 200), (10, 1000)):
        ours, pooled = coverage.of_tail(processes, kind, rng, size.tails, design)
        row[f"{design[0]} runs of {design[1]}"] = _covered(ours)
        row[f"pooled and bootstrapped, {design[0]} of {design[1]}"] = percent(pooled)
    return row


def one_run(task: Task, size: Size) -> Row:
    """Coverage of a run's own interval of its median."""
    return {
        f"{length} calls": _covered(
            coverage.of_one_run(task.row, _rng(task), size.intervals, length)
        )
        for length in (50, 200, 1000)
    }


def _covered(share: float) -> str:
    return percent(share, COVERAGE[0] <= round(share, 3) <= COVERAGE[1])


CAPTIONS = {
    "The statistic of a decision": (
        "False REGRESSED without a margin / +5 % found at the first look (10 blocks) / +5 % found "
        "in both looks (20 blocks), in per cent of {null} sessions of one pair at alpha 1 %. "
        "Target: at most 1.5 % false; as much found as possible."
    ),
    "One pair through the gate": (
        "Per cent of sessions, alpha 1 % over two looks, the second only where the first is open. "
        "False REGRESSED over {null} equal sessions each (target: at most 1.5), without a margin "
        "and with one of 3 %; how many of those PASS; a candidate exactly at the margin that "
        "passes (target: at most 1.5); slower candidates that are found, over {slowed} sessions "
        "each (targets: 95 for +5 %, all for +20 %)."
    ),
    "Families of pairs": (
        "Per cent of {family} sessions in which any pair is REGRESSED although all are equal "
        "(target: at most 1.5), and in which one slower by 5 % is found; uncalibrated (Bonferroni) "
        "and with a limit set by 99 A/A sessions, over {calibrations} such calibrations. "
        "Calibration holds its rate on average over calibrations; an unlucky one in twenty has at "
        'least the rate under "at worst".'
    ),
    "Coverage across runs and of ratios": (
        "How often a printed 95 % interval holds the truth, in per cent of {intervals} sessions "
        "(target: 93 to 97). The truth of `across_runs` is the typical run."
    ),
    "Coverage of p99 across runs": (
        "Noise of processes; noise of calls within them. Per cent of {tails} cases (target: 93 to "
        "97): `across_processes` for the typical run's p99, and beside it the pooled p99 with "
        "whole runs bootstrapped, which is not used."
    ),
    "Coverage of one run's median": (
        "`within_run`, where it gives an interval; per cent of {intervals} runs (target: 93 to 97)."
    ),
}

TASKS = [
    *(Task("The statistic of a decision", name, statistic) for name in MODELS),
    *(Task("One pair through the gate", name, gate) for name in MODELS),
    *(
        Task("Families of pairs", f"{pairs} x {name}", family)
        for name in OFTEN
        for pairs in (1, 2, 8)
    ),
    *(Task("Coverage across runs and of ratios", name, intervals) for name in MODELS),
    *(
        Task("Coverage of p99 across runs", f"{processes}; {kind}", tail)
        for processes in coverage.PROCESSES
        for kind in coverage.TAILS
    ),
    *(Task("Coverage of one run's median", kind, one_run) for kind in coverage.CALLS),
]

if __name__ == "__main__":
    main()
