"""Families of pairs: how often any of them alarms, by Bonferroni and by 99 A/A sessions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.stats.calibration import by_rank

from .gate_sessions import ALPHA, Played, log_ratios, play
from .noise_models import Model

NULL_SESSIONS = 99


def family_rates(
    model: Model, rng: np.random.Generator, pairs: int, sessions: int, calibrations: int
) -> dict[str, float]:
    """Return false alarms and what is found of +5 % in one pair, before and after calibration.

    Each calibration draws 99 A/A sessions and sets the limit by rank; the rates are those of the
    other A/A sessions and of the slowed ones. "at worst" is the 95th percentile over calibrations.
    """
    equal = [play(ratios) for ratios in log_ratios(model, rng, sessions, pairs)]
    slowed = [play(ratios) for ratios in log_ratios(model, rng, sessions // 2, pairs, 0.05)]
    alone = ALPHA / 2 / pairs
    false, found = [], []
    for _ in range(calibrations):
        chosen = set(rng.choice(sessions, NULL_SESSIONS, replace=False).tolist())
        limit = by_rank([equal[index].smallest for index in chosen], ALPHA).p
        assert limit is not None
        false.append(_share([s for i, s in enumerate(equal) if i not in chosen], limit))
        found.append(_share(slowed, limit))
    return {
        "uncalibrated: false": _share(equal, alone),
        "uncalibrated: +5 %": _share(slowed, alone),
        "calibrated: false": float(np.mean(false)),
        "calibrated: false, at worst": float(np.quantile(false, 0.95)),
        "calibrated: +5 %": float(np.mean(found)),
    }


def _share(played: Sequence[Played], limit: float) -> float:
    """Return the share of sessions that alarm at the limit."""
    return sum(session.alarms(limit) for session in played) / len(played)
