"""From where on a disturbance of a run is worth a word, casts doubt, or makes the run invalid.

The limits are starting points that a machine's own history of quiet runs may replace.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec

Severity = Literal["note", "flag", "invalid"]
Unit = Literal["share", "s", "count", "per_s", "c"]

_QUIET = "stop what else runs on the machine"
_COOL = "cool the board or fix its clock: boardmark doctor"
_MEMORY = "free memory or switch swap off: sudo swapoff -a"
_STOPPED = "look for what stops the process: a container's freezer, a debugger, a full disk"


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """One disturbance: `value` beyond `limit`, a sentence with both, and what helps ("" unknown).

    A *note* is worth knowing, a *flag* casts doubt, *invalid* means that the machine was not the
    same one throughout the run. The unit depends on the signal: a share of time, a relative change,
    seconds, or a count.
    """

    signal: str
    severity: Severity
    value: float
    limit: float
    text: str
    advice: str


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """From where on a signal is a note, a flag or invalid (None: never), in which words.

    `words` may name {value}, {limit} and {what}, which only the run knows.
    """

    words: str
    unit: Unit = "share"
    note: float | None = None
    flag: float | None = None
    invalid: float | None = None
    advice: str = ""


def exceeded(
    signal: str, value: float | None, slack: float = 0.0, what: str = "", advice: str = ""
) -> Flag | None:
    """Return the flag that `value` of `signal` deserves, None where it is unknown or within limits.

    `slack` is how coarsely the value is known: it has to lie by more than that beyond a limit.
    `what` goes into the sentence; `advice`, where given, replaces the table's. Signed values count
    by their size.
    """
    rule = LIMITS[signal]
    if value is None or not math.isfinite(value):
        return None
    grades: tuple[tuple[Severity, float | None], ...] = (
        ("invalid", rule.invalid),
        ("flag", rule.flag),
        ("note", rule.note),
    )
    for severity, limit in grades:
        if limit is not None and abs(value) > limit + slack:
            return Flag(
                signal=signal,
                severity=severity,
                value=value,
                limit=limit,
                text=rule.words.format(
                    value=_shown(value, rule.unit), limit=_shown(limit, rule.unit), what=what
                ),
                advice=advice or rule.advice,
            )
    return None


def _shown(value: float, unit: Unit) -> str:
    """Return the size of a value for people."""
    size = abs(value)
    if size >= 1e6:
        return f"{size:.3g}"
    if unit == "share":
        return f"{size:.1%}"
    if unit == "c":
        return f"{size:.1f} °C"
    return f"{size:.2g} s" if unit == "s" else f"{size:.0f}"


LIMITS: dict[str, Limit] = {
    "steal": Limit(
        words="the hypervisor took {value} of the cores' time, above {limit}",
        flag=0.005,
        invalid=0.02,
        advice="wait until the neighbours are quiet, or measure on the board itself",
    ),
    "foreign cpu": Limit(
        words="other processes took {value} of the cores' time, above {limit}",
        flag=0.02,
        invalid=0.10,
        advice=_QUIET,
    ),
    # a runtime with more threads than cores makes its own pressure: never more than a flag
    "cpu pressure": Limit(
        words="tasks waited for a core for {value} of the time, above {limit}",
        flag=0.05,
        advice=f"{_QUIET}, or use no more threads than cores",
    ),
    "memory pressure": Limit(
        words="tasks waited for memory for {value} of the time, above {limit}",
        invalid=0.005,
        advice="free memory: stop what else runs, or take a smaller model or batch",
    ),
    "io pressure": Limit(
        words="tasks waited for a disk for {value} of the time, above {limit}",
        invalid=0.005,
        advice="wait until the disk is quiet: updates, indexing, logs",
    ),
    "major faults": Limit(
        words="{value} pages had to be read from a disk while samples were taken",
        unit="count",
        flag=0,
        advice="free memory, so that the model's file stays in it",
    ),
    "swap": Limit(
        words="{value} pages were swapped while samples were taken",
        unit="count",
        invalid=0,
        advice=_MEMORY,
    ),
    "swap while loading": Limit(
        words="{value} pages were swapped before or after samples were taken",
        unit="count",
        flag=0,
        advice=_MEMORY,
    ),
    "frequency": Limit(
        words="the clock ran {value} below its limit on average, beyond {limit}",
        flag=0.01,
        advice="fix the clock: boardmark doctor",
    ),
    "frequency drift": Limit(
        words="the clock ran {value} below that of the case's fast runs, beyond {limit}",
        flag=0.01,
        invalid=0.05,
        advice=_COOL,
    ),
    "throttled": Limit(words="{what}", unit="count", flag=0, advice=_COOL),
    "hot start": Limit(
        words="the run began {value} warmer than was asked, {what}",
        unit="c",
        flag=0,
        advice="give the board a fan, or the session more time between runs",
    ),
    "cpu quota": Limit(
        words="the container's CPU quota ran out in {value} periods",
        unit="count",
        flag=0,
        advice="raise the container's CPU limit or use fewer threads",
    ),
    "sentinel": Limit(
        words="a fixed loop took {value} longer after the run than before it, beyond {limit}",
        flag=0.02,
        invalid=0.05,
        advice=f"{_QUIET} and fix the clock: boardmark doctor",
    ),
    # never more than a flag: a clock that follows the load is low before a run and rises with it,
    # and the run's own warm-up and test for steadiness lie between
    "sentinel faster": Limit(
        words="a fixed loop took {value} less after the run than before it, beyond {limit}",
        flag=0.02,
        advice=f"{_QUIET} and fix the clock: boardmark doctor",
    ),
    # two clocks are read one after the other: some µs between them are no suspend
    "suspend": Limit(
        words="the machine was suspended for {value}",
        unit="s",
        invalid=0.01,
        advice="keep the machine awake: systemd-inhibit",
    ),
    "pause": Limit(
        words="the process stood still for about {value}, {what}",
        unit="s",
        invalid=0.1,
        advice=_STOPPED,
    ),
    "long call": Limit(
        words="the longest call took {value}, {what}",
        unit="s",
        flag=0.1,
        advice=_STOPPED,
    ),
    "clock step": Limit(
        words="the wall clock was set by {value}: durations do not depend on it",
        unit="s",
        note=0.1,
    ),
    "involuntary switches": Limit(
        words="the process was interrupted {what}, more than {limit} times as often as usual",
        unit="count",
        flag=3,
        advice=_QUIET,
    ),
}
