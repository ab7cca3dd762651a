"""How the machine moved during a session, as its anchors saw it: two equal cases in every block."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from harness.stats.compare import Comparison, paired_ratio
from harness.stats.trend import end_to_start
from harness.types import Run
from reports import svg
from reports.figures import interval, percent, signed
from reports.session import SessionView
from results import measured
from results.cases import runs_per_case
from results.clean import undisturbed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEIGHT = 2.5


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """What the anchors of a session measured: seconds per call by side and block.

    `level` is their geometric mean in each block, `trend` the ratio of its end to its start,
    `apart` the ratio of the second anchor to the first, paired by block. `spread` is by how much
    two identical runs of one block differ: exp(rms of ln(second / first)) - 1.
    """

    anchors: tuple[Mapping[int, float], ...]
    level: Mapping[int, float]
    trend: Comparison
    apart: Comparison | None
    spread: float | None


def drift(view: SessionView) -> Drift | None:
    """Return what the anchors of a session say; None where it has none that ran."""
    keys = {case.key for case in view.plan.anchors}
    runs = runs_per_case(undisturbed(run for run in view.runs if run.case_key in keys))
    found = (_medians(runs.get(case.key, ())) for case in view.plan.anchors)
    anchors = tuple(medians for medians in found if medians)
    if not anchors:
        return None
    blocks = sorted({block for medians in anchors for block in medians})
    level = {
        block: statistics.geometric_mean([m[block] for m in anchors if block in m])
        for block in blocks
    }
    both = len(anchors) > 1
    return Drift(
        anchors=anchors,
        level=level,
        trend=end_to_start(level),
        apart=paired_ratio(anchors[0], anchors[1]) if both else None,
        spread=_spread(anchors[0], anchors[1]) if both else None,
    )


def _medians(runs: Sequence[Run]) -> dict[int, float]:
    """Return the median latency in seconds of each block's run, where it is known."""
    medians = {run.block: measured.latency_p50_s(run) for run in runs}
    return {block: value for block, value in medians.items() if value}


def _spread(first: Mapping[int, float], second: Mapping[int, float]) -> float | None:
    """Return by how much two identical runs of one block differ, relatively: root mean square."""
    logs = [math.log(second[block] / first[block]) for block in first.keys() & second.keys()]
    return math.expm1(math.sqrt(statistics.fmean(d * d for d in logs))) if logs else None


def sentences(found: Drift) -> tuple[str, ...]:
    """Return what the anchors tell, in words: the drift, the noise between identical runs."""
    blocks = sorted(found.level)
    said = [_of_drift(found)] if len(blocks) > 1 else []
    if found.spread is not None and found.apart is not None:
        text = f"Two identical runs in one block differ by about {percent(found.spread)}"
        if found.apart.lo is not None and found.apart.hi is not None:
            half = math.sqrt(found.apart.hi / found.apart.lo) - 1
            text += (
                f": over {found.apart.n} blocks, a difference below"
                f" {percent(half)} between two cases like these cannot be told from none"
            )
            if found.apart.lo > 1 or found.apart.hi < 1:
                text += (
                    f". Their ratio seems to be {signed(found.apart.ratio)}, although nothing"
                    " differs: that happens by chance in one session of twenty"
                )
        said.append(f"{text}.")
    return tuple(said)


def _of_drift(found: Drift) -> str:
    """Return by how much the machine drifted from the first block to the last."""
    values = [found.level[block] for block in sorted(found.level)]
    most = max(values) / min(values) - 1
    span = f"the slowest block {percent(most)} above the fastest"
    ratio, lo, hi = found.trend.ratio, found.trend.lo, found.trend.hi
    if ratio is None or lo is None or hi is None:
        return (
            f"From the first block to the last the same work's time moved {signed(ratio)}; {span}."
        )
    ends = interval(lo - 1, hi - 1, 0.01)
    shown = "no drift is shown" if lo <= 1 <= hi else "the machine drifted"
    return (
        f"Over {len(values)} blocks {shown}: from start to end the same work's time moved"
        f" {signed(ratio)} [{ends}]; {span}."
    )


def picture(view: SessionView, found: Drift) -> svg.Picture:
    """Return the anchors block by block, with the sentinel's readings of every run behind them."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    first = found.level[min(found.level)]
    with mpl.rc_context({**svg.STYLE, "axes.spines.left": True}):
        figure = Figure(figsize=(10.6, _HEIGHT), layout="constrained")
        axes = figure.add_subplot()
        dots = _sentinels(view)
        if dots:
            places, readings = zip(*dots, strict=True)
            axes.plot(
                places,
                readings,
                linestyle="none",
                marker="o",
                markersize=2.6,
                markeredgewidth=0,
                color=svg.MUTED,
                alpha=0.45,
                label="fixed loop, by run",
            )
        axes.axhline(0, color=svg.MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
        for number, medians in enumerate(found.anchors):
            blocks = sorted(medians)
            axes.plot(
                [block + 1 for block in blocks],
                [(medians[block] / first - 1) * 100 for block in blocks],
                color=svg.SERIES[number % len(svg.SERIES)],
                marker="os^D"[number % 4],
                markersize=4.5,
                linewidth=1.4,
                label=f"anchor {number + 1}",
            )
        _label(axes, [block + 1 for block in sorted(found.level)])
        markup = svg.inline(figure, "drift", " ".join(sentences(found)) or "One block.")
    caption = (
        "Median of each block's run of the same work, against the first block; the dots are a short"
        " fixed loop around every run."
    )
    return svg.Picture(markup=markup, caption=caption)


def _label(axes: Axes, blocks: Sequence[int]) -> None:
    """Name the axes; every block has its tick while there is room."""
    step = math.ceil(len(blocks) / 20)
    axes.set_xticks(blocks[::step])
    axes.set_xlim(blocks[0] - 0.6, blocks[-1] + 0.6)
    axes.yaxis.set_major_formatter(_tick)
    axes.set_xlabel("block")
    axes.set_ylabel("time per call")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), handletextpad=0.5)


def _tick(value: float, _: float) -> str:
    """Return the label of a tick: +2.5 %, 0 %, −2.5 %."""
    return (f"{value:+g}" if value else "0").replace("-", "−") + "\u00a0%"


def _sentinels(view: SessionView) -> list[tuple[float, float]]:
    """Return (place on the axis of blocks, % off the first block) of every run's sentinel."""
    runs = sorted(view.runs, key=lambda run: run.seq)
    readings = {run.run_id: _sentinel(run) for run in runs}
    known = [run for run in runs if readings[run.run_id]]
    if not known:
        return []
    first = [readings[run.run_id] or 0 for run in known if run.block == known[0].block]
    usual = statistics.median(first)
    dots = []
    for block in dict.fromkeys(run.block for run in runs):
        mine = [run for run in runs if run.block == block]
        for place, run in enumerate(mine):
            value = readings[run.run_id]
            if value:
                x = block + 0.5 + (place + 0.5) / len(mine)
                dots.append((x, (value / usual - 1) * 100))
    return dots


def _sentinel(run: Run) -> float | None:
    """Return the mean of a run's two readings of the fixed loop in nanoseconds."""
    pair = measured.section(run.result, "host").get("sentinel_ns")
    known = [measured.number(value) for value in pair] if isinstance(pair, list | tuple) else []
    readings = [value for value in known if value and value > 0]
    return statistics.fmean(readings) if readings else None
