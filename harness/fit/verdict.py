"""What came of one trial: pure, from how its processes ended and what the group counted.

oom        the kernel ended one of them for memory, or an allocation was refused
thrashing  they got through, but pages of mapped files were read from the disk again and again
           while they ran (or they took more than SLOWER times as long and read some), or the
           group swapped, or they did not end in time while reading
failed     anything else than success: nothing about memory
pass       none of that
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.stats.capacity import Word
from harness.units import show

SLOWER = 1.5
# A page that has to come from the disk in every single call: on a board's card that is its speed.
_PER_CALL = 1.0
# A slow run counts as slow for want of memory from one such page in ten calls on.
_SOME_PER_CALL = 0.1


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How one process ended; its major faults per call and the median call while it was timed."""

    status: str
    reason: str | None = None
    faults_per_call: float | None = None
    call_s: float | None = None


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What the group counted over the whole trial; None where this kernel does not tell."""

    oom_kills: int | None = None
    major_faults: int | None = None
    swap_bytes: int | None = None


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """The word, the clause behind it, and the calls' time against the trial without a limit."""

    word: Word
    why: str = ""
    slowdown: float | None = None


def judge(endings: Sequence[Ending], counted: Counted, reference: Sequence[Ending] = ()) -> Judged:
    """Return the verdict on a trial; `reference` are the same processes without a limit."""
    bad = [one for one in endings if one.status != "ok"]
    if counted.oom_kills or any(one.status == "oom" for one in bad):
        return Judged(word="oom", why=_out_of_memory(endings, counted))
    if bad and _stuck(bad[0], counted, reference):
        why = f"not done in time while {counted.major_faults} pages came from the disk"
        return Judged(word="thrashing", why=why)
    if bad:
        return Judged(word="failed", why=bad[0].reason or bad[0].status)
    slowdown = _slowdown(endings, reference)
    if counted.swap_bytes:
        why = f"{show(counted.swap_bytes, 'bytes')} were swapped out"
        return Judged(word="thrashing", why=why, slowdown=slowdown)
    return _steady(endings, reference, slowdown)


def _out_of_memory(endings: Sequence[Ending], counted: Counted) -> str:
    """Return who ended it: the kernel, or the process itself when it was refused memory."""
    if counted.oom_kills:
        many = f" {counted.oom_kills} of" if len(endings) > 1 else ""
        return f"the kernel ended{many} {'them' if many else 'it'} for want of memory"
    return next(one.reason for one in endings if one.status == "oom") or "no memory was left"


def _stuck(ending: Ending, counted: Counted, reference: Sequence[Ending]) -> bool:
    """Tell whether a time-out is the end of a process that read the disk all the time."""
    usual = sum(1 for _ in reference) or 1
    return ending.status == "timeout" and (counted.major_faults or 0) > 1000 * usual


def _steady(
    endings: Sequence[Ending], reference: Sequence[Ending], slowdown: float | None
) -> Judged:
    """Return the verdict on processes that all got through."""
    faults = _most_faults(endings)
    usual = _most_faults(reference) or 0.0
    if faults is not None and faults >= max(_PER_CALL, SLOWER * usual):
        why = f"{faults:.0f} pages per call came from the disk again"
        return Judged(word="thrashing", why=why, slowdown=slowdown)
    if slowdown is not None and slowdown > SLOWER:
        if faults is not None and faults >= max(_SOME_PER_CALL, SLOWER * usual):
            why = f"{faults:.1f} pages per call came from the disk again and calls took longer"
            return Judged(word="thrashing", why=why, slowdown=slowdown)
        why = "calls took longer than without a limit, but no page had to be read again"
        return Judged(word="pass", why=why, slowdown=slowdown)
    return Judged(word="pass", slowdown=slowdown)


def _most_faults(endings: Sequence[Ending]) -> float | None:
    return max(
        (one.faults_per_call for one in endings if one.faults_per_call is not None), default=None
    )


def _slowdown(endings: Sequence[Ending], reference: Sequence[Ending]) -> float | None:
    """Return the worst ratio of a process's median call to its own in the reference."""
    ratios = [
        now.call_s / then.call_s
        for now, then in zip(endings, reference, strict=False)
        if now.call_s is not None and then.call_s
    ]
    return max(ratios, default=None)
