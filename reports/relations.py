"""Our figure in a documented figure's terms: a ratio to another case, paired by block."""

from __future__ import annotations

from collections.abc import Callable

from harness.stats.compare import Comparison, paired_ratio
from harness.stats.summary import LEAST_RUNS
from harness.types import Run
from reports.session import SessionView
from results import figures, measured
from results.cases import CaseRow, runs_per_case
from suites import Metric
from suites.claims import Measured

_PER_RUN: dict[Metric, Callable[[Run, int], float | None]] = {
    "latency": lambda run, batch: measured.latency_p50_s(run),
    "throughput": measured.throughput_per_s,
    "memory": lambda run, batch: figures.memory([run])["peak_rss_bytes"],
}


_UNTIMED: frozenset[Metric] = frozenset({"size", "quality_loss", "memory"})
# A relation known no better than this overlaps every documented figure near it and confirms none.
_WIDEST = 0.25


def comparable(row: CaseRow) -> bool:
    """Tell whether the runs of `row` may be compared with another case's, block by block.

    A wide latency interval is no obstacle: what moved both cases of a block cancels in their ratio,
    and the ratio has an interval of its own. Failed runs and too few blocks are.
    """
    return row.verdict == "valid" or (row.verdict == "imprecise" and row.runs >= LEAST_RUNS)


class Relations:
    """The relations between the cases of one session."""

    def __init__(self, view: SessionView) -> None:
        """Sort the runs that succeeded by case, once."""
        self._runs = runs_per_case(run for run in view.runs if run.status == "ok")
        self._architecture = measured.text(view.plan.environment, "arch")

    def ratio(
        self, metric: Metric, base: CaseRow, other: CaseRow, confidence: float = 0.95
    ) -> Comparison:
        """Return other / base of `metric` (latency, throughput or memory), paired by block."""
        return paired_ratio(self._blocks(metric, base), self._blocks(metric, other), confidence)

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
        return comparable(row) or (metric in _UNTIMED and row.verdict in ("imprecise", "unstable"))

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

    def _blocks(self, metric: Metric, row: CaseRow) -> dict[int, float]:
        """Return the metric of each block's run, where it is known."""
        per_run = _PER_RUN[metric]
        values = {
            run.block: per_run(run, row.batch) for run in self._runs.get(row.case_key or "", ())
        }
        return {block: value for block, value in values.items() if value is not None}
