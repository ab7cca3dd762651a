"""The campaign as Markdown: printed, and put between the markers of docs/peers.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from .campaign import Campaign
from .eight import BUDGET_S, CASES, WANTED
from .figures import Row, rows, times_narrower
from .identity import Identity
from .records import Unusable
from .registry import PEERS

BEGIN = "<!-- figures: written by make peers -->"
END = "<!-- end of figures -->"
NONE = "–"
OURS, RIVAL = "boardmark", "optimum-benchmark"


def render(campaign: Campaign) -> str:
    """Return all tables of the campaign as Markdown."""
    found = rows(PEERS, campaign.starts)
    parts = [
        _machine(campaign),
        _main_table(found, campaign),
        _precision(found),
        _headline(found),
        _eight(campaign),
        _failures(found),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def write(page: Path, text: str) -> None:
    """Put `text` between the markers of `page`; raises Unusable where a marker is missing."""
    before, begin, rest = page.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Unusable(f"{page} has no line {BEGIN!r} and after it {END!r}")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", "utf-8")


def _machine(campaign: Campaign) -> str:
    who: Identity = campaign.identity
    gib = who.ram_bytes / 2**30
    return "\n".join(
        (
            f"{who.day}, {who.cpu}, {who.cores} cores, {gib:.0f} GiB, Linux {who.kernel},"
            f" Python {who.python}, {campaign.threads} threads, {campaign.rounds} rounds,"
            f" {campaign.seconds:g} s timed where a tool can be told,"
            f" load before it {who.load_1m:.1f}.",
            f"Measured with {_versions(who.here)}.",
            f"In the peers' own environment {_versions(who.there)}."
            if who.there
            else "The peers' own environment is not installed.",
        )
    )


def _versions(found: dict[str, str | None]) -> str:
    return ", ".join(f"{name} {version or 'not installed'}" for name, version in found.items())


def _main_table(found: Sequence[Row], campaign: Campaign) -> str:
    head = (
        *("tool", "runtime", "starts", "median", "against the bare loop [95 %]"),
        *("spread (sd, max/min)", "95 % half-width", "wall time", "memory added"),
        *("own A/A alarms", "pairs > 5 % apart"),
    )
    lines = [
        (
            row.name,
            row.runtime,
            f"{row.good}/{row.starts}",
            _show(row.median_s, lambda value: f"{1e3 * value:.2f} ms"),
            _error(row),
            f"{100 * row.spread:.1f} %, {row.range:.2f}" if row.spread and row.range else NONE,
            _show(row.half_width, _percent),
            _show(row.wall_s, lambda value: f"{value:.1f} s"),
            _show(row.added_bytes, lambda value: f"{value / 1e6:+.0f} MB"),
            _alarms(row, campaign),
            f"{row.pairs_apart[0]}/{row.pairs_apart[1]}" if row.pairs_apart else NONE,
        )
        for row in found
    ]
    return _table(head, lines)


def _error(row: Row) -> str:
    if row.error is None or row.error.ratio is None:
        return NONE
    text = f"{100 * (row.error.ratio - 1):+.1f} %"
    if row.error.lo is None or row.error.hi is None:
        return text
    lo, hi = (100 * (end - 1) for end in (row.error.lo, row.error.hi))
    return f"{text} [{lo:+.1f}, {hi:+.1f}]" if hi < 1000 else f"{text} [too few rounds]"


def _alarms(row: Row, campaign: Campaign) -> str:
    if row.name == OURS:
        gate = campaign.gate
        return f"{gate.regressed}/{gate.sessions} ({gate.machine}, {gate.day})" if gate else NONE
    return f"{row.alarms[0]}/{row.alarms[1]}" if row.alarms else NONE


def _precision(found: Sequence[Row]) -> str:
    head = (
        *("tool", "runtime", "wall time", "half-width x √s, seen in the starts"),
        *("half-width x √s, printed or implied", "where that interval comes from"),
    )
    lines = [
        (
            row.name,
            row.runtime,
            _show(row.wall_s, lambda value: f"{value:.1f} s"),
            _show(row.seen_cost, _percent),
            _show(row.printed_cost, _percent),
            row.interval or NONE,
        )
        for row in found
        if row.good
    ]
    return _table(head, lines) if lines else ""


def _headline(found: Sequence[Row]) -> str:
    named = {row.name: row for row in found}
    ours, rival = named.get(OURS), named.get(RIVAL)
    if ours is None or rival is None:
        return ""
    said = []
    seen = times_narrower(ours, rival)
    if seen:
        ratio, lo, hi = seen
        said.append(f"{ratio:.1f} times [{lo:.1f}, {hi:.1f}] by the spread of the starts")
    if ours.printed_cost and rival.printed_cost:
        said.append(
            f"{rival.printed_cost / ours.printed_cost:.1f} times by the intervals that each prints"
            " or implies"
        )
    if not said:
        return ""
    return (
        f"Per second of wall time the interval of {ours.name} ({ours.runtime}) is narrower than"
        f" that of {rival.name} ({rival.runtime}): {', '.join(said)}."
    )


def _eight(campaign: Campaign) -> str:
    eight = campaign.eight
    if eight is None:
        return ""
    asked = f"--precision {WANTED:.0%} --budget {BUDGET_S}s"
    if eight.reason:
        return f"Eight cases, `{asked}`: no answer after {eight.wall_s:.0f} s: {eight.reason}"
    lead = (
        f"Eight cases, `{asked}`: {eight.reached} of {CASES} within ±{WANTED:.0%}; the whole"
        f" command took {eight.wall_s:.0f} s."
    )
    lines = [
        (
            case.label,
            _show(case.median_s, lambda value: f"{1e3 * value:.2f} ms"),
            _show(case.half_width, _percent),
            case.verdict,
        )
        for case in eight.cases
    ]
    return lead + "\n\n" + _table(("case", "median", "95 % half-width", "verdict"), lines)


def _failures(found: Sequence[Row]) -> str:
    said = [
        f"- {row.name}: {row.starts - row.good} of {row.starts} starts gave no number: {reason}"
        for row in found
        for reason in row.reasons
    ]
    return "\n".join(said)


def _show(value: float | None, text: Callable[[float], str]) -> str:
    return NONE if value is None else text(value)


def _percent(value: float) -> str:
    if value >= 1:
        return "> 100 %"
    return f"{100 * value:.2f} %" if value < 0.1 else f"{100 * value:.0f} %"


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = ["---"] * len(head)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *lines))
