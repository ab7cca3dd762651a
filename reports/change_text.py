"""Two sessions compared, for a terminal, for a pull request, and for programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from harness.stats.compare import Comparison
from harness.units import show
from reports.change import Beside, CaseChange, Changes
from reports.columns import aligned
from reports.figures import DASH, interval, percent, plain, signed
from reports.gate.markdown import escaped

_HEADERS = ("case", "p50", "difference", "peak memory", "file", "quality", "changed")
_WORDS = (0, 2, 6)
_WIDEST = 80


def text(found: Changes) -> str:
    """Return the comparison for a terminal: what to know first, then a line per case."""
    lines = [_HEADERS, *(_cells(one) for one in found.cases)]
    parts = [
        f"From session {found.old} to {found.new} on {plain(found.device)}",
        "\n".join(plain(one, 400) for one in (*found.caveats, anchor(found))),
        aligned(lines, _WORDS, _WIDEST),
        *("\n  ".join([title, *map(plain, names)]) for title, names in _rest(found)),
    ]
    return "\n\n".join(parts) + "\n"


def markdown(found: Changes) -> str:
    """Return the comparison for a pull request."""
    rows = [
        f"| {' | '.join(_HEADERS)} |",
        "|---|---:|---|---:|---:|---:|---|",
        *(f"| {' | '.join(escaped(plain(c)) for c in _cells(one))} |" for one in found.cases),
    ]
    parts = [
        f"**From session {found.old} to {found.new}** on {escaped(plain(found.device))}",
        "\n".join(f"> {escaped(plain(one, 400))}" for one in (*found.caveats, anchor(found))),
        "\n".join(rows),
    ]
    for title, names in _rest(found):
        parts.append("\n".join([title, "", *(f"- {escaped(plain(name))}" for name in names)]))
    return "\n\n".join(parts) + "\n"


def as_json(found: Changes) -> str:
    """Return the comparison as JSON; ratios are new / old, what is unknown is null."""
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"


FORMATS: dict[str, Callable[[Changes], str]] = {
    "text": text,
    "markdown": markdown,
    "json": as_json,
}


def difference(latency: Comparison) -> str:
    """Return a ratio of times in words: by how much slower or faster, or that none is shown."""
    if latency.ratio is None or latency.lo is None or latency.hi is None:
        return f"not compared: {'; '.join(latency.warnings) or 'too few runs'}"
    if latency.lo > 1:
        ends = interval(latency.lo - 1, latency.hi - 1, 0.01)
        return f"slower by {percent(latency.ratio - 1)} [{ends}]"
    if latency.hi < 1:
        ends = interval(1 - latency.hi, 1 - latency.lo, 0.01)
        return f"faster by {percent(1 - latency.ratio)} [{ends}]"
    return f"no difference shown [{interval(latency.lo - 1, latency.hi - 1, 0.01)}]"


def anchor(found: Changes) -> str:
    """Return by how much the machine itself moved between the sessions, as far as it is known."""
    moved = found.anchor
    if moved is None or moved.ratio is None or moved.lo is None or moved.hi is None:
        reason = found.anchor_reason or "too few runs of the anchor"
        return f"How far the machine moved between them is not known: {reason}."
    ends = interval(moved.lo - 1, moved.hi - 1, 0.01)
    took = f"the time of the same fixed work (the anchor) changed by {signed(moved.ratio)} [{ends}]"
    if moved.lo <= 1 <= moved.hi:
        return f"The machine is not shown to have moved: {took}."
    return f"The machine moved: {took}. Differences of that size are its own."


def _cells(one: CaseChange) -> tuple[str, ...]:
    """Return one case as the cells of its line."""
    p50, memory, size, quality = one.figures
    return (
        one.case,
        _both(p50),
        difference(one.latency),
        _both(memory),
        _both(size),
        _both(quality),
        "; ".join(one.changed) or "nothing",
    )


def _both(figure: Beside) -> str:
    """Return a figure of both sessions, once where it did not change."""
    shown = [_shown(figure, value) for value in (figure.old, figure.new)]
    return shown[0] if shown[0] == shown[1] else f"{shown[0]} → {shown[1]}"


def _shown(figure: Beside, value: float | None) -> str:
    if value is None:
        return DASH
    return show(value, figure.unit) if figure.unit else f"{value:.4f}"


def _rest(found: Changes) -> list[tuple[str, Sequence[str]]]:
    """Return the lists below the table that have an entry."""
    every = (
        ("Only in the old session:", found.only_old),
        ("Only in the new session:", found.only_new),
        ("Problems:", found.problems),
    )
    return [(title, names) for title, names in every if names]
