"""What disturbs process runs, one model per kind: logarithms of a session's runs, in order.

Each model takes (generator, sessions, runs) and returns an array of that shape. A run's true time
is multiplied by the exponential of its value. `sd` is the spread between process runs: 1.7 % was
seen on a shared two-core machine, where single runs are off by 10-50 %.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Logs = NDArray[np.float64]
Model = Callable[[np.random.Generator, int, int], Logs]


def normal(sd: float) -> Model:
    """Independent normal runs."""
    return lambda rng, sessions, runs: rng.normal(0, sd, (sessions, runs))


def student(sd: float, df: float) -> Model:
    """Independent heavy-tailed runs: Student's t, scaled to the spread `sd`."""
    scale = sd / np.sqrt(df / (df - 2))
    return lambda rng, sessions, runs: scale * rng.standard_t(df, (sessions, runs))


def skewed(scale: float) -> Model:
    """Delays only: a log-normal delay is added to a fixed time (skewness 6)."""
    return lambda rng, sessions, runs: np.log1p(scale * rng.lognormal(0, 1, (sessions, runs)))


def bimodal(gap: float, sd: float) -> Model:
    """Each process falls into one of two modes `gap` apart, such as a layout in memory."""
    return lambda rng, sessions, runs: (
        gap * rng.integers(0, 2, (sessions, runs)) + rng.normal(0, sd, (sessions, runs))
    )


def autoregressive(sd: float, rho: float) -> Model:
    """Successive runs resemble each other: AR(1) with the stationary spread `sd`."""

    def draw(rng: np.random.Generator, sessions: int, runs: int) -> Logs:
        fresh = rng.normal(0, sd, (sessions, runs))
        logs = np.empty_like(fresh)
        logs[:, 0] = fresh[:, 0]
        for run in range(1, runs):
            logs[:, run] = rho * logs[:, run - 1] + np.sqrt(1 - rho**2) * fresh[:, run]
        return logs

    return draw


def drift(share: float) -> Model:
    """The machine slows down by `share` from a session's first run to its last."""
    return lambda _, sessions, runs: np.tile(np.linspace(0, share, runs), (sessions, 1))


def contaminated(share: float, low: float, high: float) -> Model:
    """A `share` of the runs, here and there, is slower by `low` to `high`."""
    return lambda rng, sessions, runs: np.log1p(
        (rng.random((sessions, runs)) < share) * rng.uniform(low, high, (sessions, runs))
    )


def throttled(share: float, length: float, low: float, high: float) -> Model:
    """Episodes: stretches of successive runs, `length` on average, slower by `low` to `high`.

    A stretch ends after each run with probability 1 / length and begins so often that a `share` of
    all runs is slow. Each stretch has one level.
    """
    ends = 1 / length
    begins = ends * share / (1 - share)

    def draw(rng: np.random.Generator, sessions: int, runs: int) -> Logs:
        logs = np.zeros((sessions, runs))
        slow = rng.random(sessions) < share
        level = rng.uniform(low, high, sessions)
        for run in range(runs):
            logs[:, run] = np.log1p(np.where(slow, level, 0.0))
            chance = rng.random(sessions)
            starting = ~slow & (chance < begins)
            level = np.where(starting, rng.uniform(low, high, sessions), level)
            slow = np.where(slow, chance >= ends, starting)
        return logs

    return draw


def together(*models: Model) -> Model:
    """All of them at once: slow-downs multiply, so logarithms add."""
    return lambda rng, sessions, runs: sum(
        (model(rng, sessions, runs) for model in models), np.zeros((sessions, runs))
    )


MODELS: dict[str, Model] = {
    "normal, sd 1 %": normal(0.01),
    "normal, sd 3 %": normal(0.03),
    "normal, sd 5 %": normal(0.05),
    "drift 3 %, sd 2 %": together(drift(0.03), normal(0.02)),
    "AR(0.6), sd 3 %": autoregressive(0.03, 0.6),
    "throttling 10 %, sd 2 %": together(throttled(0.1, 4, 0.1, 0.3), normal(0.02)),
    "two modes 3 % apart, sd 1 %": bimodal(0.03, 0.01),
    "Student t(3), sd 3 %": student(0.03, 3),
    "log-normal delays, median 3 %": skewed(0.03),
    "contamination 5 %, sd 2 %": together(contaminated(0.05, 0.1, 0.5), normal(0.02)),
    "drift, AR(0.6), throttling, sd 2 %": together(
        drift(0.03), autoregressive(0.02, 0.6), throttled(0.1, 4, 0.1, 0.3)
    ),
}

# Where a family is played, which takes long: quiet, usual, and everything at once.
OFTEN = ("normal, sd 1 %", "contamination 5 %, sd 2 %", "drift, AR(0.6), throttling, sd 2 %")
