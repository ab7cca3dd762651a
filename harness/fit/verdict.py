"""What came of one trial: pure, from how its processes ended and what the group counted.

oom        the kernel ended one of them for memory, or an allocation was refused
thrashing  they got through, but pages of mapped files were read from the disk again and again
           while they ran (or they took more than SLOWER times as long and read some), or the
           group swapped, or they did not end in time while reading
failed     anything else than success: nothing about memory
pass       none of that
"""

from __future__ import annotations

import msgspec

from harness.stats.capacity import Word
from harness.units import show

SLOWER = 1.5
# A page that has to come from the disk in every single call: on a board's card that is its speed.
_PER_CALL = 1.0
# A slow run counts as slow for want of memory from one such page in ten calls on.
_SOME_PER_CALL = 0.1
# The first calls may fetch what was never needed before; fewer pages than that are no storm.
_FEW_PAGES = 32


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How one process ended; its calls, their major faults and median time while it was timed."""

    status: str
    reason: str | None = None
    calls: int = 0
    major_faults: int | None = None
    call_s: float | None = None


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What the group counted over the whole trial; None where this kernel does not tell.

    `loop_refaults` are the pages of files that it had given back and read again while all were in
    their loops; those that a fault reads ahead are among them.
    """

    oom_kills: int | None = None
    major_faults: int | None = None
    swap_bytes: int | None = None
    loop_refaults: int | None = None


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """One trial as it was seen: an ending per process, and what their group counted."""

    endings: tuple[Ending, ...]
    counted: Counted


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """The word, the clause behind it, and the calls' time against the trial without a limit."""

    word: Word
    why: str = ""
    slowdown: float | None = None


def judge(seen: Observed, reference: Observed | None = None) -> Judged:
    """Return the verdict on a trial; `reference` is the same trial without a limit."""
    counted = seen.counted
    bad = [one for one in seen.endings if one.status != "ok"]
    if counted.oom_kills or any(one.status == "oom" for one in bad):
        return Judged(word="oom", why=_out_of_memory(seen))
    if bad and _stuck(bad[0], counted):
        why = f"not done in time while {counted.major_faults} pages came from the disk"
        return Judged(word="thrashing", why=why)
    if bad:
        return Judged(word="failed", why=bad[0].reason or bad[0].status)
    slowdown = _slowdown(seen, reference)
    if counted.swap_bytes:
        why = f"{show(counted.swap_bytes, 'bytes')} were swapped out"
        return Judged(word="thrashing", why=why, slowdown=slowdown)
    return _steady(seen, reference, slowdown)


def _out_of_memory(seen: Observed) -> str:
    """Return who ended it: the kernel, or the process itself when it was refused memory."""
    kills = seen.counted.oom_kills
    if kills:
        who = f"{kills} of them" if len(seen.endings) > 1 else "it"
        return f"the kernel ended {who} for want of memory"
    return next(one.reason for one in seen.endings if one.status == "oom") or "no memory was left"


def _stuck(ending: Ending, counted: Counted) -> bool:
    """Tell whether a time-out is the end of a process that read the disk all the time."""
    return ending.status == "timeout" and (counted.major_faults or 0) > 1000


def _steady(seen: Observed, reference: Observed | None, slowdown: float | None) -> Judged:
    """Return the verdict on processes that all got through."""
    per_call, usual = _per_call(seen), _per_call(reference) if reference else 0.0
    stormy = _read_again(seen) >= _FEW_PAGES and per_call >= SLOWER * usual
    slow = slowdown is not None and slowdown > SLOWER
    if stormy and per_call >= _PER_CALL:
        why = f"{per_call:.0f} pages per call came from the disk again"
        return Judged(word="thrashing", why=why, slowdown=slowdown)
    if stormy and slow and per_call >= _SOME_PER_CALL:
        why = f"{per_call:.1f} pages per call came from the disk again and calls took longer"
        return Judged(word="thrashing", why=why, slowdown=slowdown)
    why = "calls took longer than without a limit, but hardly a page was read again" if slow else ""
    return Judged(word="pass", why=why, slowdown=slowdown)


def _read_again(seen: Observed) -> int:
    """Return the pages that came from the disk while the calls were timed, by either count."""
    faults = sum(one.major_faults or 0 for one in seen.endings)
    return max(faults, seen.counted.loop_refaults or 0)


def _per_call(seen: Observed) -> float:
    calls = sum(one.calls for one in seen.endings)
    return _read_again(seen) / calls if calls else 0.0


def _slowdown(seen: Observed, reference: Observed | None) -> float | None:
    """Return the worst ratio of a process's median call to its own in the reference."""
    if reference is None:
        return None
    ratios = [
        now.call_s / then.call_s
        for now, then in zip(seen.endings, reference.endings, strict=True)
        if now.call_s is not None and then.call_s
    ]
    return max(ratios, default=None)
