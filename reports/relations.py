"""Our figure in a documented figure's terms: a ratio to another case, paired by block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from harness.stats.compare import Comparison, paired_ratio
from harness.stats.summary import LEAST_RUNS
from harness.types import Run
from reports.session import SessionView
from results import figures, measured
from results.cases import CaseRow, runs_per_case
from results.clean import clean_blocks, flags_by_run, is_clean
from results.row import COMPARABLE
from suites import Metric
from suites.claims import Measured

# What two cases are held against each other by, beside what a claim may speak of.
Figure = Metric | Literal["p99", "energy"]

_PER_RUN: dict[Figure, Callable[[Run, int], float | None]] = {
    "latency": lambda run, batch: measured.latency_p50_s(run),
    "p99": lambda run, batch: measured.latency_p99_s(run),
    "throughput": measured.throughput_per_s,
    "memory": lambda run, batch: figures.memory([run])["peak_rss_bytes"],
    "energy": lambda run, batch: measured.energy_j(run),
}
_UNTIMED: frozenset[Metric] = frozenset({"size", "quality_loss", "memory"})
# A relation known no better than this overlaps every documented figure near it and confirms none.
_WIDEST = 0.25


def comparable(row: CaseRow) -> bool:
    """Tell whether the runs of `row` may be compared with another case's, block by block.

    A wide latency interval is no obstacle: what moved both cases of a block cancels in their ratio,
    and the ratio has an interval of its own. Failed runs, a disturbed machine and too few blocks
    are.
    """
    return row.verdict in COMPARABLE and row.runs >= LEAST_RUNS


class Relations:
    """The relations between the cases of one session."""

    def __init__(self, view: SessionView) -> None:
        """Sort the runs that succeeded by case and find the undisturbed ones, once."""
        good = [run for run in view.runs if run.status == "ok"]
        flags = flags_by_run(good)
        self._runs = runs_per_case(good)
        self._clean = {
            key: {run.block for run in runs if is_clean(run, flags)}
            for key, runs in self._runs.items()
        }
        if view.plan.two_sided:  # a gate leaves out whole blocks: say what it says
            whole = clean_blocks(view.plan, good)
            self._clean = {key: blocks & whole for key, blocks in self._clean.items()}
        self._values: dict[tuple[Figure, str | None], dict[int, float]] = {}
        self._architecture = measured.text(view.plan.environment, "arch")

    def ratio(
        self, figure: Figure, base: CaseRow, other: CaseRow, confidence: float = 0.95
    ) -> Comparison:
        """Return other / base of a `figure` that every run has, paired by block.

        Only blocks in which both ran undisturbed count where there are enough of them: leaving out
        one side of a block would charge the other with what moved both.
        """
        sides = [self._blocks(figure, row) for row in (base, other)]
        clean = self._undisturbed(base) & self._undisturbed(other) & sides[0].keys()
        if len(clean & sides[1].keys()) >= LEAST_RUNS:
            sides = [{block: side[block] for block in side.keys() & clean} for side in sides]
        return paired_ratio(sides[0], sides[1], confidence)

    def _undisturbed(self, row: CaseRow) -> set[int]:
        """Return the blocks in which nothing disturbed the case's run."""
        return self._clean.get(row.case_key or "", set())

    def measured(self, metric: Metric, row: CaseRow, base: CaseRow | None) -> Measured:
        """Return the relation that may be judged: nothing where doubt about a case touches it.

        Doubt about the timing does not touch sizes and scores; a failed case has nothing to say.
        """
        for one in (row, base):
            if one is not None and not self._trusted(metric, one):
                return self._none(f"{one.variant} is {one.verdict}")
        found = self.shown(metric, row, base)
        if metric in _UNTIMED or found.value is None or found.lo is None or found.hi is None:
            return found
        width = (found.hi - found.lo) / 2 / found.value
        return found if width <= _WIDEST else self._none(f"the interval is ±{width:.0%} wide")

    @staticmethod
    def _trusted(metric: Metric, row: CaseRow) -> bool:
        measured = row.verdict not in ("failed", "skipped")
        return comparable(row) or (metric in _UNTIMED and measured)

    def shown(self, metric: Metric, row: CaseRow, base: CaseRow | None) -> Measured:
        """Return the relation of `row` to its `base` that a claim of `metric` speaks of."""
        if metric == "quality_loss":
            return self._loss(row)
        if base is None:
            return self._none("there is no FP32 case to relate it to")
        if metric == "size":
            return self._size(row, base)
        return self._paired(metric, row, base)

    def _paired(self, metric: Metric, row: CaseRow, base: CaseRow) -> Measured:
        """Return the ratio over the blocks that hold both; speed is the inverse of latency."""
        found = (
            self.ratio("latency", row, base) if metric == "speed" else self.ratio(metric, base, row)
        )
        reason = "; ".join(found.warnings) if found.ratio is None else None
        return Measured(
            value=found.ratio,
            lo=found.lo,
            hi=found.hi,
            reason=reason,
            architecture=self._architecture,
        )

    def _size(self, row: CaseRow, base: CaseRow) -> Measured:
        """Return the exact ratio of the two artifacts' sizes."""
        if not row.size_bytes or not base.size_bytes:
            return self._none("the size of an artifact is not known")
        ratio = row.size_bytes / base.size_bytes
        return Measured(value=ratio, lo=ratio, hi=ratio, architecture=self._architecture)

    def _loss(self, row: CaseRow) -> Measured:
        """Return the fraction of quality lost, as it was scored."""
        return Measured(
            value=row.quality_loss,
            lo=row.quality_loss_lo,
            hi=row.quality_loss_hi,
            reason=row.quality_reason,
            architecture=self._architecture,
        )

    def _none(self, reason: str) -> Measured:
        return Measured(value=None, reason=reason, architecture=self._architecture)

    def _blocks(self, figure: Figure, row: CaseRow) -> dict[int, float]:
        """Return the figure of each block's run, where it is known."""
        place = (figure, row.case_key)
        if place not in self._values:
            runs = self._runs.get(row.case_key or "", ())
            values = {run.block: _PER_RUN[figure](run, row.batch) for run in runs}
            self._values[place] = {block: one for block, one in values.items() if one is not None}
        return self._values[place]
