"""The pictures of where latencies lie: one per runtime, a line per level, one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from markupsafe import Markup

from harness.stats.quantiles import nearest_rank
from reports import svg
from reports.axes import plain_ticks
from reports.figures import common_scale, plain, scaled
from reports.session import SessionView
from results import measured
from results.cases import CaseRow, runs_per_case

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAME = 16
_SCENARIOS = ("single-stream", "soak")


class _Strip(msgspec.Struct, frozen=True, kw_only=True):
    """One case's latencies in seconds: percentiles of all samples, and each run's median."""

    row: CaseRow
    quantiles: tuple[float, ...]
    medians: tuple[float, ...]


class _Panel(msgspec.Struct, frozen=True, kw_only=True):
    """What the strips of one runtime share: its colour, and the time axis of all panels."""

    name: str
    color: str
    factor: float
    unit: str
    limits: tuple[float, float]


def distributions(view: SessionView, model: str) -> tuple[svg.Picture, ...]:
    """Return one picture per runtime: a line per level, all on the same time axis."""
    strips = _strips(view, model)
    if not strips:
        return ()
    factor, unit = common_scale([strip.quantiles[2] for strip in strips], "s")
    low = min(strip.quantiles[0] for strip in strips) / factor
    high = max(strip.quantiles[-1] for strip in strips) / factor
    limits = (low / 1.12, high * max(1.35, (high / low) ** 0.35))  # room for the figure beside
    backends = view.backends()
    pictures = []
    for backend in dict.fromkeys(strip.row.backend for strip in strips):
        mine = [strip for strip in strips if strip.row.backend == backend]
        number = backends.index(backend)
        panel = _Panel(
            name=f"strips-{view.models().index(model)}-{number}",
            color=svg.SERIES[number % len(svg.SERIES)],
            factor=factor,
            unit=unit,
            limits=limits,
        )
        markup = _draw_strips(mine, panel)
        pictures.append(svg.Picture(markup=markup, caption=plain(backend)))
    return tuple(pictures)


def _strips(view: SessionView, model: str) -> list[_Strip]:
    """Return what is drawn of each single-stream or soaked case that has samples."""
    runs = runs_per_case(run for run in view.runs if run.status == "ok")
    strips = []
    for row in view.rows:
        mine = runs.get(row.case_key or "", []) if row.scenario in _SCENARIOS else []
        samples = sorted(value / 1e9 for run in mine for value in run.samples_ns)
        if row.model == model and samples:
            medians = measured.present([measured.latency_p50_s(run) for run in mine])
            quantiles = tuple(nearest_rank(samples, q) for q in (0.05, 0.25, 0.5, 0.75, 0.95))
            strips.append(_Strip(row=row, quantiles=quantiles, medians=tuple(medians)))
    return strips


def _draw_strips(strips: Sequence[_Strip], panel: _Panel) -> Markup:
    """Draw one runtime's cases from top to bottom."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(svg.STYLE):
        height = 0.6 + 0.36 * len(strips)
        figure = Figure(figsize=(5.2, height))
        axes = figure.add_subplot()
        names = _strip_names(strips)
        left = 0.22 + 0.0135 * max(0, max(map(len, names)) - _NAME)
        figure.subplots_adjust(left=left, right=0.99, bottom=0.5 / height, top=1 - 0.05 / height)
        axes.set_xscale("log")
        axes.set_xlim(*panel.limits)
        plain_ticks(axes.xaxis, panel.limits)
        for place, strip in enumerate(strips):
            _draw_strip(axes, place, strip, panel)
        axes.set_yticks(range(len(strips)), names)
        axes.set_ylim(len(strips) - 0.45, -0.65)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(f"latency of one call ({panel.unit})")
        text = "; ".join(_in_words(strip, panel) for strip in strips)
        return svg.inline(figure, panel.name, f"{strips[0].row.backend}: {text}")


def _strip_names(strips: Sequence[_Strip]) -> list[str]:
    """Return the levels, with batch and threads where a runtime was driven in several ways."""
    ways = {(strip.row.batch, strip.row.threads) for strip in strips}
    names = []
    for strip in strips:
        row = strip.row
        way = f" b{row.batch} t{row.threads}" if len(ways) > 1 else ""
        side = f" {plain(row.side, _NAME)}" if row.side else ""
        names.append(plain(row.variant, _NAME) + side + way)
    return names


def _draw_strip(axes: Axes, place: int, strip: _Strip, panel: _Panel) -> None:
    """Draw p5 to p95 thin, the middle half thick, the median as a tick, run medians as dots."""
    factor, color = panel.factor, panel.color
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


def _in_words(strip: _Strip, panel: _Panel) -> str:
    """Return one strip for those who do not see it."""
    factor, unit = panel.factor, panel.unit
    p5, _, p50, _, p95 = (scaled(value, factor) for value in strip.quantiles)
    return f"{strip.row.variant} median {p50} {unit}, 90 percent between {p5} and {p95} {unit}"
