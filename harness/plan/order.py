"""The order of runs: blocks of one run per case, each a rotation of one random permutation.

A rotation puts every case at another place of the block, so that a slow drift of the machine
reaches all of them alike instead of charging whoever always comes last (the cyclic Latin square of
nanobench's `compare`).
"""

from __future__ import annotations

import random
from collections.abc import Mapping


def blocks(repeats: Mapping[str, int], seed: int) -> tuple[tuple[str, ...], ...]:
    """Return the blocks; a key stands in as many of them as `repeats` says, the first ones.

    The same keys and seed give the same order, on any machine.
    """
    source = random.Random(seed)
    order = sorted(repeats)
    source.shuffle(order)
    count = max(repeats.values(), default=0)
    step = max(1, round(len(order) / count)) if count else 1
    result = []
    for block in range(count):
        cut = block * step % len(order)
        rotated = order[cut:] + order[:cut]
        result.append(tuple(key for key in rotated if repeats[key] > block))
    return tuple(result)
