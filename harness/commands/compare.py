"""Compare two stored sessions case by case.

They were not measured in the same blocks, so a drift of the machine between them is charged to the
change; boardmark gate measures both sides now. A session is an id, the beginning of one, latest, or
latest~1 for the one before.
"""

from __future__ import annotations

import argparse

from harness.commands import options
from harness.commands.outcome import view
from reports.change import changes
from reports.change_text import FORMATS
from results.store import Store


def prepare(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("old", metavar="OLD", help="the session to compare with")
    parser.add_argument("new", metavar="NEW", help="the session that came after the change")
    parser.add_argument("--format", choices=tuple(FORMATS), default="text")
    options.add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Print what changed; never a verdict, so 0 unless the sessions cannot be compared."""
    store = Store.open(args.store)
    old, new = (view(store, store.resolve(word)) for word in (args.old, args.new))
    print(FORMATS[args.format](changes(old, new)), end="")
    return 0
