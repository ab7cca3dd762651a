"""One whole comparison: what was measured, on what; kept as JSON so that it can be drawn again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from .eight import Eight
from .identity import Identity, identify
from .launch import start
from .records import Bench, Peer, Start


class Gate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many A/A sessions of `boardmark gate` said REGRESSED, on which machine and day."""

    sessions: int
    regressed: int
    machine: str
    day: str


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """All starts of all rounds, and what they need to be understood."""

    identity: Identity
    rounds: int
    threads: int
    seconds: float
    wall_s: float
    starts: tuple[Start, ...]
    eight: Eight | None = None
    gate: Gate | None = None

    @property
    def started(self) -> set[str]:
        """Return the names of the tools that were started."""
        return {start.tool for start in self.starts}


def carry_out(
    peers: Sequence[Peer],
    bench: Bench,
    rounds: int,
    folder: Path,
    say: Callable[[str], None],
) -> Campaign:
    """Start every peer once a round, in an order that moves on by one from round to round."""
    began = time.monotonic()
    who = identify(bench.peers_python)
    starts = []
    for number in range(rounds):
        turn = number % len(peers) if peers else 0
        for place, peer in enumerate((*peers[turn:], *peers[:turn])):
            found = start(peer, bench, number, folder / f"round-{number}" / str(place))
            starts.append(found)
            say(_line(found, rounds))
    return Campaign(
        identity=who,
        rounds=rounds,
        threads=bench.threads,
        seconds=bench.seconds,
        wall_s=time.monotonic() - began,
        starts=tuple(starts),
    )


def _line(found: Start, rounds: int) -> str:
    what = f"{1e3 * found.reading.median_s:.2f} ms" if found.reading else found.reason
    return f"round {found.round + 1}/{rounds}  {found.wall_s:5.1f} s  {found.tool}: {what}"
