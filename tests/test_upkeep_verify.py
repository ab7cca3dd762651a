from __future__ import annotations

import random

import handmade
import msgspec
import pytest
import stores
import upkeep_stores as many

from harness.errors import StoreError
from results import parts, schema
from results.catalog import Catalog
from results.index import Index
from results.lock import rewriting
from results.schema import TABLES
from results.sessions import Entry as Line
from results.sessions import list_sessions
from results.storage import Entry
from results.store import Store
from results.upkeep.compact import compact
from results.upkeep.merge import merge
from results.upkeep.reindex import reindex
from results.upkeep.verify import verify

_A, _B, _C = many.IDS[:3]


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    store = many.of(tmp_path_factory.mktemp("template") / "store", _A, _B)
    compact(store)
    many.add(store, _C)
    list_sessions(store)
    return store


@pytest.fixture
def store(tmp_path, template):
    return many.copy(template, tmp_path / "store")


def test_all_is_well(store):
    before = stores.contents(store.root)
    told = verify(store)
    assert (told.damage, told.notes) == ((), ())
    assert (told.sessions, told.runs, told.samples, told.parts, told.journals) == (3, 6, 120, 10, 0)
    assert told.size_bytes == sum(
        path.stat().st_size for path in store.root.glob("parts/**/*.parquet")
    )
    assert stores.contents(store.root) == before


def test_the_golden_store_is_well_but_for_its_torn_tail(tmp_path):
    told = verify(stores.golden(tmp_path / "store"))
    assert (told.sessions, told.journals, told.damage) == (2, 1, ())
    assert ["never finished" in note for note in told.notes] == [True]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("compact_one", [True, False])
def test_any_flipped_byte_and_any_missing_part_is_damage(store, table, compact_one):
    chosen = [
        path for path in stores.files(store, table) if ("compact" in path.name) == compact_one
    ]
    (path,) = chosen
    data = path.read_bytes()
    for place in random.Random(7).sample(range(len(data)), 4):
        path.write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        before = stores.contents(store.root)
        assert path.name in str(verify(store).damage)
        assert stores.contents(store.root) == before
    path.unlink()
    named = (_A, _B) if compact_one else (_C,)
    assert all(one in str(verify(store).damage) for one in named)


def _rewritten(store, table, change):
    """Put rows into the place of the part of session C, with a digest and name that are right."""
    (path,) = stores.files(store, table, _C)
    name = str(path.relative_to(store.root))
    footer = parts.read_footer(store.storage, name)
    rows = change(parts.read_table(store.storage, name).to_pylist())
    path.unlink()
    parts.publish(store.storage, footer, parts.encode(rows, footer))


@pytest.mark.parametrize(
    ("table", "change", "clause"),
    [
        ("runs", lambda rows: rows[1:], "has 1 of 2 runs"),
        ("runs", lambda rows: rows[:-1], "has 0 of 1 skipped"),
        ("runs", lambda rows: rows[:1] * 2 + rows[2:], "runs twice"),
        ("samples", lambda rows: rows[2:], "has 20 of 40 samples"),
        (
            "samples",
            lambda rows: [{**row, "values": row["values"][1:]} for row in rows],
            "has 38 of",
        ),
        ("sessions", lambda rows: rows * 2, "2 rows in 'sessions'"),
        ("environments", lambda rows: [], "0 rows in 'environments'"),
        ("runs", lambda rows: [{**row, "session_id": _A} for row in rows], "does not name"),
    ],
)
def test_rows_that_are_too_few_or_too_many_are_damage(store, table, change, clause):
    _rewritten(store, table, change)
    assert clause in str(verify(store).damage)


def test_a_part_without_schema_or_with_other_columns_is_damage(store):
    import pyarrow as pa
    import pyarrow.parquet as pq

    (path,) = stores.files(store, "samples", _C)
    table = pq.read_table(path, partitioning=None).drop_columns(["unit"])
    footer = parts.read_footer(store.storage, str(path.relative_to(store.root)))
    for metadata, clause in (
        (schema.metadata(footer), "no column 'unit'"),
        (None, "no schema version"),
    ):
        sink = pa.BufferOutputStream()
        pq.write_table(table.replace_schema_metadata(metadata), sink)
        data = sink.getvalue().to_pybytes()
        target = store.root / parts.path_of(footer, data)
        target.write_bytes(data)
        assert clause in str(verify(store).damage)
        target.unlink()


def test_a_damaged_journal_is_damage_and_a_torn_tail_is_not(store):
    stores.live(store)
    path = store.journal(handmade.SESSION_ID)
    data = path.read_bytes()
    path.write_bytes(data[:-30])
    told = verify(store)
    assert (told.damage, told.journals, len(told.notes)) == ((), 1, 1)
    path.write_bytes(data[:4000] + b"?" + data[4001:])
    assert "journal.ndjson" in str(verify(store).damage)


def test_rows_that_nothing_commits_are_damage(store):
    (commit,) = stores.files(store, "sessions", _C)
    commit.unlink()
    assert "merge or seal it again" in str(verify(store).damage)


def test_leftovers_are_notes_and_reindex_drops_them(store):
    for folder in ("parts/runs", "quarantine"):
        (store.root / folder).mkdir(exist_ok=True)
        (store.root / folder / ".tmp-0123456789abcdef").write_bytes(b"half")
    fresh = store.root / "index" / ".tmp-0123456789abcdef"
    fresh.write_bytes(b"of a reader that is at work")
    (store.root / "parts" / "notes.txt").write_text("mine")
    told = verify(store)
    assert told.damage == ()
    assert "2 files were never finished" in str(told.notes)
    assert "is no part" in str(told.notes)
    assert reindex(store).leftovers == 2
    assert (store.root / "parts" / "notes.txt").exists()
    assert "never finished" not in str(verify(store).notes)


def test_parts_that_say_the_same_twice_are_a_note(store, template):
    many.part_of(store, "runs", [_A, _B, _C])
    told = verify(store)
    assert told.damage == ()
    assert "boardmark store compact" in str(told.notes)
    assert (told.runs, told.samples) == (6, 120)


def test_what_lies_in_quarantine_is_damage_unless_its_session_is_whole(store, template):
    (rotten,) = stores.files(store, "sessions", _C)
    data = rotten.read_bytes()
    rotten.write_bytes(data[:-1])
    list_sessions(store)
    assert rotten.name[:-8] in str(verify(store).damage)
    merge(store, template)
    told = verify(store)
    assert told.damage == ()
    assert "whole all the same" in str(told.notes)


@pytest.mark.parametrize("lie", [{}, {_A: "0" * 16, _B: "0" * 16}])
def test_an_index_that_contradicts_the_parts_is_damage_and_reindex_mends_it(store, lie):
    for name in ("footers", "entries"):
        index = Index(store.storage, name, dict[str, str] if name == "footers" else list)
        for path, (size, changed, _) in list(index.known.items()):
            if "compact" in path:
                index.known[path] = (size, changed, lie if name == "footers" else [])
        index._changed = True
        index.save(lambda _: True)
        told = verify(store)
        if lie or name == "entries":
            assert "reindex" in str(told.damage)
    before = many.copy(store, store.root.with_name("lying"))
    assert reindex(store).problems == ()
    assert verify(store).damage == ()
    assert before.root.exists()


def test_a_rebuilt_index_says_what_the_incremental_one_said(tmp_path, template):
    store = many.copy(template, tmp_path / "store")
    for step in (
        list_sessions,
        compact,
        lambda s: many.add(s, many.IDS[7]),
        list_sessions,
        compact,
    ):
        step(store)
    listed = list_sessions(store)
    kept = {
        name: Index(store.storage, name, kind).known
        for name, kind in (("footers", dict[str, str]), ("entries", tuple[Line, ...]))
    }
    told = reindex(store)
    assert (told.sessions, told.parts, told.problems) == (4, 5, ())
    for name, kind in (("footers", dict[str, str]), ("entries", tuple[Line, ...])):
        rebuilt = Index(store.storage, name, kind).known
        assert kept[name].items() <= rebuilt.items()
    assert list_sessions(store) == listed
    first = {path.name: path.read_bytes() for path in (store.root / "index").iterdir()}
    reindex(store)
    again = {path.name: path.read_bytes() for path in (store.root / "index").iterdir()}
    assert {name: sorted(data) for name, data in first.items()} == {
        name: sorted(data) for name, data in again.items()
    }


def test_reindex_puts_corrupt_parts_aside(store):
    for table in TABLES:
        (path,) = stores.files(store, table, _C)
        data = path.read_bytes()
        path.write_bytes(data[:60] + bytes([data[60] ^ 1]) + data[61:])
    told = reindex(store)
    assert (told.sessions, told.parts) == (2, 5)
    assert len([one for one in told.problems if "moved to" in one]) == 5
    assert many.seen(store).keys() == {_A, _B}


class _Restless:
    """A place in which a file changes whenever one looks."""

    def __init__(self, storage):
        self._storage = storage
        self._looks = 0

    def __getattr__(self, name):
        return getattr(self._storage, name)

    def walk(self, prefix=""):
        self._looks += 1
        yield from self._storage.walk(prefix)
        if prefix == "parts":
            yield Entry(path="parts/changing", size_bytes=self._looks, mtime_ns=self._looks)


def test_a_store_that_never_stands_still_is_said_so(store):
    with pytest.raises(StoreError, match="changes faster than it can be verified"):
        verify(Store(_Restless(store.storage)))


def test_a_catalog_of_the_whole_store_is_the_same_with_and_without_index(store):
    with_index = Catalog.of(store.storage)
    told = {
        t: [(p.path, with_index.known(p).sessions) for p in with_index.parts(t)] for t in TABLES
    }
    for path in (store.root / "index").iterdir():
        path.unlink()
    bare = Catalog.of(store.storage)
    assert told == {t: [(p.path, bare.known(p).sessions) for p in bare.parts(t)] for t in TABLES}
    assert msgspec.json.encode(told)
    assert Store.open(store.root).sessions() == (_A, _B, _C)


def test_reindex_reads_without_keeping_others_out(store, monkeypatch):
    def check(*words):
        held.append(rewriting(store.root)[1])
        return checked(*words)

    held, checked = [], parts.check
    monkeypatch.setattr(parts, "check", check)
    assert reindex(store).parts == 10
    assert held
    assert not any(held)


def test_reindex_goes_on_where_a_part_is_compacted_meanwhile(store, monkeypatch):
    def check(*words):
        if not meanwhile:
            meanwhile.append(compact(Store.open(store.root)))
        return checked(*words)

    meanwhile, checked = [], parts.check
    monkeypatch.setattr(parts, "check", check)
    told = reindex(store)
    assert (told.sessions, told.parts, told.problems) == (3, 5, ())
    assert verify(store).damage == ()
