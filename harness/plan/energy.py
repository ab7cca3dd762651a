"""How long power is measured, and in which runs: as long as the source needs to tell anything."""

from __future__ import annotations

import msgspec

from devices.lab import PASS_S, Meter
from harness.plan.pace import Effort
from harness.stats.readings import number, section
from harness.types import Json

# Ten samples of a rail that is read ten times a second, and some for its edges.
_USUAL_S = 1.5
# A pass that is longer than this is made once per case: five would be most of a session.
_LONG_S = 5.0

# What is left of a time budget for power: the samples come first.
_BUDGET_SHARE = 0.5


class Passes(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of work and of rest before it in one pass, and how many blocks have one.

    `blocks` is None where every block has a pass. `reason` says why power is left out, which is
    then not asked for at all.
    """

    energy_s: float = _USUAL_S
    idle_s: float = 0.0
    blocks: int | None = None
    reason: str | None = None

    def total_s(self, cases: int, blocks: int) -> float:
        """Return the seconds that the passes of a session take."""
        made = blocks if self.blocks is None else min(blocks, self.blocks)
        return (self.energy_s + self.idle_s) * cases * made

    def is_in(self, known: Effort | None) -> bool:
        """Tell whether what earlier runs of a case took has its passes in it.

        A pass that is made once lies in the first run, which then took that much longer.
        """
        if known is None:
            return False
        return self.blocks is None or known.first_s >= self.energy_s + self.idle_s


def passes(identity: Json, meter: Meter | None) -> Passes:
    """Return how the power of an identified board is measured; `meter` is one that the desk reads.

    A board without either is still asked, for it says why there is none.
    """
    if meter is not None:
        energy_s, idle_s = PASS_S[meter.scope]
        return Passes(energy_s=energy_s, idle_s=idle_s, blocks=1)
    needed_s = number(identity, "power", "source", "window_s_needed")
    if needed_s is None:
        return Passes()
    energy_s = max(_USUAL_S, needed_s)
    return Passes(energy_s=energy_s, idle_s=energy_s, blocks=1 if 2 * energy_s > _LONG_S else None)


def within(power: Passes, total_s: float, budget_s: float | None) -> Passes:
    """Return `power`, or none of it where its `total_s` would take most of a session's budget."""
    if budget_s is None or total_s <= _BUDGET_SHARE * budget_s:
        return power
    return Passes(
        energy_s=0.0,
        reason=f"measuring it takes {total_s:.0f} s, more than half of --budget {budget_s:.0f}s",
    )


def was_made(result: Json) -> bool:
    """Tell whether a run made its pass for power, whatever came of it."""
    power = section(result, "power")
    return bool(power) and power.get("reason") != "not asked for"
