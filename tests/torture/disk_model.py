"""A disk in memory that forgets what was not synced: every tree that a power cut may leave.

What POSIX promises is all that counts: the content of a file is safe after its fsync, a name after
the fsync of its directory. Anything later may be there or not, in any combination, and content that
was not synced may also be cut short or be zeros of the right length.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

ROOT = 0
# Up to so many unsynced operations are tried in every combination.
EXHAUSTIVE = 3

How = Literal["lost", "done", "cut", "zeros"]


class Names(msgspec.Struct, frozen=True):
    """Entries of directories that change as one: (directory, name, node); no node takes it away."""

    changes: tuple[tuple[int, str, int | None], ...]


class NewDirectory(msgspec.Struct, frozen=True):
    """A node that is a directory; its name is a change of its own."""

    node: int


class Write(msgspec.Struct, frozen=True):
    """Bytes of a file from `offset` on."""

    node: int
    offset: int
    data: bytes


class Truncate(msgspec.Struct, frozen=True):
    """A file is `size` bytes long from here."""

    node: int
    size: int


class Sync(msgspec.Struct, frozen=True):
    """The content of a file, or the names in a directory, are on the disk."""

    node: int


class Told(msgspec.Struct, frozen=True):
    """Somebody was told that this is safe."""

    what: str


Op = Names | NewDirectory | Write | Truncate | Sync | Told
Tree = dict[str, bytes | None]


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """What a power cut behind `after` operations left: file contents by path, None a directory.

    `told` is what had been acknowledged by then, `lost` says in words which operations were not
    wholly done.
    """

    after: int
    tree: Tree
    told: tuple[str, ...]
    lost: str


def cuts(ops: Sequence[Op], begin: int, samples: int, seed: int) -> Iterator[Cut]:
    """Yield what a cut may leave behind each operation from `begin` on, each tree once.

    Where more than EXHAUSTIVE operations are not synced, `samples` combinations are drawn, those
    among them in which all or none of them are done.
    """
    rng = random.Random(seed)
    seen = set()
    for after in range(begin, len(ops) + 1):
        told = tuple(op.what for op in ops[:after] if isinstance(op, Told))
        open_ones = unsynced(ops[:after])
        for fates in _combinations(ops, open_ones, samples, rng):
            tree = grown(ops[:after], fates, rng)
            key = (told, frozenset(tree.items()))
            if key not in seen:
                seen.add(key)
                yield Cut(after=after, tree=tree, told=told, lost=_words(ops, fates))


def unsynced(ops: Sequence[Op]) -> list[int]:
    """Return the positions of the operations that no sync behind them made safe."""
    waiting: dict[int, int] = {}
    for position, op in enumerate(ops):
        if isinstance(op, Names):
            waiting[position] = op.changes[-1][0]
        elif isinstance(op, Write | Truncate):
            waiting[position] = op.node
        elif isinstance(op, Sync):
            waiting = {at: node for at, node in waiting.items() if node != op.node}
    return sorted(waiting)


def grown(ops: Sequence[Op], fates: dict[int, How], rng: random.Random) -> Tree:
    """Return the tree that `ops` make where some of them meet a fate."""
    folders: dict[int, dict[str, int]] = {ROOT: {}}
    files: dict[int, bytearray] = {}
    for position, op in enumerate(ops):
        fate = fates.get(position, "done")
        if isinstance(op, NewDirectory):
            folders[op.node] = {}
        elif fate == "lost":
            continue
        elif isinstance(op, Names):
            _rename(folders, op)
        elif isinstance(op, Write):
            _write(files.setdefault(op.node, bytearray()), op, fate, rng)
        elif isinstance(op, Truncate):
            _resize(files.setdefault(op.node, bytearray()), op.size)
    return dict(_paths(folders, files, ROOT, ""))


def laid_out(tree: Tree, where: Path) -> None:
    """Make the files and directories of `tree` in the new directory `where`."""
    where.mkdir()
    for path, content in tree.items():
        if content is None:
            (where / path).mkdir()
        else:
            (where / path).write_bytes(content)


def _combinations(
    ops: Sequence[Op], open_ones: list[int], samples: int, rng: random.Random
) -> Iterable[dict[int, How]]:
    choices: list[tuple[How, ...]] = [
        ("done", "lost", "cut", "zeros") if isinstance(ops[at], Write) else ("done", "lost")
        for at in open_ones
    ]
    if len(open_ones) <= EXHAUSTIVE:
        for combination in itertools.product(*choices):
            yield dict(zip(open_ones, combination, strict=True))
        return
    yield dict.fromkeys(open_ones, "done")
    yield dict.fromkeys(open_ones, "lost")
    for _ in range(samples - 2):
        yield {at: rng.choice(choice) for at, choice in zip(open_ones, choices, strict=True)}


def _rename(folders: dict[int, dict[str, int]], op: Names) -> None:
    for folder, name, node in op.changes:
        if node is None:
            folders[folder].pop(name, None)
        else:
            folders[folder][name] = node


def _write(content: bytearray, op: Write, fate: How, rng: random.Random) -> None:
    data = op.data
    if fate == "cut":
        data = data[: rng.randrange(len(data) + 1)]
    elif fate == "zeros":
        # pages reach the disk in any order
        whole = rng.randrange(len(data) + 1)
        data = bytes(whole) + data[whole:]
    if len(content) < op.offset:
        _resize(content, op.offset)
    content[op.offset : op.offset + len(data)] = data


def _resize(content: bytearray, size: int) -> None:
    if len(content) > size:
        del content[size:]
    else:
        content.extend(bytes(size - len(content)))


def _paths(
    folders: dict[int, dict[str, int]], files: dict[int, bytearray], folder: int, prefix: str
) -> Iterator[tuple[str, bytes | None]]:
    for name, node in sorted(folders[folder].items()):
        path = f"{prefix}{name}"
        if node in folders:
            yield path, None
            yield from _paths(folders, files, node, f"{path}/")
        else:
            yield path, bytes(files.get(node, b""))


def _words(ops: Sequence[Op], fates: dict[int, How]) -> str:
    found = []
    for position, fate in fates.items():
        op = ops[position]
        if fate != "done":
            what = op.changes[-1][1] if isinstance(op, Names) else type(op).__name__.lower()
            found.append(f"{position} ({what}) {fate}")
    return ", ".join(found)
