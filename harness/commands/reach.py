"""From the word after --device to a board: this host, or one that the lab file names, over SSH."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Mapping
from pathlib import Path

from devices import LOCAL, lab, words
from devices.lab import Reachable
from harness import places
from harness.errors import unknown
from harness.session.boards import Board
from harness.transport import meters, ssh
from harness.transport.interpreters import Interpreters
from harness.transport.local import LocalTransport
from harness.transport.metered import MeteredTransport


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare --device and --lab."""
    parser.add_argument(
        "--device",
        default=LOCAL,
        help="local (default): this host, whatever it is; a board of the lab file; or the board"
        " that this host is",
    )
    parser.add_argument(
        "--lab",
        type=Path,
        metavar="FILE",
        help="the file that says where boards are (default: lab.toml here, or in the user's"
        " configuration folder)",
    )


def place(word: str, file: Path | None) -> Reachable | None:
    """Return the lab's entry for a device's name, None where this host is meant.

    Raises UsageError where the lab file is wrong, or was named and cannot be read.
    """
    if word == LOCAL:
        return None
    path = file or lab.find()
    return lab.load(path).boards.get(word) if path else None


def check(word: str, file: Path | None) -> None:
    """Raise UsageError for a word that names no device at all, with the nearest that there are."""
    if word == LOCAL:
        return
    path = file or lab.find()
    there = lab.load(path).boards if path else {}
    if word not in there and word not in (known := words()):
        raise unknown("device", word, [LOCAL, *there, *known])


def board(where: Reachable | None, interpreters: Mapping[str, str] | None = None) -> Board:
    """Return the board, its agents not started yet; `interpreters` are {backend: python} there."""
    if where is None:
        cache = places.cache()
        return Board(lambda python: LocalTransport(cache, python), Interpreters(interpreters or {}))
    named = {**where.interpreters, **(interpreters or {})}
    # One word for all agents of this command: to the board they are one session.
    token = secrets.token_hex(8)
    connect = ssh.connector(ssh.Place.of(where), token)
    meter = where.meter
    if meter is None:
        return Board(connect, lambda backend: named.get(backend, where.python))
    return Board(
        lambda python: MeteredTransport(connect(python), meter),
        lambda backend: named.get(backend, where.python),
    )


def meter_trouble(where: Reachable | None) -> str | None:
    """Return why a board's meter tells nothing now, None where it does or where there is none.

    Said before a session: every pass for its power takes a minute.
    """
    if where is None or where.meter is None:
        return None
    try:
        meters.read(where.meter)
    except meters.Gap as gap:
        return f"the power meter of {where.name!r} tells nothing: {gap}; see the lab file"
    return None
