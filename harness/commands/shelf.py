"""`boardmark list devices`: what is known, and which boards of the lab answer now."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

import devices
from devices import lab
from devices.lab import Reachable
from harness.errors import BoardmarkError
from harness.types import Json

# What a person waits for at most where boards are switched off: all are asked at the same time.
TIMEOUT_S = 5.0
_MOST_AT_ONCE = 32


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare --lab and --offline."""
    parser.add_argument(
        "--lab",
        type=Path,
        metavar="FILE",
        help="devices: the file that says where boards are (default: lab.toml here, or in the"
        " user's configuration folder)",
    )
    parser.add_argument(
        "--offline", action="store_true", help="devices: do not ask which boards answer"
    )


def rows(args: argparse.Namespace) -> list[Json]:
    """Return one object per device: the boards of the lab, this host, then the profiles.

    `reachable` is None where nobody was asked; `reason` says why a board does not answer.
    """
    path = args.lab or lab.find()
    boards = tuple(lab.load(path).boards.values()) if path else ()
    said = [None] * len(boards) if args.offline else _asked(boards)
    return [
        *(_board(board, answer) for board, answer in zip(boards, said, strict=True)),
        {"device": devices.LOCAL, "kind": "host", "title": "this machine, detected"},
        *(_profile(name) for name in devices.names()),
    ]


def cells(rows: Iterable[Json]) -> list[dict[str, object]]:
    """Return the rows as a table: device, title, aliases or address, whether it answers."""
    return [
        {
            "device": row["device"],
            "title": row["title"],
            "where": row.get("address") or ",".join(row.get("aliases") or ()),
            "state": _state(row),
        }
        for row in rows
    ]


def _state(row: Json) -> str:
    if row["kind"] == "lab":
        words = {True: "answers", False: f"does not answer: {row['reason']}", None: "not asked"}
        return words[row["reachable"]]
    return "your own profile" if row.get("origin") == "user" else ""


def _board(board: Reachable, answer: str | None) -> Json:
    device = devices.load(board.profile) if board.profile else None
    return {
        "device": board.name,
        "kind": "lab",
        "title": device.title if device else "whatever it turns out to be",
        "address": board.address,
        "profile": board.profile,
        "meter": board.meter.kind if board.meter else None,
        "reachable": None if answer is None else not answer,
        "reason": answer or None,
    }


def _profile(name: str) -> Json:
    device = devices.load(name)
    known: Json = msgspec.to_builtins(device)
    del known["name"]
    return {"device": name, "kind": "profile", "origin": devices.origin(device), **known}


def _asked(boards: tuple[Reachable, ...]) -> list[str | None]:
    """Return for each board why it does not answer, "" where it does."""
    if not boards:
        return []
    with ThreadPoolExecutor(min(len(boards), _MOST_AT_ONCE)) as pool:
        return list(pool.map(_ask, boards))


def _ask(board: Reachable) -> str | None:
    from harness.transport.ssh.answering import answers
    from harness.transport.ssh.place import Place

    try:
        answers(Place.of(board), TIMEOUT_S)
    except BoardmarkError as error:
        return error.message
    return ""
