"""One verdict per case: how far its figures can be believed, why not further, and what to do.

The figures of a case come from its clean runs (succeeded, and nothing in them says that the machine
was not the same one throughout), if there are LEAST_RUNS of them; else from all that succeeded.
The first that holds, in this order:

    skipped    it could not be measured, or nothing of it was measured yet
    emulated   it ran, but not on the device: nothing of it was timed
    failed     half of the runs or more failed
    unstable   some runs failed, or more than half of them reached no steady state
    throttled  half of the runs or more were held down by heat, supply or a falling clock
    noisy      disturbed runs had to be used, because too few others remain
    fallback   what ran is not what was asked for: a wider float type, most nodes elsewhere
    imprecise  fewer than LEAST_RUNS runs, or a wider interval than asked for
    valid      none of this

A minority of disturbed or throttled runs is a note with its count.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Sequence, Sized

import msgspec

from harness.stats import noise
from harness.stats.noise import Flag
from harness.stats.summary import LEAST_RUNS, Summary
from harness.types import Kind, Run, Status
from results import measured
from results.clean import Flags, is_clean
from results.row import Verdict

NOT_YET = "not measured yet: continue with boardmark run --resume"


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A case's status and verdict, the reason for anything but valid, and sentences beside it."""

    status: Status
    verdict: Verdict
    reason: str | None = None
    notes: tuple[str, ...] = ()


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What a verdict is about: all runs, those that the figures come from, flags by run_id.

    `fallback` says why what ran is not what was asked for; `precision` is the wanted relative
    half-width of the latency's interval. By its session's `kind`, a case has runs of another tool
    (import), or ran as another processor and without a clock (emulation).
    """

    runs: Sequence[Run]
    used: Sequence[Run]
    flags: Flags
    latency: Summary
    fallback: str | None
    precision: float
    kind: Kind = "run"


def judge(case: Measured) -> Judged:
    """Return the verdict on a case by the rules above."""
    if not case.runs:
        return Judged(status="skipped", verdict="skipped", reason=NOT_YET)
    bad = [run for run in case.runs if run.status != "ok"]
    broken = None
    if bad:
        worst = collections.Counter(run.status for run in bad).most_common(1)[0][0]
        cause = next((run.reason for run in bad if run.status == worst and run.reason), worst)
        if len(bad) == len(case.runs):
            return Judged(
                status=worst,
                verdict="skipped" if worst == "skipped" else "failed",
                reason=cause,
            )
        broken = f"{len(bad)} of {len(case.runs)} runs failed: {cause}"
        if 2 * len(bad) >= len(case.runs):
            return Judged(status=worst, verdict="failed", reason=broken)
    if case.kind == "emulation":
        notes = (broken, case.fallback)
        return Judged(status="ok", verdict="emulated", notes=tuple(filter(None, notes)))
    doubts: tuple[tuple[Verdict, str | None], ...] = (
        ("unstable", broken),
        ("unstable", _restless(case.used)),
        ("throttled", _throttled(case)),
        ("noisy", _noisy(case)),
        ("fallback", case.fallback),
        ("imprecise", _imprecise(case)),
    )
    held = [(verdict, reason) for verdict, reason in doubts if reason]
    if not held:
        return Judged(status="ok", verdict="valid", notes=_notes(case))
    # what the first doubt hides is still said; that an interval is wide can be seen
    others = tuple(reason for verdict, reason in held[1:] if verdict != "imprecise")
    return Judged(status="ok", verdict=held[0][0], reason=held[0][1], notes=others + _notes(case))


def _restless(used: Sequence[Run]) -> str | None:
    """Return that most runs reached no steady state; too few calls to tell is no such run."""
    never = [run for run in used if measured.section(run.result, "steady").get("reached") is False]
    if 2 * len(never) <= len(used):
        return None
    said = measured.text(never[-1].result, "steady", "reason")
    cause = f" ({said})" if said else ""
    return (
        f"{len(never)} of {len(used)} runs reached no steady state{cause}: raise the budget, or"
        " look for what changes while the model runs"
    )


def _throttled(case: Measured) -> str | None:
    """Return that half of the runs or more were throttled, with the worst evidence."""
    found = _runs_with(case, noise.throttles)
    good = sum(run.status == "ok" for run in case.runs)
    if not found or 2 * len(found) < good:
        return None
    lead = f"{len(found)} of {good} runs {_were(found)} throttled"
    return _sentence(lead, found.values(), advise=True)


def _noisy(case: Measured) -> str | None:
    """Return that the figures come from disturbed runs too, and what disturbed them."""
    if all(is_clean(run, case.flags) for run in case.used):
        return None
    found = _runs_with(case, _spoils)
    lead = f"{len(found)} of {len(case.used)} runs {_were(found)} disturbed"
    return _sentence(lead, found.values(), advise=True)


def _imprecise(case: Measured) -> str | None:
    """Return why the interval of a case cannot be relied on, or None where it can."""
    latency, runs = case.latency, len(case.used)
    if latency.center is None:
        return "; ".join(latency.warnings)
    if case.kind == "import" and runs < LEAST_RUNS:
        return (
            f"{runs} of {LEAST_RUNS} runs that an interval takes: another tool made them, measure"
            " with boardmark run to know how much they differ"
        )
    if runs < LEAST_RUNS:
        return f"{runs} of {LEAST_RUNS} runs that an interval takes: measure more blocks"
    width = latency.relative_half_width
    if width is None or width > case.precision:
        shown = "unknown" if width is None else f"±{width:.1%}"
        asked = f"wider than ±{case.precision:.1%}"
        return f"interval {shown}, {asked}: raise the budget or quieten the machine"
    return None


def _notes(case: Measured) -> tuple[str, ...]:
    """Return what disturbed some runs, and what was doubtful in half of those used or more."""
    notes = []
    good = sum(run.status == "ok" for run in case.runs)
    left_out = {run.run_id for run in case.runs} - {run.run_id for run in case.used}
    spoilt = {key: found for key, found in _runs_with(case, _spoils).items() if key in left_out}
    if spoilt:
        lead = f"{len(spoilt)} of {good} runs {_were(spoilt)} disturbed and left out"
        notes.append(_sentence(lead, spoilt.values()))
    held = _runs_with(case, noise.throttles)
    if held and 2 * len(held) < good:
        lead = f"{len(held)} of {good} runs {_were(held)} throttled"
        notes.append(_sentence(lead, held.values(), advise=True))
    return (*notes, *_doubts(case))


def _doubts(case: Measured) -> list[str]:
    """Return one sentence per signal that flagged half of the used runs, or noted one of them."""
    by_signal: dict[str, list[Flag]] = collections.defaultdict(list)
    for run in case.used:
        for flag in case.flags.get(run.run_id, ()):
            if not noise.throttles(flag) and flag.severity != "invalid":
                by_signal[flag.signal].append(flag)
    sentences = []
    for found in by_signal.values():
        worst = _worst(found)
        if worst.severity == "note" or 2 * len(found) >= len(case.used):
            advice = f": {worst.advice}" if worst.advice else ""
            sentences.append(f"in {len(found)} of {len(case.used)} runs {worst.text}{advice}")
    return sentences


def _spoils(flag: Flag) -> bool:
    return flag.severity == "invalid"


def _runs_with(case: Measured, wanted: Callable[[Flag], bool]) -> dict[str, list[Flag]]:
    """Return the wanted flags of each run that has one."""
    found = {
        run.run_id: [flag for flag in case.flags.get(run.run_id, ()) if wanted(flag)]
        for run in case.runs
    }
    return {run_id: flags for run_id, flags in found.items() if flags}


def _sentence(lead: str, by_run: Iterable[list[Flag]], advise: bool = False) -> str:
    """Return `lead` with the two signals that most runs show, at their worst, and what helps."""
    by_signal: dict[str, list[Flag]] = collections.defaultdict(list)
    for flags in by_run:
        for flag in flags:
            by_signal[flag.signal].append(flag)
    ranked = sorted(by_signal.values(), key=len, reverse=True)
    shown = [_worst(found) for found in ranked[:2]]
    advice = next((flag.advice for flag in shown if flag.advice), "") if advise else ""
    causes = ", and ".join(flag.text for flag in shown)
    return f"{lead}: {causes}; {advice}" if advice else f"{lead}: {causes}"


def _worst(flags: Sequence[Flag]) -> Flag:
    """Return the flag of the largest value."""
    return max(flags, key=lambda flag: abs(flag.value))


def _were(runs: Sized) -> str:
    return "was" if len(runs) == 1 else "were"
