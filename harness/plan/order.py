"""The order of runs: blocks of one run per case, arranged so that drift reaches all cases alike.

Nothing here depends on anything but its arguments: the same keys and seed give the same order on
any machine.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence


def blocks(repeats: Mapping[str, int], seed: int) -> tuple[tuple[str, ...], ...]:
    """Return the blocks, rotations of one random permutation; a key stands in the first ones.

    `repeats` says in how many. A rotation puts every case at another place of the block, so that a
    slow drift of the machine does not charge whoever always comes last (the cyclic Latin square of
    nanobench's `compare`).
    """
    order = _shuffled(repeats, random.Random(seed))
    count = max(repeats.values(), default=0)
    step = max(1, round(len(order) / count)) if count else 1
    result = []
    for block in range(count):
        cut = block * step % len(order)
        rotated = order[cut:] + order[:cut]
        result.append(tuple(key for key in rotated if repeats[key] > block))
    return tuple(result)


def mirrored(keys: Sequence[str], count: int, seed: int) -> tuple[tuple[str, ...], ...]:
    """Return `count` blocks in twos: a random permutation, then the same one backwards.

    For two sides this is ABBA or BAAB by chance: over two blocks each side comes first as often as
    the other, so neither a linear drift nor what a run leaves behind for its successor is charged
    to one of them.
    """
    result: list[tuple[str, ...]] = []
    for twin in range((count + 1) // 2):
        order = _shuffled(keys, random.Random(f"{seed}-{twin}"))
        result += [tuple(order), tuple(reversed(order))]
    return tuple(result[:count])


def unplanned(keys: Sequence[str], seed: int, number: int) -> tuple[str, ...]:
    """Return the order of block `number`, which no plan foresaw: a permutation of its own."""
    return tuple(_shuffled(keys, random.Random(f"{seed}-unplanned-{number}")))


def _shuffled(keys: Mapping[str, int] | Sequence[str], source: random.Random) -> list[str]:
    order = sorted(keys)
    source.shuffle(order)
    return order
