"""How often the printed 95 % intervals hold the truth."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import signal, stats

from harness.stats.compare import paired_ratio
from harness.stats.decision import decide
from harness.stats.summary import across_runs, within_run
from harness.stats.tail import across_processes

from .gate_sessions import LOOK, log_ratios
from .noise_models import Model, bimodal, contaminated, normal, together

_TRIMMED = 0.15
_SLOWER = 0.05
_LARGE = 400_000


def _share(held: Iterable[bool]) -> float:
    """Return the share of intervals that held the truth."""
    return float(np.mean(list(held)))


def of_runs(model: Model, rng: np.random.Generator, sessions: int, runs: int, cases: int) -> float:
    """Return the coverage of `across_runs` for one of `cases` that take turns in a session.

    The truth is the typical run: the trimmed mean of the logarithms of all runs there could be.
    """
    length = runs * cases
    truth = stats.trim_mean(model(rng, max(1, _LARGE // length), length).ravel(), _TRIMMED)
    # In a mirrored order a case stands now early, now late in its block.
    turns = [
        block * cases + (place if block % 2 == 0 else cases - 1 - place)
        for place in [cases // 3]
        for block in range(runs)
    ]
    summaries = (across_runs(np.exp(one)) for one in model(rng, sessions, length)[:, turns])
    return _share(
        s.lo is not None and s.hi is not None and s.lo <= math.exp(truth) <= s.hi for s in summaries
    )


def of_ratios(model: Model, rng: np.random.Generator, sessions: int) -> dict[str, float]:
    """Return the coverage of a decision's interval and of `paired_ratio` by number of blocks."""
    ratios = log_ratios(model, rng, sessions, slower=_SLOWER)[:, 0]
    truth = math.log1p(_SLOWER)
    found = {}
    for blocks in (5, LOOK, 2 * LOOK):
        looks = (decide(one[:blocks].tolist(), 0.03, 0.005) for one in ratios)
        found[f"decision, {blocks} blocks"] = _share(
            look.lo is not None and look.hi is not None and look.lo <= truth <= look.hi
            for look in looks
        )
    pairs = (
        paired_ratio(dict.fromkeys(range(LOOK), 1.0), dict(enumerate(np.exp(one[:LOOK]).tolist())))
        for one in ratios
    )
    found[f"paired_ratio, {LOOK} blocks"] = _share(
        pair.lo is not None and pair.hi is not None and pair.lo <= 1 + _SLOWER <= pair.hi
        for pair in pairs
    )
    return found


PROCESSES: dict[str, Model] = {
    "normal, sd 2 %": normal(0.02),
    "two modes 3 % apart, sd 1 %": bimodal(0.03, 0.01),
    "contamination 5 %, sd 2 %": together(contaminated(0.05, 0.1, 0.5), normal(0.02)),
}


def alike(rng: np.random.Generator, shape: tuple[int, int], rho: float) -> NDArray[np.float64]:
    """Return rows of standard normal values whose neighbours correlate by `rho`."""
    fresh = rng.normal(size=(shape[0], shape[1] + 100))
    scaled = math.sqrt(1 - rho**2) * fresh
    return np.asarray(signal.lfilter([1], [1, -rho], scaled, axis=1)[:, 100:])


def calls(kind: str, rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return the logarithms of each row's calls, disturbed in the way that `kind` names."""
    if kind == "normal, 5 %":
        return 0.05 * alike(rng, shape, 0.0)
    if kind == "AR(0.6), 5 %":
        return 0.05 * alike(rng, shape, 0.6)
    if kind == "log-normal delays":
        return np.log1p(0.05 * np.exp(alike(rng, shape, 0.0)))
    if kind == "two modes 10 % apart":
        return 0.1 * rng.integers(0, 2, shape) + 0.02 * alike(rng, shape, 0.0)
    if kind == "spikes":
        rate = 0.02 * rng.gamma(2, 0.5, (shape[0], 1))
        spikes = (rng.random(shape) < rate) * rng.uniform(0.1, 1, shape)
        return 0.02 * alike(rng, shape, 0.0) + np.log1p(spikes)
    raise ValueError(f"no kind of calls is called {kind!r}")


TAILS = ("normal, 5 %", "AR(0.6), 5 %", "log-normal delays", "spikes")
CALLS = ("normal, 5 %", "AR(0.6), 5 %", "log-normal delays", "two modes 10 % apart")


def of_tail(
    processes: str, kind: str, rng: np.random.Generator, sessions: int, design: tuple[int, int]
) -> tuple[float, float]:
    """Return the coverage of p99 by `across_processes`, and by bootstrapping runs and pooling.

    `design` is (runs, calls per run). The truths are the typical run's p99, and the p99 of all
    calls of all runs.
    """
    runs, length = design
    process = PROCESSES[processes]
    levels = process(rng, 2000, 1)
    many = [levels[part] + calls(kind, rng, (len(part), 4000)) for part in _parts(2000, 50)]
    typical = stats.trim_mean(
        np.concatenate([np.quantile(p, 0.99, axis=1) for p in many]), _TRIMMED
    )
    overall = np.quantile(np.concatenate(many), 0.99)
    ours, pooled = [], []
    for _ in range(sessions):
        logs = process(rng, runs, 1) + calls(kind, rng, (runs, length))
        found = across_processes(np.exp(logs).tolist(), 0.99)
        assert found.lo is not None and found.hi is not None
        ours.append(found.lo <= math.exp(typical) <= found.hi)
        low, high = _bootstrapped(logs, rng)
        pooled.append(low <= float(overall) <= high)
    return _share(ours), _share(pooled)


def _parts(count: int, size: int) -> list[NDArray[np.int64]]:
    return np.array_split(np.arange(count), count // size)


def _bootstrapped(logs: NDArray[np.float64], rng: np.random.Generator) -> tuple[float, float]:
    """Return the percentile interval of the pooled p99 when whole runs are drawn again."""
    runs, length = logs.shape
    ordered = np.argsort(logs, axis=None)
    # Only the slowest calls can become the 99th percentile of any redrawn pool.
    top = ordered[::-1][: max(50, runs * length // 5)]
    weights = rng.multinomial(runs, np.full(runs, 1 / runs), 200)
    above = np.cumsum(weights[:, top // length], axis=1)
    rank = runs * length - math.ceil(round(0.99 * runs * length, 9)) + 1
    found = logs.ravel()[top[np.minimum((above < rank).sum(axis=1), len(top) - 1)]]
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def of_one_run(kind: str, rng: np.random.Generator, runs: int, length: int) -> float:
    """Return the coverage of the median by `within_run`, where it gives an interval."""
    truth = math.exp(np.median(calls(kind, rng, (2000, 1000))))
    summaries = (within_run(one.tolist()) for one in np.exp(calls(kind, rng, (runs, length))))
    return _share(s.lo <= truth <= s.hi for s in summaries if s.lo is not None and s.hi is not None)
