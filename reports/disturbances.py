"""What disturbed the runs of a session, how often, and what helps."""

from __future__ import annotations

import collections
from collections.abc import Sequence

import msgspec

from harness.stats.limits import Flag
from reports.figures import DASH, percent
from reports.grid import Badge, Cell, Grid, Group, Header, Row
from reports.names import joined
from reports.session import SessionView
from results import measured
from results.clean import Flags, flags_by_run, is_clean

NOISY_SHARE = 0.2
_SEVERITIES = ("invalid", "flag", "note")


class Disturbances(msgspec.Struct, frozen=True, kw_only=True):
    """The flags of a session by signal, the worst of each first.

    `runs` counts those that succeeded, `rejected` those of them during which the machine was not
    the same one; `repeated` tells how often each planned block was run again, at least in part.
    `read` is false where the session holds no reading of the host at all.
    """

    runs: int
    rejected: int
    read: bool
    signals: dict[str, tuple[Flag, ...]]
    repeated: dict[int, int]

    @property
    def share(self) -> float:
        """Return the share of runs that do not count, 0 to 1."""
        return self.rejected / self.runs if self.runs else 0.0


def disturbances(view: SessionView) -> Disturbances:
    """Return what disturbed the runs of a session, anchors included."""
    good = [run for run in view.runs if run.status == "ok"]
    flags = flags_by_run(good)
    tries: dict[int, set[int]] = collections.defaultdict(set)
    for run in view.runs:
        number = measured.whole(run.result, "repeats")
        if number is not None:
            tries[number].add(run.block)
    return Disturbances(
        runs=len(good),
        rejected=sum(not is_clean(run, flags) for run in good),
        read=any(measured.section(run.result, "host") for run in good),
        signals=_by_signal(flags),
        repeated={number: len(tries[number]) for number in sorted(tries)},
    )


def _by_signal(flags: Flags) -> dict[str, tuple[Flag, ...]]:
    """Return the flags of each signal, the worst first; signals in the order of their harm."""
    found: dict[str, list[Flag]] = collections.defaultdict(list)
    for of_run in flags.values():
        for flag in of_run:
            found[flag.signal].append(flag)
    for same in found.values():
        same.sort(key=lambda flag: (_SEVERITIES.index(flag.severity), -abs(flag.value)))
    order = sorted(found, key=lambda name: [-count for count in _counts(found[name])])
    return {name: tuple(found[name]) for name in order}


def _counts(flags: Sequence[Flag]) -> tuple[int, ...]:
    """Return how many runs a signal made invalid, flagged and noted."""
    return tuple(sum(flag.severity == word for flag in flags) for word in _SEVERITIES)


def banner(found: Disturbances) -> str | None:
    """Return the warning that a session deserves in which too many runs were disturbed."""
    if found.share <= NOISY_SHARE:
        return None
    worst = joined([name for name, flags in found.signals.items() if _counts(flags)[0]][:3])
    return (
        f"The machine was noisy: {found.rejected} of {found.runs} runs ({percent(found.share)})"
        f" were disturbed, most of all by {worst}. Measure again when it is quiet."
    )


def sentences(found: Disturbances) -> tuple[str, ...]:
    """Return how many runs do not count, and which blocks were run again."""
    if not found.read:
        return ("No run of this session tells what else the machine did.",)
    said = [_of_runs(found)]
    if found.repeated:
        blocks = [
            f"{number + 1}" + (f" ({times} times)" if times > 1 else "")
            for number, times in found.repeated.items()
        ]
        what = "Blocks" if len(blocks) > 1 else "Block"
        verb = "were" if len(blocks) > 1 else "was"
        said.append(f"{what} {joined(blocks)} {verb} repeated, at least in part.")
    return tuple(said)


def _of_runs(found: Disturbances) -> str:
    """Return how many runs were disturbed, and what that means for the figures."""
    if not found.rejected:
        return f"None of {found.runs} runs was disturbed so much that it does not count."
    return (
        f"{found.rejected} of {found.runs} runs ({percent(found.share)}) were disturbed so much"
        " that they do not count where five others remain; every one of them is kept."
    )


def lines(found: Disturbances) -> tuple[str, ...]:
    """Return the disturbances for a terminal: one line per signal, then the sentences."""
    told = []
    for name, flags in found.signals.items():
        counts = zip(_counts(flags), ("invalid", "flagged", "noted"), strict=True)
        shown = ", ".join(f"{count} {word}" for count, word in counts if count)
        advice = f": {flags[0].advice}" if flags[0].advice else ""
        told.append(f"{name}: {shown}; {flags[0].text}{advice}")
    return (*told, *sentences(found))


def grid(found: Disturbances) -> tuple[Grid, ...]:
    """Return the table of signals; nothing where no run was flagged."""
    if not found.signals:
        return ()
    return (
        Grid(
            id="disturbances-table",
            caption="Signals, the most harmful first",
            headers=(
                Header(text="Signal", figures=False),
                Header(text="Invalid", unit="runs"),
                Header(text="Flagged", unit="runs"),
                Header(text="Noted", unit="runs"),
                Header(text="Worst of them", figures=False),
                Header(text="What helps", figures=False),
            ),
            groups=(Group(head="", rows=tuple(_row(*one) for one in found.signals.items())),),
        ),
    )


def _row(name: str, flags: Sequence[Flag]) -> Row:
    """Return one signal: its counts, its worst case and the advice."""
    invalid, flagged, noted = _counts(flags)
    badges = (Badge(text="invalid", tone="bad"),) if invalid else ()
    return Row(
        head=name,
        cells=(
            Cell(text=str(invalid or DASH), badges=badges),
            Cell(text=str(flagged or DASH)),
            Cell(text=str(noted or DASH)),
            Cell(text=flags[0].text),
            Cell(text=flags[0].advice or DASH),
        ),
    )
