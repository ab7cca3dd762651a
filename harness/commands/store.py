"""Look after a store: take others in, check it, keep it small, remove what is old.

  merge SRC...   take the sealed sessions of other stores over; these stay as they are
  verify         read everything and say what is damaged or lost; changes nothing
  compact        many small files into few large ones
  reindex        read everything, put what is damaged aside, make the index anew
  prune          remove old sessions for good
  remove ID...   remove sessions for good that are named, like an import under a wrong name

Each may be interrupted and done again. exit codes: 0 fine, 1 something is damaged, lost or in
conflict, 2 wrong request or unusable store. See docs/store.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from harness.commands import options
from harness.printable import one_line
from results.store import Store

if TYPE_CHECKING:
    from results.upkeep.removal import Removed

_WORDS = {
    "merge": "take the sealed sessions of other stores over",
    "verify": "say what is damaged or lost",
    "compact": "make few large files of many small ones",
    "reindex": "make the index anew",
    "prune": "remove old sessions",
    "remove": "remove sessions that are named",
}


def prepare(parser: argparse.ArgumentParser) -> None:
    """Declare a word for each kind of upkeep, with its options."""
    words = parser.add_subparsers(dest="what", required=True, metavar="|".join(_WORDS))
    for word, what in _WORDS.items():
        chosen = words.add_parser(word, help=what, description=what, allow_abbrev=False)
        if word == "merge":
            chosen.add_argument(
                "sources",
                nargs="+",
                type=options.place,
                metavar="SRC",
                help="a store: a directory or s3://bucket/prefix",
            )
        if word == "prune":
            chosen.add_argument(
                "--keep",
                required=True,
                metavar="90d|200",
                help="what stays: the last 90 days, or the newest 200 sessions of each device",
            )
        if word == "remove":
            chosen.add_argument(
                "sessions",
                nargs="+",
                metavar="ID",
                help="a sealed session, as boardmark list has it",
            )
        if word in ("prune", "remove"):
            chosen.add_argument(
                "--dry-run", action="store_true", help="say what would go and change nothing"
            )
        chosen.add_argument("--json", action="store_true", help="print objects instead of lines")
        options.add_store(chosen)


def run(args: argparse.Namespace) -> int:
    """Do it and say what came of it."""
    return _RUN[args.what](args)


def _merge(args: argparse.Namespace) -> int:
    """Take every source in, after all of them were found to be stores.

    The store that is merged into is made only where there is something to put into it.
    """
    from results.storage import open_storage
    from results.upkeep import merge

    sources = [Store.open(where) for where in args.sources]
    store = Store(open_storage(args.store))
    for source in sources:
        merge.check(store, source)
    if any(map(merge.offers, sources)):
        store = Store.create(args.store)
    told = []
    for source in sources:
        found = merge.merge(store, source)
        told.append(found)
        if not args.json:
            print(
                one_line(
                    f"{found.source}: {_n(found.added, 'new session')} of {found.sessions},"
                    f" {_n(found.parts, 'part')} copied ({_size(found.size_bytes)})"
                )
            )
            _warn(f"not sealed, left where it is: {name}" for name in found.live)
            _warn(found.problems)
    if args.json:
        _print_json(told)
    return 1 if any(found.problems or found.conflicts for found in told) else 0


def _verify(args: argparse.Namespace) -> int:
    from results.upkeep.verify import verify

    found = verify(Store.open(args.store))
    if args.json:
        _print_json(found)
        return 1 if found.damage else 0
    print(
        f"{_n(found.sessions, 'session')}, {_n(found.runs, 'run')}, {_n(found.samples, 'sample')}"
        f" in {_n(found.parts, 'part')} ({_size(found.size_bytes)});"
        f" {_n(found.journals, 'session')} not sealed"
    )
    for note in found.notes:
        print(one_line(f"note: {note}"))
    _warn(found.damage)
    print(f"{_n(len(found.damage), 'problem')} found" if found.damage else "nothing is damaged")
    return 1 if found.damage else 0


def _compact(args: argparse.Namespace) -> int:
    from results.upkeep.compact import compact

    found = compact(Store.open(args.store))
    if args.json:
        _print_json(found)
    else:
        print(
            f"{_n(found.parts_before, 'part')} ({_size(found.bytes_before)}) ->"
            f" {_n(found.parts_after, 'part')} ({_size(found.bytes_after)})"
        )
        _warn(found.problems)
    return 1 if found.problems else 0


def _reindex(args: argparse.Namespace) -> int:
    from results.upkeep.reindex import reindex

    found = reindex(Store.open(args.store))
    if args.json:
        _print_json(found)
    else:
        print(
            f"{_n(found.sessions, 'session')} in {_n(found.parts, 'part')},"
            f" {_n(found.leftovers, 'leftover')} removed"
        )
        _warn(found.problems)
    return 1 if found.problems else 0


def _prune(args: argparse.Namespace) -> int:
    from results.upkeep import prune

    keep = prune.parse(args.keep)
    return _removed(prune.prune(Store.open(args.store), keep, args.dry_run), args.json)


def _remove(args: argparse.Namespace) -> int:
    from results.upkeep.remove import remove

    return _removed(remove(Store.open(args.store), args.sessions, args.dry_run), args.json)


def _removed(found: Removed, as_json: bool) -> int:
    """Say what went."""
    if as_json:
        _print_json(found)
        return 1 if found.problems else 0
    for name in found.removed:
        print(name)
    said = "would be removed" if found.dry_run else "removed"
    size = "" if found.size_bytes is None else f" ({_size(found.size_bytes)})"
    print(f"{_n(len(found.removed), 'session')} {said}{size}, {_n(found.kept, 'session')} kept")
    _warn((*found.notes, *found.problems))
    return 1 if found.problems else 0


_RUN = {
    "merge": _merge,
    "verify": _verify,
    "compact": _compact,
    "reindex": _reindex,
    "prune": _prune,
    "remove": _remove,
}


def _warn(sentences: Any) -> None:
    for sentence in sentences:
        print(one_line(f"boardmark: {sentence}"), file=sys.stderr)


def _print_json(found: Any) -> None:
    print(json.dumps(msgspec.to_builtins(found), indent=1))


def _n(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _size(size_bytes: int) -> str:
    from harness import units

    return units.show(float(size_bytes), "bytes")
