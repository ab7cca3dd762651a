"""Two stored sessions, case by case: what is slower, larger or worse in the later one.

They were not measured in the same blocks, so nothing here is a gate: a drift of the machine between
them cannot be told from the change. What the anchors moved meanwhile says how large that may be.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.errors import UsageError
from harness.gate.incomparable import incomparable, incomparable_sessions
from harness.stats.compare import Comparison, unpaired_ratio
from harness.types import Case, SessionPlan
from reports.drift import drift
from reports.relations import comparable
from reports.session import SessionView
from results import measured
from results.cases import CaseRow, runs_per_case
from results.clean import flags_by_run, undisturbed

Key = tuple[str, str, str, str, int, str]


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of both sessions in base units of `unit`; None where a session has none."""

    name: str
    unit: str
    old: float | None
    new: float | None


class CaseChange(msgspec.Struct, frozen=True, kw_only=True):
    """One case that both sessions hold.

    `latency` is the ratio new / old of the median latencies from the runs of both (Welch), without
    a ratio where the data give none; `changed` names what is not the same in the two.
    """

    case: str
    latency: Comparison
    figures: tuple[Beside, ...]
    changed: tuple[str, ...]


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be said of two sessions; `anchor` is the ratio of the same fixed work.

    Cases that only one of them holds are named in `only_old` and `only_new`; `anchor_reason` says
    why there is no anchor to compare.
    """

    old: str
    new: str
    device: str
    caveats: tuple[str, ...]
    anchor: Comparison | None
    anchor_reason: str | None
    cases: tuple[CaseChange, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    problems: tuple[str, ...] = ()


def changes(old: SessionView, new: SessionView) -> Changes:
    """Return what changed from `old` to `new`; UsageError where they cannot be compared at all."""
    ours, theirs = _cases(old.plan), _cases(new.plan)
    shared = [key for key in ours if key in theirs]
    _refuse(old.plan, new.plan, [(ours[key], theirs[key]) for key in shared])
    anchor, reason = _anchor(old, new)
    values = (_medians(old), _medians(new))
    rows = ({row.case_key: row for row in old.rows}, {row.case_key: row for row in new.rows})
    found = []
    for key in shared:
        pair = (rows[0][ours[key].key], rows[1][theirs[key].key])
        found.append(
            CaseChange(
                case=theirs[key].label,
                latency=_latency(pair, values),
                figures=_figures(*pair),
                changed=_changed(ours[key], theirs[key], old.plan, new.plan),
            )
        )
    return Changes(
        old=old.plan.session_id,
        new=new.plan.session_id,
        device=new.plan.device,
        caveats=_caveats(old.plan, new.plan, len(shared)),
        anchor=anchor,
        anchor_reason=reason,
        cases=tuple(found),
        only_old=tuple(case.label for key, case in ours.items() if key not in theirs),
        only_new=tuple(case.label for key, case in theirs.items() if key not in ours),
        problems=(*old.problems, *new.problems),
    )


def _cases(plan: SessionPlan) -> dict[Key, Case]:
    """Return the cases of a session by what makes two sessions' cases the same."""
    return {
        (case.model, case.variant, case.backend, case.scenario, case.batch, case.side): case
        for case in plan.cases
    }


def _refuse(old: SessionPlan, new: SessionPlan, shared: Sequence[tuple[Case, Case]]) -> None:
    """Raise UsageError where sessions or their cases ran under other conditions."""
    if old.session_id == new.session_id:
        raise UsageError(f"{old.session_id!r} cannot be compared with itself", "name two sessions")
    found = dict.fromkeys(incomparable_sessions(old, new))
    for pair in shared:
        found |= dict.fromkeys(incomparable(*pair))
    if found:
        raise UsageError(
            f"sessions {old.session_id!r} and {new.session_id!r} are incomparable:"
            f" {', '.join(found)}",
            "measure both under the same conditions",
        )
    if not shared:
        raise UsageError(
            f"sessions {old.session_id!r} and {new.session_id!r} share no case",
            "boardmark list sessions shows what they measured",
        )


def _caveats(old: SessionPlan, new: SessionPlan, cases: int) -> tuple[str, ...]:
    """Return what has to be known before any figure is read."""
    apart = _span(abs(new.created_unix_s - old.created_unix_s))
    said = [
        f"These sessions were not interleaved: they lie {apart} apart, and a drift of the machine"
        " between them is charged to the change. boardmark gate measures both sides now."
    ]
    if old.created_unix_s > new.created_unix_s:
        said.append("The first one named is the younger one.")
    if cases > 1:
        chance = f"about {cases / 20:.0f}" if cases >= 20 else "now and then one"
        said.append(
            f"Each interval holds at 95 % by itself: of {cases} cases {chance} differs by chance."
        )
    return tuple(said)


def _span(seconds: float) -> str:
    """Return a span of time in the unit that people would use."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f} {unit}s"
    return "a minute"


def _anchor(old: SessionView, new: SessionView) -> tuple[Comparison | None, str | None]:
    """Return by how much the same fixed work moved between the sessions, or why that is unknown."""
    keys = [{case.key for case in view.plan.anchors} for view in (old, new)]
    seen = (drift(old), drift(new))
    if seen[0] is None or seen[1] is None:
        return None, "not both sessions have an anchor that ran"
    if not keys[0] & keys[1]:
        return None, "their anchors are not the same work: another python or another version"
    levels = [list(one.level.values()) for one in seen if one]
    return unpaired_ratio(levels[0], levels[1]), None


def _medians(view: SessionView) -> dict[str, list[float]]:
    """Return the median latency in seconds of every undisturbed run by its case's key."""
    found = {}
    flags = flags_by_run(view.runs)
    for key, runs in runs_per_case(view.runs).items():
        clean = undisturbed(runs, flags)
        found[key] = measured.present([measured.latency_p50_s(run) for run in clean])
    return found


def _latency(
    pair: tuple[CaseRow, CaseRow], values: tuple[dict[str, list[float]], dict[str, list[float]]]
) -> Comparison:
    """Return new / old of the median latency, nothing where one of them cannot be relied on."""
    doubts = [
        f"{row.verdict} {when}" + (f" ({row.reason.partition(':')[0]})" if row.reason else "")
        for when, row in zip(("before", "now"), pair, strict=True)
        if not comparable(row)
    ]
    if doubts:
        return Comparison(
            ratio=None, lo=None, hi=None, confidence=0.95, n=0, warnings=tuple(doubts)
        )
    sides = [one[row.case_key or ""] for row, one in zip(pair, values, strict=True)]
    return unpaired_ratio(sides[0], sides[1])


def _figures(old: CaseRow, new: CaseRow) -> tuple[Beside, ...]:
    """Return the figures that stand side by side without an interval of their difference."""
    return (
        Beside(name="latency p50", unit="s", old=old.latency_p50_s, new=new.latency_p50_s),
        Beside(name="peak memory", unit="bytes", old=old.peak_rss_bytes, new=new.peak_rss_bytes),
        Beside(name="file size", unit="bytes", old=old.size_bytes, new=new.size_bytes),
        Beside(name="quality", unit="", old=old.quality, new=new.quality),
    )


def _changed(old: Case, new: Case, before: SessionPlan, now: SessionPlan) -> tuple[str, ...]:
    """Return what differs between the two cases, in words; nothing where they are the same."""
    pairs = (
        ("runtime", old.runtime_version, new.runtime_version),
        ("model", old.model_digest[:12], new.model_digest[:12]),
        ("artifact", old.artifact.sha256[:12], new.artifact.sha256[:12]),
        ("toolchain", old.artifact.toolchain, new.artifact.toolchain),
        ("boardmark", before.harness_version, now.harness_version),
    )
    words = [f"{name} {one} → {other}" for name, one, other in pairs if one != other]
    options = sorted({*old.options, *new.options})
    words += [
        f"{name} {old.options.get(name)} → {new.options.get(name)}"
        for name in options
        if old.options.get(name) != new.options.get(name)
    ]
    return tuple(words)
