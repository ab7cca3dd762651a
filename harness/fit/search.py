"""Which limit to try next, and how many processes at once: pure bisection.

A trial costs seconds and what is sought is known to a few per cent anyway, so a search ends at
TOLERANCE of the smallest limit that passes, or after MOST trials.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from harness.stats.capacity import Trial, bracket

TOLERANCE = 0.03
MOST = 7
# Limits are whole mebibytes: pages, and what the kernel charges in batches, are below that.
STEP_BYTES = 2**20


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Where the smallest limit lies: above `low_bytes`, and `high_bytes` was seen to pass.

    `guess_bytes` is tried first: the most that was used where there was no limit.
    """

    low_bytes: int
    high_bytes: int
    guess_bytes: int


def next_limit(bounds: Bounds, trials: Iterable[Trial]) -> int | None:
    """Return the bytes to try next, None when the search is over."""
    tried = tuple(trials)
    if len(tried) >= MOST:
        return None
    found = bracket(tried)
    high = found.passing.limit_bytes if found.passing else bounds.high_bytes
    low = found.failing.limit_bytes if found.failing else bounds.low_bytes
    taken = {trial.limit_bytes for trial in tried}
    guess = _whole(bounds.guess_bytes)
    if low < guess < high and guess not in taken:
        return guess
    if high - low <= max(STEP_BYTES, TOLERANCE * high):
        # What stopped it below was not seen yet: it is looked at once.
        last = _whole(low)
        return last if found.failing is None and STEP_BYTES <= last not in taken else None
    middle = _whole((low + high) // 2)
    return middle if low < middle < high and middle not in taken else None


def next_count(most: int, passed: Mapping[int, bool]) -> int | None:
    """Return how many to run at once next, None when the largest number that passes is known.

    `passed` tells of every count tried; one alone passes, `most` is the bound that was asked for.
    """
    if most not in passed:
        return most
    low, high = at_once(passed), min((n for n, good in passed.items() if not good), default=None)
    if high is None or high - low <= 1:
        return None
    return (low + high) // 2


def at_once(passed: Mapping[int, bool]) -> int:
    """Return the largest count that passed with none below it failing; 1 where none was tried."""
    worst = min((n for n, good in passed.items() if not good), default=None)
    return max(
        (n for n, good in passed.items() if good and (worst is None or n < worst)), default=1
    )


def _whole(size_bytes: int) -> int:
    return max(1, -(-size_bytes // STEP_BYTES)) * STEP_BYTES
