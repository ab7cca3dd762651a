"""What a report is made of: one session, as the store gives it and as `results` summarises it."""

from __future__ import annotations

import msgspec

from harness.errors import UsageError
from harness.types import Run, SessionPlan
from results.cases import CaseRow
from suites import Suite, load


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a report may say: the plan, one row per case, and the runs.

    `problems` are sentences about what could not be read or went wrong around the cases.
    """

    plan: SessionPlan
    rows: list[CaseRow]
    runs: tuple[Run, ...]
    problems: tuple[str, ...] = ()

    def suite(self) -> Suite | None:
        """Return the suite that was measured, or None where this version has none of that name."""
        try:
            return load(self.plan.suite)
        except UsageError:
            return None

    def models(self) -> tuple[str, ...]:
        """Return the names of the models in the rows, in order, each once."""
        return tuple(dict.fromkeys(row.model for row in self.rows))

    def backends(self) -> tuple[str, ...]:
        """Return the runtimes in the rows, in order: each keeps its colour in every picture."""
        return tuple(dict.fromkeys(row.backend for row in self.rows))
