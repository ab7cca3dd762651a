"""The pictures: where latencies lie, and what quality costs in time and memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from markupsafe import Markup

from harness.stats.quantiles import nearest_rank
from reports import SessionView, svg
from reports.answer import listed
from reports.figures import common_scale, percent, plain, scaled
from results import measured
from results.cases import CaseRow, runs_per_case

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = ("o", "s", "^", "D", "v", "P")
_NAME = 24
_SAME = 0.01  # two figures this close count as one


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """One drawing and the words that go with it."""

    markup: Markup
    caption: str


class _Strip(msgspec.Struct, frozen=True, kw_only=True):
    """One case's latencies in seconds: percentiles of all samples, and each run's median."""

    row: CaseRow
    quantiles: tuple[float, ...]
    medians: tuple[float, ...]


def distributions(view: SessionView, model: str) -> tuple[Picture, ...]:
    """Return one picture per runtime: a line per level, all on the same time axis."""
    strips = _strips(view, model)
    if not strips:
        return ()
    factor, unit = common_scale([strip.quantiles[2] for strip in strips], "s")
    low = min(strip.quantiles[0] for strip in strips) / factor
    high = max(strip.quantiles[-1] for strip in strips) / factor
    limits = (low / 1.12, high * 1.35)
    levels = _levels(view)
    pictures = []
    for number, backend in enumerate(dict.fromkeys(strip.row.backend for strip in strips)):
        mine = [strip for strip in strips if strip.row.backend == backend]
        name = f"strips-{view.models().index(model)}-{number}"
        markup = _draw_strips(mine, levels, (factor, unit), limits, name)
        pictures.append(Picture(markup=markup, caption=plain(backend)))
    return tuple(pictures)


def tradeoff(view: SessionView, model: str) -> tuple[Picture, ...]:
    """Return quality lost against latency with memory as size; no picture without quality."""
    rows = [
        row
        for row in view.rows
        if row.model == model
        and row.scenario == "single_stream"
        and row.latency_p50_s
        and row.quality_loss is not None
    ]
    if not rows:
        return ()
    best = pareto(rows)
    name = f"tradeoff-{view.models().index(model)}"
    caption = "No case is valid, so none is marked."
    if best:
        names = listed(best, len(best))
        caption = f"Marked, because no other case beats them on all three: {names}."
    return (Picture(markup=_draw_tradeoff(rows, best, view, name), caption=caption),)


def pareto(rows: Sequence[CaseRow]) -> tuple[CaseRow, ...]:
    """Return the valid rows that no other beats on latency, quality and memory at once."""
    valid = [row for row in rows if row.verdict == "valid"]
    return tuple(row for row in valid if not any(_beats(other, row) for other in valid))


def _beats(one: CaseRow, other: CaseRow) -> bool:
    """Tell whether `one` is nowhere worse than `other` and somewhere better, by more than 1 %."""
    pairs = [
        (one.latency_p50_s, other.latency_p50_s),
        (one.quality_loss, other.quality_loss),
        (one.peak_rss_bytes, other.peak_rss_bytes),
    ]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    return all(a <= b * (1 + _SAME) for a, b in known) and any(
        a < b * (1 - _SAME) for a, b in known
    )


def _levels(view: SessionView) -> tuple[str, ...]:
    """Return the levels of the session in the order they were planned."""
    return tuple(dict.fromkeys(row.variant for row in view.rows))


def _strips(view: SessionView, model: str) -> list[_Strip]:
    """Return what is drawn of each single-stream case that has samples."""
    runs = runs_per_case(run for run in view.runs if run.status == "ok")
    strips = []
    for row in view.rows:
        mine = runs.get(row.case_key or "", []) if row.scenario == "single_stream" else []
        samples = sorted(value / 1e9 for run in mine for value in run.samples_ns)
        if row.model == model and samples:
            medians = measured.present([measured.latency_p50_s(run) for run in mine])
            quantiles = tuple(nearest_rank(samples, q) for q in (0.05, 0.25, 0.5, 0.75, 0.95))
            strips.append(_Strip(row=row, quantiles=quantiles, medians=tuple(medians)))
    return strips


def _draw_strips(
    strips: Sequence[_Strip],
    levels: Sequence[str],
    scale: tuple[float, str],
    limits: tuple[float, float],
    name: str,
) -> Markup:
    """Draw one runtime's levels from top to bottom."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    factor, unit = scale
    shown = [level for level in levels if any(strip.row.variant == level for strip in strips)]
    with mpl.rc_context(svg.STYLE):
        figure = Figure(figsize=(5.2, 0.62 + 0.36 * len(shown)), layout="constrained")
        axes = figure.add_subplot()
        axes.set_xscale("log")
        axes.set_xlim(*limits)
        _plain_ticks(axes.xaxis, limits)
        for place, level in enumerate(shown):
            strip = next(strip for strip in strips if strip.row.variant == level)
            color = svg.SERIES[levels.index(level) % len(svg.SERIES)]
            _draw_strip(axes, place, strip, factor, color)
        axes.set_yticks(range(len(shown)), [plain(level, _NAME) for level in shown])
        axes.set_ylim(len(shown) - 0.45, -0.65)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(f"latency of one inference ({unit})")
        text = "; ".join(_in_words(strip, scale) for strip in strips)
        return svg.inline(figure, name, f"{strips[0].row.backend}: {text}")


def _draw_strip(axes: Axes, place: int, strip: _Strip, factor: float, color: str) -> None:
    """Draw p5 to p95 thin, the middle half thick, the median as a tick, run medians as dots."""
    p5, p25, p50, p75, p95 = (value / factor for value in strip.quantiles)
    valid = strip.row.verdict == "valid"
    style = "solid" if valid else (0, (2, 1.5))
    axes.plot([p5, p95], [place, place], color=color, linewidth=1.2, linestyle=style)
    if valid:
        axes.plot([p25, p75], [place, place], color=color, linewidth=7, solid_capstyle="butt")
    axes.plot([p50], [place], marker="|", markersize=13, markeredgewidth=2, color=svg.INK)
    axes.plot(
        [median / factor for median in strip.medians],
        [place + 0.3] * len(strip.medians),
        linestyle="none",
        marker="o",
        markersize=2.6,
        color=svg.MUTED,
    )
    mark = "" if valid else f"  {strip.row.verdict}"
    axes.annotate(
        f"{scaled(strip.quantiles[2], factor)}{mark}",
        (p95, place),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        fontsize=8.5,
        color=svg.INK,
    )


def _in_words(strip: _Strip, scale: tuple[float, str]) -> str:
    """Return one strip for those who do not see it."""
    factor, unit = scale
    p5, _, p50, _, p95 = (scaled(value, factor) for value in strip.quantiles)
    return f"{strip.row.variant} median {p50} {unit}, 90 percent between {p5} and {p95} {unit}"


def _draw_tradeoff(
    rows: Sequence[CaseRow], best: Sequence[CaseRow], view: SessionView, name: str
) -> Markup:
    """Draw one point per case: colour is the runtime, shape the level, area the peak memory."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    levels = [level for level in _levels(view) if any(row.variant == level for row in rows)]
    backends = list(dict.fromkeys(row.backend for row in rows))
    factor, unit = common_scale([row.latency_p50_s for row in rows], "s")
    largest = max((row.peak_rss_bytes or 0 for row in rows), default=0)
    with mpl.rc_context({**svg.STYLE, "axes.spines.left": True}):
        figure = Figure(figsize=(10.6, 4.7), layout="constrained")
        axes = figure.add_subplot()
        _trade_axes(axes, rows, factor, unit)
        for row in rows:
            share = (row.peak_rss_bytes or 0) / largest if largest else 0.3
            color = svg.SERIES[backends.index(row.backend) % len(svg.SERIES)]
            axes.scatter(
                [(row.latency_p50_s or 0) / factor],
                [(row.quality_loss or 0) * 100],
                s=24 + 380 * share,
                marker=MARKERS[levels.index(row.variant) % len(MARKERS)],
                color=color if row.verdict == "valid" else "none",
                alpha=0.85 if row.verdict == "valid" else 1,
                edgecolors=svg.INK if row in best else color,
                linewidths=1.8 if row in best else 0.8,
                linestyles="solid" if row.verdict == "valid" else (0, (2, 1.5)),
            )
        _trade_legend(axes, backends, levels)
        words = "; ".join(
            f"{row.variant} on {row.backend} {scaled(row.latency_p50_s, factor)} {unit},"
            f" {percent(row.quality_loss)} lost"
            for row in rows
        )
        return svg.inline(figure, name, f"Quality lost against latency: {words}")


def _trade_axes(axes: Axes, rows: Sequence[CaseRow], factor: float, unit: str) -> None:
    """Set a logarithmic time axis, and a loss axis that is linear near zero."""
    times = [(row.latency_p50_s or 0) / factor for row in rows]
    limits = (min(times) / 1.25, max(times) * 1.25)
    axes.set_xscale("log")
    axes.set_xlim(*limits)
    _plain_ticks(axes.xaxis, limits)
    losses = [(row.quality_loss or 0) * 100 for row in rows]
    top, bottom = max(*losses, 1.0), min(*losses, 0.0)
    if top > 20:
        axes.set_yscale("symlog", linthresh=1)
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set_ylim(bottom - 0.4, top * 1.6)
    else:
        margin = (top - bottom) * 0.12
        axes.set_ylim(bottom - margin, top + margin)
    axes.axhline(1.0, color=svg.MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.annotate(
        "1 % lost",
        (1, 1.0),
        xycoords=("axes fraction", "data"),
        xytext=(-3, 3),
        textcoords="offset points",
        ha="right",
        fontsize=8,
        color=svg.MUTED,
    )
    axes.set_xlabel(f"median latency of one inference ({unit}), lower is better")
    axes.set_ylabel("quality lost (%), lower is better")


def _trade_legend(axes: Axes, backends: Sequence[str], levels: Sequence[str]) -> None:
    """Explain colour, shape, size and outline beside the plot."""
    from matplotlib.lines import Line2D

    def entry(label: str, **look: Any) -> Line2D:
        return Line2D([], [], linestyle="none", markersize=7, label=plain(label, _NAME), **look)

    dots = {"marker": "o", "markeredgecolor": "none"}
    entries = [
        entry(backend, color=svg.SERIES[number % len(svg.SERIES)], **dots)
        for number, backend in enumerate(backends)
    ]
    entries += [
        entry(level, marker=MARKERS[number % len(MARKERS)], color=svg.MUTED)
        for number, level in enumerate(levels)
    ]
    ring = {"marker": "o", "markerfacecolor": "none"}
    entries.append(
        entry("not beaten (Pareto)", markeredgecolor=svg.INK, markeredgewidth=1.8, **ring)
    )
    entries.append(entry("hollow: doubtful", markeredgecolor=svg.MUTED, **ring))
    entries.append(entry("area: peak memory", marker="o", color=svg.LINE))
    axes.legend(handles=entries, loc="center left", bbox_to_anchor=(1.01, 0.5), handletextpad=0.3)


def _plain_ticks(axis: Any, limits: tuple[float, float]) -> None:
    """Label a logarithmic axis with plain numbers, and few of them."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axis.set_major_locator(FixedLocator(ticks(*limits)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def ticks(low: float, high: float) -> list[float]:
    """Return round numbers between `low` and `high` (both above 0), at most about eight of them."""
    import math

    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for steps in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        every = [step * 10.0**decade for decade in range(first, last + 1) for step in steps]
        found = [value for value in every if low <= value <= high]
        if len(found) <= 8:
            return found
    return found[:: math.ceil(len(found) / 8)]
