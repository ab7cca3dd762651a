"""Draw the HTML report of a session: one file, no network, light and dark."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness import places
from harness.commands import options
from harness.commands.outcome import draw, view
from results.store import Store


def prepare(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    options.add_session(parser)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to write it")
    parser.add_argument("--open", action="store_true", help="open it in the browser")


def run(args: argparse.Namespace) -> int:
    """Draw the report."""
    store = Store.open(args.store)
    session_id = store.resolve(args.session)
    target = args.output or places.reports() / session_id / "report.html"
    draw(view(store, session_id), target, open_it=args.open)
    return 0
