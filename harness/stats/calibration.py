"""A threshold that A/A sessions set by rank: it holds its rate whatever the noise looks like.

K sessions that compared equal things and a new one that does are exchangeable: each of the K + 1 is
equally likely to give the k-th smallest of their p. A p below the k-th smallest of the K is
therefore met with probability at most k / (K + 1), for any noise and any dependence between the
cases and metrics of one session. This is a Monte-Carlo test with real sessions (Barnard, JRSS B 25,
1963) and, with the smallest p of a session's whole family, the min-p method of Westfall and Young
(Resampling-Based Multiple Testing, 1993).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from harness.stats.quantiles import log_binomial

_UNLIKELY = 0.01


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """The limit of p for REGRESSED that holds the rate `alpha` for a session's whole family.

    `p` is None while fewer than `need` A/A sessions are there; `have` counts them.
    """

    p: float | None
    have: int
    need: int
    alpha: float

    @property
    def missing(self) -> int:
        """Return how many A/A sessions are still missing."""
        return max(0, self.need - self.have)


def by_rank(minima: Sequence[float], alpha: float) -> Threshold:
    """Return the threshold that the A/A sessions' smallest p set at the false-alarm rate `alpha`.

    Each of `minima` is the smallest `Decision.p_alarm` of one session over its pairs, metrics and
    looks. The k-th smallest is taken, k = floor((K + 1) alpha), lowered by one step of a float so
    that "at most" excludes it: equal values would raise the rate otherwise. It is never above
    `alpha`. K = 99 sessions are needed for 1 %, 19 for 5 %.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"an error rate lies between 0 and 1, not at {alpha}")
    if not all(0 <= p <= 1 for p in minima):
        raise ValueError("the smallest p of an A/A session lies between 0 and 1")
    have = len(minima)
    # 1 / 0.01 and 20 * 0.05 are whole numbers that floats miss by a little
    need = math.ceil(round(1 / alpha, 9)) - 1
    rank = math.floor(round((have + 1) * alpha, 9))
    if have < need or not rank:
        return Threshold(p=None, have=have, need=need, alpha=alpha)
    p = min(math.nextafter(sorted(minima)[rank - 1], -math.inf), alpha)
    return Threshold(p=p, have=have, need=need, alpha=alpha)


def alarm_limit(sessions: int, alpha: float) -> int:
    """Return how many false alarms of so many A/A sessions are still plausible at the rate `alpha`.

    The smallest k with P(X <= k) >= 99 % for X ~ Binomial(sessions, alpha): 4 of 100 at 1 %. More
    of them say that the machine has changed and wants a new calibration.
    """
    if sessions < 0 or not 0 < alpha < 1:
        raise ValueError(f"no limit for {sessions} sessions at the rate {alpha}")
    at_most = 0.0
    for k in range(sessions + 1):
        at_most += math.exp(log_binomial(k, sessions, alpha))
        if at_most >= 1 - _UNLIKELY:
            return k
    return sessions
