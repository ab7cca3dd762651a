"""The picture of what quality costs: loss against latency, with memory as area, the best marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from reports import svg
from reports.axes import plain_ticks
from reports.figures import common_scale, percent, plain, scaled
from reports.names import label, listed
from reports.pareto import front
from reports.relations import Relations
from reports.session import SessionView
from results.cases import CaseRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = ("o", "s", "^", "D", "v", "P")
_NAME = 24


def tradeoff(view: SessionView, model: str) -> tuple[svg.Picture, ...]:
    """Return quality lost against latency with memory as size; no picture without quality."""
    rows = [
        row
        for row in view.rows
        if row.model == model
        and row.scenario == "single-stream"
        and row.latency_p50_s
        and row.quality_loss is not None
    ]
    if not rows:
        return ()
    best = front(rows, Relations(view))
    name = f"tradeoff-{view.models().index(model)}"
    caption = "No case can be compared, so none is marked."
    if best:
        names = listed(best, len(best))
        caption = (
            "Marked, because no other case is shown to be better in one of latency, p99, memory,"
            f" energy and quality and no worse in the others: {names}."
        )
    return (svg.Picture(markup=_draw_tradeoff(rows, best, view, name), caption=caption),)


def _draw_tradeoff(
    rows: Sequence[CaseRow], best: Sequence[CaseRow], view: SessionView, name: str
) -> Markup:
    """Draw one point per case: colour is the runtime, shape the level, area the peak memory."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    levels = list(dict.fromkeys(row.variant for row in rows))
    backends = view.backends()
    factor, unit = common_scale([row.latency_p50_s for row in rows], "s")
    largest = max((row.peak_rss_bytes or 0 for row in rows), default=0)
    with mpl.rc_context({**svg.STYLE, "axes.spines.left": True}):
        figure = Figure(figsize=(10.6, 4.7), layout="constrained")
        axes = figure.add_subplot()
        _trade_axes(axes, rows, factor, unit)
        for row in sorted(rows, key=lambda row: -(row.peak_rss_bytes or 0)):
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
        _trade_legend(axes, rows, backends, levels)
        words = "; ".join(
            f"{label(row)} {scaled(row.latency_p50_s, factor)} {unit},"
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
    plain_ticks(axes.xaxis, limits)
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


def _trade_legend(
    axes: Axes, rows: Sequence[CaseRow], backends: Sequence[str], levels: Sequence[str]
) -> None:
    """Explain colour, shape, size and outline beside the plot."""
    from matplotlib.lines import Line2D

    shown = {row.backend for row in rows}

    def entry(label: str, **look: Any) -> Line2D:
        return Line2D([], [], linestyle="none", markersize=7, label=plain(label, _NAME), **look)

    dots = {"marker": "o", "markeredgecolor": "none"}
    entries = [
        entry(backend, color=svg.SERIES[number % len(svg.SERIES)], **dots)
        for number, backend in enumerate(backends)
        if backend in shown
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
