"""What a finished session leaves with the user: the table or JSON, the report, the exit code."""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser
from pathlib import Path

from harness import places
from reports.html import render
from reports.session import SessionView
from reports.text import table
from results import sessions
from results.cases import CaseRow, summarise
from results.export import to_json
from results.store import Store

_BROKEN = ("failed", "crashed", "timeout", "oom")


def view(store: Store, session_id: str) -> SessionView:
    """Return a stored session with its rows derived."""
    session = sessions.load(store, session_id)
    return SessionView(
        plan=session.plan,
        rows=summarise(session.plan, session.runs, session.sealed),
        runs=session.runs,
        problems=(*session.problems, *session.notes),
    )


def conclude(args: argparse.Namespace, store: Store, session_id: str) -> int:
    """Print the session's table or JSON, draw its report, and return the exit code."""
    seen = view(store, session_id)
    print(to_json(seen.rows) if args.json else table(seen))
    if not args.no_report:
        draw(seen, places.reports() / session_id / "report.html", open_it=args.open)
    return exit_code(seen.rows)


def draw(seen: SessionView, target: Path, open_it: bool) -> Path:
    """Render the report and say where it is; open it if asked to."""
    path = render(seen, target)
    print(f"report: {path.absolute().as_uri()}", file=sys.stderr)
    if open_it and _has_screen():
        webbrowser.open(path.absolute().as_uri())
    return path


def _has_screen() -> bool:
    """Tell whether a browser would open a window; without one, some take over the terminal."""
    return sys.platform == "darwin" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


def exit_code(rows: list[CaseRow]) -> int:
    """Return 4 where a case was tried and failed, else 0; skipped cases are no failure."""
    return 4 if any(row.status in _BROKEN for row in rows) else 0
