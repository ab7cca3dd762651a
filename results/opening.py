"""Whether a place is a store that this version may read, or can become one."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import msgspec

from harness.errors import StoreError, UsageError
from results import schema
from results.durable import make_directory, translated
from results.layout import INDEX, PARTS, QUARANTINE, SESSIONS, STORE
from results.storage import UNFINISHED, Storage


class _Declared(msgspec.Struct, frozen=True):
    """What store.json says; a store of format 1 has none."""

    boardmark_store: int = 1


def declaration() -> bytes:
    """Return what the file of a store says that this version makes."""
    return msgspec.json.encode(_Declared(schema.major())) + b"\n"


def probe(root: Path) -> None:
    """Make the directories of a store at `root` and write to it once.

    A mount may be read-only although its permissions are fine: only a file tells.
    """
    with translated("write to the store", root):
        for name in (SESSIONS, *(f"{PARTS}/{table}" for table in schema.TABLES)):
            make_directory(root / name)
        probe = root / f"{UNFINISHED}{secrets.token_hex(8)}"
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        probe.unlink()


def refuse_newer(storage: Storage) -> bool:
    """Tell whether a store says what it is; StoreError where it is of a newer format.

    Where it is damaged or cannot be read, the parts tell: each has its own version.
    """
    try:
        declared = msgspec.json.decode(storage.read(STORE), type=_Declared)
    except StoreError:
        return False
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return True
    if declared.boardmark_store > schema.major():
        raise StoreError(
            f"the store {storage.label!r} has format {declared.boardmark_store} and this boardmark "
            f"reads up to {schema.major()}",
            "upgrade boardmark",
        )
    return True


def refuse_inside(storage: Storage) -> None:
    """Raise UsageError for a folder of another store: its parts/ has a folder `sessions`, too."""
    if storage.root is None:
        return
    root = storage.root.absolute()
    for store in root.parents:
        ours = root.relative_to(store).parts[0] in (PARTS, SESSIONS, QUARANTINE, INDEX)
        made_of = (STORE, f"{PARTS}/sessions", f"{PARTS}/runs")
        declared, *tables = ((store / name).exists() for name in made_of)
        if ours and (declared or all(tables)):
            raise UsageError(
                f"{storage.label!r} is a folder inside the store {str(store)!r}",
                "name the store itself",
            )


def has_files(storage: Storage) -> bool:
    """Tell whether a place without store.json holds what a store does."""
    if storage.root is not None:
        with translated("read the store", storage.root):
            return any((storage.root / name).is_dir() for name in (SESSIONS, PARTS))
    return next(iter(storage.walk(PARTS)), None) is not None
