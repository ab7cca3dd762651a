"""Take result files of other tools into the store, so that a history can go on with boardmark.

Raw durations are kept where a file has them, else the tool's own figures, which are called so. What
a file does not tell is unknown; --device, --model, --variant and --backend say it. A file that was
imported before changes nothing. See docs/import.md for what is taken from each format.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from harness.commands import options
from harness.errors import UsageError
from harness.printable import one_line
from results.imports import FORMATS, intake
from results.imports.session import Names
from results.storage import measurable
from results.store import Store


def prepare(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a result file")
    parser.add_argument(
        "--format",
        choices=("auto", *FORMATS),
        default="auto",
        help="which tool wrote it (default: found out)",
    )
    for name, what in (
        ("device", "the board it was measured on"),
        ("model", "the model, where the file calls it otherwise"),
        ("variant", "the level, like fp32 or int8-dynamic"),
        ("backend", "the runtime"),
    ):
        parser.add_argument(f"--{name}", type=_name, metavar="NAME", help=what)
    parser.add_argument("--json", action="store_true", help="print objects instead of lines")
    options.add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Import every file that can be; the others are named, and end in exit code 2."""
    names = Names(device=args.device, model=args.model, variant=args.variant, backend=args.backend)
    where = measurable(args.store)
    told: list[dict[str, Any]] = []
    refused: list[UsageError] = []
    for path in args.files:
        try:
            ready = intake.understood(path, args.format, names)
        except UsageError as error:
            refused.append(error)
            told.append({"file": str(path), "state": "refused", "reason": str(error)})
        else:
            # made for the first good file: nothing is written for bad ones
            kept = intake.keep(Store.create(where), ready)
            told.append(_told(path, ready.word, kept))
        if not args.json and len(args.files) > len(refused):
            _say(told[-1])
    if args.json:
        print(json.dumps(told, indent=1))
    if len(args.files) == 1 and refused:
        raise refused[0]
    if refused:
        raise UsageError(
            f"{len(refused)} of {len(args.files)} files were not imported: {_all(told)}"
        )
    return 0


def _told(path: Path, word: str, kept: intake.Kept) -> dict[str, Any]:
    """Return what became of one file."""
    return {
        "file": str(path),
        "state": "imported" if kept.new else "already there",
        "format": word,
        "session": kept.session_id,
        "device": kept.device,
        "models": list(kept.models),
        "cases": kept.cases,
    }


def _say(one: dict[str, Any]) -> None:
    """Print one file's line; why one was refused goes to standard error."""
    if one["state"] == "refused":
        print(f"boardmark: {one_line(one['reason'])}", file=sys.stderr)
        return
    cases = f"{one['cases']} case{'' if one['cases'] == 1 else 's'}"
    models = ", ".join(one["models"])
    state = "imported as" if one["state"] == "imported" else "already there as"
    print(
        one_line(
            f"{one['file']}: {one['format']}, {state} {one['session']}: {cases} of {models}"
            f" on {one['device']}"
        )
    )


def _all(told: list[dict[str, Any]]) -> str:
    """Return the names of the files that were refused."""
    return ", ".join(repr(one["file"]) for one in told if one["state"] == "refused")


def _name(text: str) -> str:
    """Return a name that stands on one line of a table."""
    if not text.strip() or not text.isprintable():
        raise argparse.ArgumentTypeError(f"expected a name, not {text!r}")
    return text.strip()
