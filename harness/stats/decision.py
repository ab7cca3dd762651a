"""One look at one metric of one pair: worse, within the margin, or not yet known.

The statistic is the trimmed mean of the blocks' log ratios over its standard error (see `trimmed`),
held against Student's t.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from harness.stats.student import t_quantile, t_upper_tail
from harness.stats.trimmed import Trimmed, interval, trimmed_mean

Outcome = Literal["regressed", "pass", "inconclusive"]

LEAST_BLOCKS = 5
_SHOWN = 0.95
# The logarithm of the ratio of the largest and the smallest positive float lies below this.
_MOST = 1500.0


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What the blocks say of one metric; every figure is a log ratio, positive where worse.

    `lo` and `hi` enclose the true change with 95 % probability, for show; `upper` is the one-sided
    bound at 1 - alpha that PASS is judged by. `p_worse` is the probability of blocks that speak for
    "worse" at least this clearly if nothing had changed. One block alone has none of these: None,
    and `warnings` say so.
    """

    outcome: Outcome
    estimate: float | None
    lo: float | None
    hi: float | None
    upper: float | None
    p_worse: float | None
    n: int
    warnings: tuple[str, ...] = ()

    @property
    def p_alarm(self) -> float:
        """Return what a calibration has to know: `p_worse`, or 1 where no limit could alarm."""
        if self.outcome == "pass" or self.p_worse is None or self.n < LEAST_BLOCKS:
            return 1.0
        return self.p_worse


def decide(
    log_ratios: Sequence[float], margin: float, alpha: float, p_limit: float | None = None
) -> Decision:
    """Decide by ln(candidate / base) per block, turned so that positive is worse. One look.

    PASS where the upper one-sided bound at 1 - `alpha` is at most ln(1 + `margin`), however
    significant a change within the margin is; else REGRESSED where `p_worse` is at most `p_limit`
    (`alpha` where that is None); else INCONCLUSIVE, as are all decisions by fewer than five blocks.
    Two looks are two calls, each at half of the session's alpha.
    """
    _refuse_nonsense(log_ratios, margin, alpha)
    n = len(log_ratios)
    if n < 2:
        return _by_few(log_ratios, None)
    found = trimmed_mean(log_ratios)
    upper = found.mean + t_quantile(1 - alpha, found.df) * found.error
    p_worse = _p_worse(found)
    lo, _, hi = interval(log_ratios, _SHOWN)
    outcome: Outcome = "inconclusive"
    if upper <= math.log1p(margin):
        outcome = "pass"
    elif p_worse <= (alpha if p_limit is None else p_limit):
        outcome = "regressed"
    decision = Decision(
        outcome=outcome, estimate=found.mean, lo=lo, hi=hi, upper=upper, p_worse=p_worse, n=n
    )
    return decision if n >= LEAST_BLOCKS else _by_few(log_ratios, decision)


def _p_worse(found: Trimmed) -> float:
    """Return the one-sided p; blocks that all agree leave no doubt, and equal sides are a tie."""
    if not found.error:
        return 0.5 if not found.mean else float(found.mean < 0)
    return t_upper_tail(found.mean / found.error, found.df)


def _by_few(log_ratios: Sequence[float], known: Decision | None) -> Decision:
    """Return what fewer than five blocks allow to say: never more than their figures."""
    n = len(log_ratios)
    counted = "1 block gives" if n == 1 else f"{n} blocks give"
    warning = f"{counted} no decision: it takes at least {LEAST_BLOCKS}, measure more"
    if known is not None:
        return msgspec.structs.replace(known, outcome="inconclusive", warnings=(warning,))
    return Decision(
        outcome="inconclusive",
        estimate=float(log_ratios[0]) if log_ratios else None,
        lo=None,
        hi=None,
        upper=None,
        p_worse=None,
        n=n,
        warnings=(warning,),
    )


def _refuse_nonsense(log_ratios: Sequence[float], margin: float, alpha: float) -> None:
    """Raise ValueError for what is no logarithm of a ratio, no margin or no error rate."""
    for value in log_ratios:
        if not abs(value) < _MOST:
            raise ValueError(f"{value} is no logarithm of the ratio of two positive numbers")
    if not 0 <= margin < math.inf:
        raise ValueError(f"a margin is a share of at least 0, not {margin}")
    if not 0 < alpha < 0.5:
        raise ValueError(f"an error rate lies between 0 and 0.5, not at {alpha}")
