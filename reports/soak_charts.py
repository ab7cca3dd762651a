"""The pictures of soaks: latency, clock, temperature and power of one case over the same time."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
from markupsafe import Markup

from harness.stats import soak
from harness.stats.readings import number, section
from harness.types import Json, Run
from reports import svg
from reports.figures import common_scale, plain, scaled
from reports.names import label
from reports.session import SessionView
from reports.soak import soaked, told
from results import soak as soaks
from results.cases import CaseRow, runs_per_case

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# More points than this cannot be told apart in a picture of this width.
_POINTS = 240
_WIDTH = 5.2
_TALL, _LOW, _FOOT = 1.35, 0.8, 0.5
_MOST_LINES = 6
_NAME = 14
_HERTZ_PER_GIGAHERTZ = 1e9
Curve = Sequence[tuple[float, float]]


class _Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity over time: its title and a line per sensor; its axis begins at zero or not."""

    title: str
    curves: Mapping[str, Curve]
    from_zero: bool = True


class _Soak(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn of one soak: latency by stretch of time, and what was watched beside it."""

    row: CaseRow
    figures: Json
    color: str
    end_s: float
    bins: Sequence[soak.Bin]
    panels: tuple[_Panel, ...]


def pictures(view: SessionView, model: str) -> tuple[svg.Picture, ...]:
    """Return one picture per soaked case of a model, of the first of its soaks."""
    runs = runs_per_case(run for run in view.runs if run.status == "ok" and run.samples_ns)
    backends = view.backends()
    found = []
    for place, row in enumerate(soaked(view, model)):
        mine = runs.get(row.case_key or "", [])
        if not mine:
            continue
        color = svg.SERIES[backends.index(row.backend) % len(svg.SERIES)]
        name = f"soak-{view.models().index(model)}-{place}"
        caption = plain(label(row))
        if len(mine) > 1:
            caption += f", the first of {len(mine)} soaks"
        found.append(svg.Picture(markup=_draw(_of(row, mine[0], color), name), caption=caption))
    return tuple(found)


def _of(row: CaseRow, run: Run, color: str) -> _Soak:
    end_s = soaks.wall(run)
    watch = section(run.result, "watch")
    _, power = soaks.power_curve(run.result)
    clocks = {
        name: [(at, value / _HERTZ_PER_GIGAHERTZ) for at, value in curve]
        for name, curve in soak.curves(watch, "frequency_hz").items()
    }
    panels = (
        _Panel(title="clock (GHz)", curves=clocks),
        _Panel(
            title="temperature (°C)", curves=soak.curves(watch, "temperature_c"), from_zero=False
        ),
        _Panel(title="power (W)", curves={"": power} if power else {}),
    )
    return _Soak(
        row=row,
        figures=soaks.of_run(run),
        color=color,
        end_s=end_s,
        bins=soak.timeline(run.samples_ns, end_s, end_s / _POINTS),
        panels=tuple(panel for panel in panels if panel.curves),
    )


def _draw(one: _Soak, name: str) -> Markup:
    """Draw the latency and below it what was watched, all on one axis of time."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({**svg.STYLE, "axes.spines.left": True}):
        heights = [_TALL, *[_LOW] * len(one.panels)]
        height = sum(heights) + _FOOT
        figure = Figure(figsize=(_WIDTH, height))
        stack = figure.subplots(
            len(heights), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
        )[:, 0]
        figure.subplots_adjust(
            left=0.12, right=0.8, bottom=_FOOT / height, top=1 - 0.22 / height, hspace=0.38
        )
        _draw_latency(stack[0], one)
        for axes, panel in zip(stack[1:], one.panels, strict=True):
            _draw_panel(axes, panel)
        at_s = number(one.figures, "throttle_s")
        if at_s is not None:
            for axes in stack:
                axes.axvline(at_s, color=svg.INK, linewidth=0.9, linestyle=(0, (3, 2)))
        stack[-1].set_xlim(0, one.end_s)
        stack[-1].set_xlabel("time from the first call (s)")
        return svg.inline(figure, name, _in_words(one))


def _draw_latency(axes: Axes, one: _Soak) -> None:
    """Draw the median of each stretch, and where the middle 80 % of its calls lie."""
    factor, unit = common_scale([part.median_s for part in one.bins], "s")
    moments = [part.at_s for part in one.bins]
    axes.fill_between(
        moments,
        [part.low_s / factor for part in one.bins],
        [part.high_s / factor for part in one.bins],
        color=one.color,
        alpha=0.25,
        linewidth=0,
    )
    axes.plot(moments, [part.median_s / factor for part in one.bins], color=one.color, linewidth=1)
    top = max((part.high_s / factor for part in one.bins), default=1.0)
    axes.set_ylim(0, top * 1.1)
    axes.set_title(f"latency of one call ({unit})", fontsize=8.5, fontweight="normal", pad=3)


def _draw_panel(axes: Axes, panel: _Panel) -> None:
    """Draw one line per sensor, named at its end; of many the ones that reach highest."""
    ranked = sorted(panel.curves.items(), key=lambda item: -max(v for _, v in item[1]))
    for number_, (name, curve) in enumerate(ranked[:_MOST_LINES]):
        thin = _thinned(curve)
        color = svg.SERIES[number_ % len(svg.SERIES)] if len(ranked) > 1 else svg.MUTED
        axes.plot(
            [at for at, _ in thin],
            [value for _, value in thin],
            color=color,
            linewidth=1,
            label=plain(name, _NAME) if name else None,
        )
    if any(name for name, _ in ranked):
        axes.legend(
            loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7, handlelength=1,
            borderaxespad=0.3, labelspacing=0.2,
        )  # fmt: skip
    axes.margins(y=0.15)
    if panel.from_zero:
        axes.set_ylim(bottom=0)
    axes.set_title(panel.title, fontsize=8.5, fontweight="normal", pad=3)


def _thinned(curve: Curve) -> Curve:
    """Return means of neighbours where a curve has more points than a picture shows."""
    size = -(-len(curve) // _POINTS)
    groups = [curve[at : at + size] for at in range(0, len(curve), size)]
    return [tuple(map(statistics.fmean, zip(*group, strict=True))) for group in groups]  # type: ignore[misc]


def _in_words(one: _Soak) -> str:
    """Return a picture for those who do not see it."""
    factor, unit = common_scale([part.median_s for part in one.bins], "s")
    first, last = one.bins[0].median_s, one.bins[-1].median_s
    said = [
        f"{label(one.row)}: latency from {scaled(first, factor)} to {scaled(last, factor)} {unit}"
    ]
    for panel in one.panels:
        values = [v for _, v in itertools.chain.from_iterable(panel.curves.values())]
        said.append(f"{panel.title} between {scaled(min(values), 1)} and {scaled(max(values), 1)}")
    said.append(told(one.figures))
    return "; ".join(said)
