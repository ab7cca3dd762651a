"""Whole gate sessions, played: the order of runs, the noise on them, two looks, one answer.

Orders come from `harness.plan.order` and decisions from `harness.stats.decision`; only the clock is
simulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.plan import order
from harness.stats.decision import Decision, decide

from .noise_models import Model

LOOK = 10
ALPHA = 0.01
MARGIN = 0.03
_ORDERS = 100

Ratios = NDArray[np.float64]


def positions(pairs: int, seed: int) -> NDArray[np.int64]:
    """Return where base and candidate of each pair stand in the session: (pairs, blocks, 2)."""
    keys = [f"{side}-{pair}" for pair in range(pairs) for side in ("base", "candidate")]
    blocks = order.mirrored(keys, 2 * LOOK, seed)
    places = [{key: place for place, key in enumerate(block)} for block in blocks]
    return np.array(
        [
            [
                [block * len(keys) + place[f"{side}-{pair}"] for side in ("base", "candidate")]
                for block, place in enumerate(places)
            ]
            for pair in range(pairs)
        ]
    )


def log_ratios(
    model: Model, rng: np.random.Generator, sessions: int, pairs: int = 1, slower: float = 0.0
) -> Ratios:
    """Return ln(candidate / base) of both looks' blocks: (sessions, pairs, blocks).

    The first pair's candidate is `slower` by that share, the others are equal to their base.
    """
    parts = []
    for part in np.array_split(np.arange(sessions), min(_ORDERS, sessions)):
        logs = model(rng, len(part), 2 * pairs * 2 * LOOK)
        where = positions(pairs, int(rng.integers(2**31)))
        parts.append(logs[:, where[:, :, 1]] - logs[:, where[:, :, 0]])
    ratios = np.concatenate(parts)
    ratios[:, 0] += np.log1p(slower)
    return ratios


class Played(NamedTuple):
    """What a session's looks came to: the smallest p that may alarm, and whether all passed."""

    first: float
    first_passes: bool
    second: float
    second_passes: bool

    def alarms(self, p_limit: float) -> bool:
        """Tell whether the gate says REGRESSED; the second look is taken only where it may."""
        if self.first <= p_limit:
            return True
        return not self.first_passes and self.second <= p_limit

    def passes(self, p_limit: float) -> bool:
        """Tell whether the gate says PASS."""
        if self.alarms(p_limit):
            return False
        return self.first_passes or self.second_passes

    @property
    def smallest(self) -> float:
        """Return what the session tells a calibration: both looks count in any case."""
        return min(self.first, self.second)


def play(ratios: Ratios, margin: float = MARGIN) -> Played:
    """Decide one session's pairs at both looks, each at half of alpha."""
    first = [decide(pair[:LOOK], margin, ALPHA / 2) for pair in ratios.tolist()]
    second = [decide(pair, margin, ALPHA / 2) for pair in ratios.tolist()]
    return Played(*_smallest(first), *_smallest(second))


def _smallest(decisions: Sequence[Decision]) -> tuple[float, bool]:
    passes = all(decision.outcome == "pass" for decision in decisions)
    return min(decision.p_alarm for decision in decisions), passes


def rates(
    model: Model, rng: np.random.Generator, sessions: int, slower: float, margin: float = MARGIN
) -> dict[str, float]:
    """Return the shares of sessions of one pair that are REGRESSED, after one look and in all."""
    played = [play(ratios, margin) for ratios in log_ratios(model, rng, sessions, 1, slower)]
    limit = ALPHA / 2
    return {
        "at the first look": sum(one.first <= limit for one in played) / sessions,
        "regressed": sum(one.alarms(limit) for one in played) / sessions,
        "pass": sum(one.passes(limit) for one in played) / sessions,
    }
