"""What a campaign of faults gives: one row of the table in docs/durability.md per kind of fault."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

Scope = Literal["full", "reduced"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one case cost. `broken` are sentences about other promises that were not kept.

    `lost` counts runs that were acknowledged and are not there any more, `duplicated` those that
    are there twice, `tracebacks` the processes that ended with one.
    """

    lost: int = 0
    duplicated: int = 0
    tracebacks: int = 0
    broken: tuple[str, ...] = ()


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table: the cases of one kind of fault added up.

    A fault that cannot be made on this machine has no cases, and `note` says what is missing.
    """

    fault: str
    cases: int
    lost: int = 0
    duplicated: int = 0
    tracebacks: int = 0
    broken: tuple[str, ...] = ()
    note: str = ""

    @property
    def holds(self) -> bool:
        """Tell whether nothing was lost, doubled or promised in vain."""
        return not (self.lost or self.duplicated or self.tracebacks or self.broken)


class Campaign(msgspec.Struct, frozen=True):
    """A named set of faults; `play` carries it out at a scope: minutes in full, seconds reduced."""

    name: str
    play: Callable[[Scope], list[Row]]


def added(fault: str, findings: Iterable[Finding], note: str = "") -> Row:
    """Return the row of all cases of one fault."""
    found = list(findings)
    return Row(
        fault=fault,
        cases=len(found),
        lost=sum(one.lost for one in found),
        duplicated=sum(one.duplicated for one in found),
        tracebacks=sum(one.tracebacks for one in found),
        broken=tuple(sentence for one in found for sentence in one.broken),
        note=note,
    )


def not_here(fault: str, missing: str) -> Row:
    """Return the row of a fault that this machine has no means for."""
    return Row(fault=fault, cases=0, note=f"not tried here: {missing}")
