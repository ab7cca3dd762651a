"""Write a session's cases, one row or object per case, in base units."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.commands import options
from harness.commands.outcome import view
from harness.errors import UsageError
from harness.whole_file import write_whole
from results.export import to_csv, to_json, write_parquet
from results.store import Store

_TEXT = {"csv": to_csv, "json": to_json}


def prepare(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    options.add_session(parser)
    parser.add_argument("--format", choices=("csv", "json", "parquet"), default="json")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="default: standard output (not parquet)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the rows."""
    store = Store.open(args.store)
    rows = view(store, store.resolve(args.session)).rows
    if args.format == "parquet":
        if args.output is None:
            raise UsageError("parquet cannot go to standard output", "name a file with --output")
        write_parquet(rows, args.output)
        return 0
    text = _TEXT[args.format](rows)
    if args.output is None:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        return 0
    try:
        write_whole(args.output, text.encode())
    except OSError as error:
        raise UsageError(f"cannot write {args.output}: {error.strerror}") from error
    return 0
