"""Stores of several sessions, what can be read of them, and a storage that dies when told to."""

from __future__ import annotations

import os
import shutil
from collections import Counter

import handmade
import msgspec
import pyarrow.parquet as pq
import stores
from torture import reader

from results import parts, schema
from results.catalog import Catalog
from results.schema import TABLES
from results.sessions import load
from results.storage import open_storage
from results.store import Store

IDS = tuple(f"202611{day:02}T141500Z-3f2a" for day in range(1, 29))


def run_of(session_id, number, factor=1.0):
    return handmade.run(
        number,
        handmade.FP32,
        0,
        factor,
        session_id=session_id,
        run_id=f"{session_id}-{number}",
    )


def add(store, session_id, runs=2, factor=1.0, **plan):
    """Seal a small session; `factor` makes its content another."""
    stores.live(
        store, [run_of(session_id, n, factor) for n in range(runs)], session_id=session_id, **plan
    )
    store.seal(session_id)


def of(where, *session_ids, **options):
    """Return a store with small sessions."""
    store = Store.create(where)
    for session_id in session_ids:
        add(store, session_id, **options)
    return store


def copy(store, where):
    """Return a copy of a whole store."""
    shutil.copytree(store.root, where)
    return Store.open(where)


def seen(store):
    """Return every committed session as our readers give it, without what is not its content."""
    catalog = store.catalog()
    return {name: load(store, name, catalog) for name in catalog.sessions()}


def once(store):
    """Tell that an engine that knows none of our rules finds every run once, no file broken."""
    found = reader.look(store.root)
    return found.doubled() == [] and found.broken == ()


def names(store):
    """Return the path of every part."""
    return sorted(
        str(path.relative_to(store.root)) for path in store.root.glob("parts/**/*.parquet")
    )


def shape(store):
    """Return how many parts each table has."""
    return Counter(name.split("/")[1] for name in names(store))


def part_of(store, table, session_ids, version="2.0", **more):
    """Publish one part of these sessions, of another version and with more columns; its path."""
    import pyarrow as pa

    catalog = Catalog.of(store.storage)
    found = list(dict.fromkeys(catalog.owner(table, one).path for one in session_ids))
    footer = schema.joined([parts.read_footer(store.storage, path) for path in found], "test")
    footer = msgspec.structs.replace(
        footer,
        version=version,
        sessions={one: footer.sessions[one] for one in session_ids},
    )
    rows = pa.concat_tables([parts.read_table(store.storage, path) for path in found])
    rows = parts.only(rows, session_ids)
    for name, value in more.items():
        rows = rows.append_column(name, pa.array([value] * len(rows)))
    return parts.publish(store.storage, footer, parts.encode(rows, footer))


def newer(where, session_ids):
    """Return a store as version 2.7 would have written it: every table has one more column."""
    source = of(where.with_name(where.name + "-ours"), *session_ids)
    store = Store.create(where)
    stores.copy(source, store)
    for table in TABLES:
        for one in session_ids:
            (old,) = stores.files(store, table, one)
            part_of(store, table, [one], version="2.7", tariff=f"night of {one}")
            old.unlink()
    return store


def column(store, table, name):
    """Return a column of every part of a table, by session, as it lies in the files."""
    found = {}
    for path in stores.files(store, table):
        rows = pq.ParquetFile(path).read()
        values = rows[name].to_pylist() if name in rows.column_names else [None] * len(rows)
        for session_id, value in zip(rows["session_id"].to_pylist(), values, strict=True):
            found.setdefault(session_id, set()).add(value)
    return found


class KilledError(BaseException):
    """The process ends here."""


class Mortal:
    """A storage that dies before its n-th operation that changes a file."""

    def __init__(self, storage, lives):
        self._storage = storage
        self.lives = lives
        self.root = storage.root
        self.label = storage.label

    def __getattr__(self, name):
        return getattr(self._storage, name)

    def _step(self):
        self.lives -= 1
        if self.lives < 0:
            raise KilledError

    def publish(self, path, data):
        self._step()
        return self._storage.publish(path, data)

    def replace(self, path, data):
        self._step()
        self._storage.replace(path, data)

    def move(self, path, to):
        self._step()
        self._storage.publish(to, self._storage.read(path))
        self._step()
        self._storage.remove(path)

    def remove(self, *paths):
        for path in paths:
            self._step()
            self._storage.remove(path)


def killed_everywhere(template, where, act):
    """Yield (n, store) for a copy of `template` in which `act(store)` died before operation n.

    The last n is that at which it came to its end.
    """
    for lives in range(1000):
        root = where / f"n{lives}"
        shutil.copytree(template.root, root, copy_function=os.link)  # no part ever changes
        try:
            act(Store(Mortal(open_storage(root), lives)))
        except KilledError:
            yield lives, Store.open(root)
        else:
            yield lives, Store.open(root)
            return
        shutil.rmtree(root)
