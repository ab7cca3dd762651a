"""What a writer does to the files below one directory, call by call, as operations of a disk.

The functions of `os` that the store writes with are replaced for the time of the block by ones that
also put down what they did. Whether any way around them was taken shows when the block ends: the
recorded operations must give the very tree that is there.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .disk_model import (
    ROOT,
    Names,
    NewDirectory,
    Op,
    Sync,
    Told,
    Tree,
    Truncate,
    Write,
    grown,
)


class IncompleteLogError(Exception):
    """The tree on the disk is not what the recorded operations give: a call went unnoticed."""


class Recording:
    """The operations below `root` so far; the first `base` of them made what was there before."""

    def __init__(self, root: Path) -> None:
        """Put down what lies below `root` now, all of it synced."""
        self.ops: list[Op] = []
        self._root = root.resolve()
        self._folders: dict[int, dict[str, int]] = {ROOT: {}}
        self._sizes: dict[int, int] = {}
        self._open: dict[int, tuple[int, bool, int]] = {}
        self._count = ROOT
        self._adopt(root, ROOT)
        self.base = len(self.ops)

    def told(self, what: str) -> None:
        """Put down that somebody was told of `what` now."""
        self.ops.append(Told(what))

    # One method for each function of `os`, named like it, called after it succeeded.

    def open(self, done: int, path: Any, flags: int, *_: Any, **__: Any) -> None:
        self._open.pop(done, None)
        place = self._place(path)
        if place is None:
            return
        node = self._folders[place[0]].get(place[1]) if place[1] else place[0]
        if node is None:
            node = self._new()
            self._sizes[node] = 0
            self._name((*place, node))
        elif flags & os.O_TRUNC:
            self._resize(node, 0)
        self._open[done] = node, bool(flags & os.O_APPEND), 0

    def close(self, _: None, descriptor: int) -> None:
        self._open.pop(descriptor, None)

    def write(self, done: int, descriptor: int, data: Any) -> None:
        if descriptor in self._open:
            node, append, at = self._open[descriptor]
            offset = self._sizes[node] if append else at
            self._open[descriptor] = node, append, offset + done
            self._put(node, offset, bytes(data)[:done])

    def pwrite(self, done: int, descriptor: int, data: Any, offset: int) -> None:
        if descriptor in self._open:
            self._put(self._open[descriptor][0], offset, bytes(data)[:done])

    def fsync(self, _: None, descriptor: int) -> None:
        if descriptor in self._open:
            self.ops.append(Sync(self._open[descriptor][0]))

    fdatasync = fsync

    def ftruncate(self, _: None, descriptor: int, size: int) -> None:
        if descriptor in self._open:
            self._resize(self._open[descriptor][0], size)

    def mkdir(self, _: None, path: Any, *__: Any, **___: Any) -> None:
        if place := self._place(path):
            node = self._new()
            self._folders[node] = {}
            self.ops.append(NewDirectory(node))
            self._name((*place, node))

    def unlink(self, _: None, path: Any, *__: Any, **___: Any) -> None:
        if place := self._place(path):
            self._name((*place, None))

    remove = rmdir = unlink

    def link(self, _: None, source: Any, path: Any, *__: Any, **___: Any) -> None:
        if (place := self._place(path)) and (known := self._place(source)):
            self._name((*place, self._folders[known[0]][known[1]]))

    def rename(self, _: None, source: Any, path: Any, *__: Any, **___: Any) -> None:
        if (place := self._place(path)) and (known := self._place(source)):
            node = self._folders[known[0]][known[1]]
            self._name((*known, None), (*place, node))

    replace = rename

    def _adopt(self, folder: Path, node: int) -> None:
        for path in sorted(folder.iterdir()):
            child = self._new()
            if path.is_dir():
                self._folders[child] = {}
                self.ops.append(NewDirectory(child))
                self._adopt(path, child)
            else:
                self._sizes[child] = 0
                self._put(child, 0, path.read_bytes())
                self.ops.append(Sync(child))
            self._name((node, path.name, child))
        self.ops.append(Sync(node))

    def _place(self, path: Any) -> tuple[int, str] | None:
        """Return the directory and the name of a path below the root, None for any other."""
        given = Path(os.fspath(path))
        # the name itself may be a link: that is what is opened, moved or removed
        whole = given.parent.resolve() / given.name
        if whole == self._root:
            return ROOT, ""
        if not whole.is_relative_to(self._root):
            return None
        *parents, name = whole.relative_to(self._root).parts
        node = ROOT
        for parent in parents:
            node = self._folders[node][parent]
        return node, name

    def _new(self) -> int:
        self._count += 1
        return self._count

    def _name(self, *changes: tuple[int, str, int | None]) -> None:
        for folder, name, node in changes:
            if node is None:
                self._folders[folder].pop(name)
            else:
                self._folders[folder][name] = node
        self.ops.append(Names(changes))

    def _put(self, node: int, offset: int, data: bytes) -> None:
        self._sizes[node] = max(self._sizes[node], offset + len(data))
        self.ops.append(Write(node, offset, data))

    def _resize(self, node: int, size: int) -> None:
        self._sizes[node] = size
        self.ops.append(Truncate(node, size))


_RECORDED = (
    "open", "close", "write", "pwrite", "fsync", "fdatasync", "ftruncate", "mkdir", "unlink",
    "remove", "rmdir", "link", "rename", "replace",
)  # fmt: skip


@contextlib.contextmanager
def recorded(root: Path) -> Iterator[Recording]:
    """Record what the block does below `root`; IncompleteLogError where something was missed."""
    recording = Recording(root)
    with contextlib.ExitStack() as stack:
        for name in _RECORDED:
            stack.enter_context(_watched(name, getattr(recording, name)))
        yield recording
    if grown(recording.ops, {}, random.Random(0)) != tree_of(root):
        raise IncompleteLogError(f"a change below {str(root)!r} was not recorded")


def tree_of(root: Path) -> Tree:
    """Return what lies below `root`: contents by path, None for a directory."""
    found = sorted(root.rglob("*"))
    return {
        str(path.relative_to(root)): None if path.is_dir() else path.read_bytes() for path in found
    }


@contextlib.contextmanager
def _watched(name: str, put_down: Callable[..., None]) -> Iterator[None]:
    original = getattr(os, name)

    def calls(*arguments: Any, **named: Any) -> Any:
        done = original(*arguments, **named)
        put_down(done, *arguments, **named)
        return done

    # pathlib of Python 3.10 holds functions of os of its own
    accessor = getattr(pathlib, "_NormalAccessor", None)
    of_accessor = accessor is not None and name != "open" and hasattr(accessor, name)
    kept = vars(accessor)[name] if of_accessor else None
    setattr(os, name, calls)
    if of_accessor:
        setattr(accessor, name, staticmethod(calls))
    try:
        yield
    finally:
        setattr(os, name, original)
        if of_accessor:
            setattr(accessor, name, kept)
