"""Print the table of a session, or its cases as JSON."""

from __future__ import annotations

import argparse

from harness.commands import options
from harness.commands.outcome import view
from reports.text import table
from results.export import to_json
from results.store import Store


def prepare(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    options.add_session(parser)
    parser.add_argument("--json", action="store_true", help="print the cases as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the session."""
    store = Store.open(args.store)
    seen = view(store, store.resolve(args.session))
    print(to_json(seen.rows) if args.json else table(seen))
    return 0
