"""List what is there: sessions (default), suites, devices, models, variants or backends."""

from __future__ import annotations

import argparse
import sys
import time

import msgspec

from harness.commands import options, shelf
from harness.printable import one_line

WHAT = ("sessions", "suites", "devices", "models", "variants", "backends")


def prepare(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("what", nargs="?", choices=WHAT, default="sessions")
    parser.add_argument("--json", action="store_true", help="print objects instead of lines")
    options.add_store(parser)
    shelf.add_options(parser)


def run(args: argparse.Namespace) -> int:
    """Print one line or object each."""
    rows = _LISTS[args.what](args)
    if args.json:
        print(msgspec.json.format(msgspec.json.encode(rows), indent=1).decode())
        return 0
    table = shelf.cells(rows) if args.what == "devices" else rows
    lines = [[one_line(_shown(*cell)) for cell in row.items()] for row in table]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (f"{text:{width}}" for text, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())
    if not rows:
        print(f"no {args.what} here")
    return 0


def _shown(name: str, value: object) -> str:
    """Return a value for people; a count carries its name, like `1 run`."""
    if isinstance(value, int):
        return f"{value} {name.removesuffix('s') if value == 1 else name}"
    return str(value)


# The two sides of a gate belong into one stretch of time: nothing resumes one.
_UNFINISHED = {
    "run": "unfinished: boardmark run --resume",
    "import": "unfinished: boardmark import its file again",
}


def _sessions(args: argparse.Namespace) -> list[dict[str, object]]:
    from results.sessions import list_sessions
    from results.store import Store

    listing = list_sessions(Store.open(args.store))
    for problem in listing.problems:
        print(one_line(problem), file=sys.stderr)
    return [
        {
            "session": entry.session_id,
            "created": time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.created_unix_s)),
            "device": entry.device,
            "kind": entry.kind,
            "suite": entry.suite,
            "models": ",".join(entry.models),
            "cases": entry.cases,
            "runs": entry.runs,
            "state": "sealed" if entry.sealed else _UNFINISHED.get(entry.kind, "unfinished"),
        }
        for entry in listing.entries
    ]


def _suites(args: argparse.Namespace) -> list[dict[str, object]]:
    import suites

    return [{"suite": name, "question": suites.load(name).question} for name in suites.names()]


def _models(args: argparse.Namespace) -> list[dict[str, object]]:
    from suites.models import zoo

    return [{"model": name, "description": text} for name, text in zoo().items()]


def _variants(args: argparse.Namespace) -> list[dict[str, object]]:
    from suites.variants import VARIANTS

    return [{"variant": name} for name in VARIANTS]


def _backends(args: argparse.Namespace) -> list[dict[str, object]]:
    import backends

    return [
        {"backend": name, "formats": ",".join(row["formats"]), "install": row["install"]}
        for name, row in backends.TABLE.items()
    ]


_LISTS = {
    "sessions": _sessions,
    "suites": _suites,
    "devices": shelf.rows,
    "models": _models,
    "variants": _variants,
    "backends": _backends,
}
