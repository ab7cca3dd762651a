"""What a session says, drawn: one HTML page, or text for a terminal. Reads only `results`.

html       render(view, out): the page
text       show(view): the same case table for a terminal
answer     which level is best under which criterion, or that the data cannot tell
relations  our figure in a documented figure's terms, with its interval
tables     the headline tables; cases: one row per case; findings: the claims; identity: the machine
charts     latencies; tradeoff: what quality costs; svg makes both take the page's colours
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from harness.errors import UsageError
from harness.types import Run, SessionPlan
from results.cases import CaseRow, summarise
from results.relative import RelativeRow, relative
from suites import Suite, load

if TYPE_CHECKING:
    from results.query import Session


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a report may say: the plan, one row per case, its relation to FP32, and the runs.

    `problems` are sentences about what could not be read or went wrong around the cases.
    """

    plan: SessionPlan
    rows: tuple[CaseRow, ...]
    relatives: tuple[RelativeRow, ...]
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


def view(session: Session) -> SessionView:
    """Return what a report needs of a session as it was loaded from the store."""
    return SessionView(
        plan=session.plan,
        rows=tuple(summarise(session.plan, session.runs)),
        relatives=tuple(relative(session.plan, session.runs)),
        runs=tuple(session.runs),
        problems=(*session.problems, *session.notes),
    )
