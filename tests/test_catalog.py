from __future__ import annotations

import io
import shutil

import handmade
import pyarrow.parquet as pq
import pytest
import stores

from harness.errors import StoreError
from results import layout, parts, quarantine
from results.catalog import Catalog
from results.schema import TABLES
from results.sessions import list_sessions, load
from results.store import Store
from results.upkeep.merge import merge

_A, _B, _C = (f"2026110{day}T000000Z-{day}aaa" for day in (1, 2, 3))


@pytest.fixture
def store(tmp_path):
    store = Store.create(tmp_path / "store")
    for number, session_id in enumerate((_A, _B, _C)):
        stores.live(store, handmade.runs()[: 3 + number], session_id)
        store.seal(session_id)
    return store


def _paths(store, table, session_id):
    return [str(path.relative_to(store.root)) for path in stores.files(store, table, session_id)]


def test_single_parts_count_each_for_its_session_and_none_is_opened(store, monkeypatch):
    monkeypatch.setattr(parts, "read_footer", None)
    catalog = Catalog.of(store.storage)
    assert catalog.sessions() == (_A, _B, _C)
    for table in TABLES:
        assert [part.sessions for part in catalog.parts(table)] == [
            {_A: None},
            {_B: None},
            {_C: None},
        ]
        assert [out for _, out in catalog.live(table)] == [frozenset()] * 3
        assert [catalog.owner(table, _B).path] == _paths(store, table, _B)
    part = catalog.parts("runs")[0]
    assert (part.table, part.month, part.device) == ("runs", "2026-11", "local")
    assert part.size_bytes == (store.root / part.path).stat().st_size


@pytest.mark.parametrize("table", TABLES)
def test_a_compact_part_shadows_the_single_ones_with_the_same_content(store, table):
    before = {session_id: load(store, session_id) for session_id in (_A, _B, _C)}
    listing = list_sessions(store)
    path = stores.compact(store, table, (_A, _B))
    catalog = Catalog.of(store.storage)
    live = catalog.live(table)
    assert {part.path: out for part, out in live} == {
        path: frozenset(),
        _paths(store, table, _C)[0]: frozenset(),
    }
    assert catalog.conflicts() == {}
    assert {session_id: load(store, session_id) for session_id in (_A, _B, _C)} == before
    assert list_sessions(store) == listing
    for single in (*stores.files(store, table, _A), *stores.files(store, table, _B)):
        single.unlink()
    assert {session_id: load(store, session_id) for session_id in (_A, _B, _C)} == before
    assert list_sessions(store) == listing


def test_of_two_compact_parts_the_first_by_name_counts(store):
    first, second = sorted(stores.compact(store, "runs", ids) for ids in ((_A, _B), (_B, _C)))
    live = {part.path: out for part, out in Catalog.of(store.storage).live("runs")}
    both = Catalog.of(store.storage).parts("runs")
    covered = {part.path: set(part.sessions) for part in both}
    assert live[first] == frozenset()
    assert live[second] == {_B}
    assert covered[first] | covered[second] == {_A, _B, _C}


def test_what_no_part_of_sessions_commits_is_not_read(store):
    (commit,) = stores.files(store, "sessions", _B)
    commit.unlink()
    catalog = Catalog.of(store.storage)
    assert catalog.sessions() == (_A, _C)
    assert catalog.owner("runs", _B) is None
    assert [set(part.sessions) for part, _ in catalog.live("runs")] == [{_A}, {_C}]
    path = stores.compact(store, "runs", (_A, _B))
    (found,) = [out for part, out in Catalog.of(store.storage).live("runs") if part.path == path]
    assert found == {_B}


def test_a_part_with_other_content_than_the_commit_is_not_read(store, tmp_path):
    other = stores.sealed(tmp_path / "other", _A)
    (stray,) = stores.files(other, "runs")
    target = store.root / stray.relative_to(other.root)
    target.write_bytes(stray.read_bytes())
    expected = load(store, _B)
    catalog = Catalog.of(store.storage)
    assert catalog.owner("runs", _A).path != str(stray.relative_to(other.root))
    assert catalog.conflicts() == {}
    assert len(load(store, _A).runs) == 3
    assert load(store, _B) == expected


@pytest.mark.parametrize("table", ["sessions", "runs"])
def test_a_compact_part_that_rots_gives_way_to_the_single_ones(store, table):
    before = {session_id: load(store, session_id).runs for session_id in (_A, _B, _C)}
    path = store.root / stores.compact(store, table, (_A, _B))
    data = path.read_bytes()
    path.write_bytes(data[:50] + bytes([data[50] ^ 1]) + data[51:])
    found = load(store, _A)
    assert found.runs == before[_A]
    assert f"{table} part '{path.stem}' is left out" in found.problems[0]
    assert not path.exists()
    listing = list_sessions(store)
    assert [entry.session_id for entry in listing.entries] == [_A, _B, _C]
    assert {session_id: load(store, session_id).runs for session_id in (_A, _B, _C)} == before


@pytest.mark.parametrize("junk", [b"", b"PAR1PAR1", b"\x00" * 100])
def test_a_compact_part_whose_footer_is_gone_goes_to_quarantine(store, junk):
    folder = stores.files(store, "sessions", _A)[0].parent
    path = folder / f"compact-{'0' * 16}.parquet"
    path.write_bytes(junk)
    listing = list_sessions(store)
    assert [entry.session_id for entry in listing.entries] == [_A, _B, _C]
    assert any(path.stem in problem for problem in listing.problems)
    assert not path.exists()


def test_strangers_among_the_parts_are_left_alone(store):
    folder = stores.files(store, "runs", _A)[0].parent
    for name in ("notes.txt", f"{_A}.parquet", "x.parquet", ".tmp-00", f"{_A}-{'G' * 16}.parquet"):
        (folder / name).write_text("?")
    before = stores.contents(store.root / "parts")
    assert [len(Catalog.of(store.storage).parts(table)) for table in TABLES] == [3] * 5
    assert list_sessions(store).problems == ()
    assert stores.contents(store.root / "parts") == before


def test_a_conflict_inside_a_compact_part_takes_only_its_session_out(store, tmp_path):
    for table in TABLES:
        path = stores.compact(store, table, (_A, _B))
        for session_id in (_A, _B):
            for single in stores.files(store, table, session_id):
                single.unlink()
        assert (store.root / path).is_file()
    kept = load(store, _B)
    other = stores.sealed(tmp_path / "other", _A)
    stores.copy(other, store)
    catalog = Catalog.of(store.storage)
    assert set(catalog.conflicts()) == {_A}
    assert catalog.sessions() == (_B, _C)
    assert catalog.owner("runs", _A) is None
    (sentence,) = quarantine.settle(store.storage, catalog)
    assert _A in sentence
    assert Catalog.of(store.storage).sessions() == (_B, _C)
    assert load(store, _B) == kept
    assert len(list((store.root / "quarantine").glob(f"{_A}-*.parquet"))) == 10
    assert quarantine.conflicted(store.storage) == {_A}
    assert not list((store.root / "parts").rglob(f"{_A}*"))
    before = stores.contents(store.root)
    assert quarantine.settle(store.storage, Catalog.of(store.storage)) == []
    assert stores.contents(store.root).keys() == before.keys()


def test_both_contents_of_a_conflict_can_be_had_back(store, tmp_path):
    other = stores.sealed(tmp_path / "other", _A)
    expected = load(store, _A)
    original = {path.name: path for table in TABLES for path in stores.files(store, table, _A)}
    stores.copy(other, store)
    list_sessions(store)
    for path in (store.root / "quarantine").iterdir():
        if path.name in original:
            path.rename(original[path.name])
        else:
            path.unlink()
    assert load(store, _A) == expected


def test_what_was_taken_out_of_a_compact_part_goes_where_its_reason_says(store, tmp_path):
    expected = load(store, _A)
    other = stores.sealed(tmp_path / "other", _A)
    theirs = {path.name for table in TABLES for path in stores.files(other, table, _A)}
    for table in TABLES:
        stores.compact(store, table, (_A, _B))
        for single in stores.files(store, table, _A):
            single.unlink()
    stores.copy(other, store)
    list_sessions(store)
    for path in sorted((store.root / "quarantine").iterdir()):
        if path.name.startswith(_A) and path.suffix == ".parquet" and path.name not in theirs:
            reason = path.with_name(f"{path.stem}.reason.txt").read_text()
            path.rename(store.root / reason.partition(": ")[0])
    for path in (store.root / "quarantine").iterdir():
        path.unlink()
    assert load(store, _A) == expected


def test_a_part_that_rots_again_after_a_merge_can_be_put_aside_again(store, tmp_path):
    whole = store.root.rename(tmp_path / "whole")
    shutil.copytree(whole, store.root)
    for place in (40, 41):
        (path,) = stores.files(store, "runs", _A)
        data = path.read_bytes()
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert "moved to" in str(load(store, _A).problems)
        merge(store, Store.open(whole))
        assert load(store, _A) == load(Store.open(whole), _A)
    assert len(list((store.root / "quarantine").glob("*.parquet"))) == 2


def test_settling_that_was_killed_is_completed_by_the_next_reader(store, tmp_path, monkeypatch):
    other = stores.sealed(tmp_path / "other", _A)
    stores.copy(other, store)
    move, moved = type(store.storage).move, []

    def fail(self, path, to):
        if len(moved) == 4:
            raise StoreError("killed")
        moved.append(path)
        move(self, path, to)

    with monkeypatch.context() as patched:
        patched.setattr(type(store.storage), "move", fail)
        assert "killed" in list_sessions(store).problems[-1]
    assert len(list_sessions(store).entries) == 2
    assert len(list((store.root / "quarantine").glob("*.parquet"))) == 10


def test_sound_parts_are_hashed_once_and_rotten_ones_go_to_quarantine(store, monkeypatch):
    catalog = Catalog.of(store.storage)
    good, problems = catalog.sound(catalog.parts("runs"))
    assert (len(good), problems) == (3, [])
    catalog.save()
    again = Catalog.of(store.storage)
    with monkeypatch.context() as patched:
        patched.setattr(parts, "read_bytes", None)
        assert len(again.sound(again.parts("runs"))[0]) == 3
    (path,) = stores.files(store, "runs", _B)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    again = Catalog.of(store.storage)
    good, (problem,) = again.sound(again.parts("runs"))
    assert [set(part.sessions) for part in good] == [{_A}, {_C}]
    assert path.stem in problem
    assert not path.exists()


def test_a_rotten_part_that_cannot_be_moved_does_not_count_either(store):
    (path,) = stores.files(store, "runs", _B)
    path.write_bytes(b"junk")
    (store.root / "quarantine").write_text("in the way")
    catalog = Catalog.of(store.storage)
    catalog.sound(catalog.parts("runs"))
    assert [set(part.sessions) for part, _ in catalog.live("runs")] == [{_A}, {_C}]
    assert path.exists()


def test_a_part_of_a_newer_major_version_is_named_and_does_not_count(store):
    path = store.root / stores.compact(store, "sessions", (_A, _B))
    rows = pq.ParquetFile(path).read()
    path.unlink()
    footer = dict(rows.schema.metadata) | {b"boardmark.schema_version": b"3.0"}
    sink = io.BytesIO()
    pq.write_table(rows.replace_schema_metadata(footer), sink)
    newer = sink.getvalue()
    target = path.with_name(f"compact-{layout.digest_of(newer)}.parquet")
    target.write_bytes(newer)
    listing = list_sessions(store)
    assert [entry.session_id for entry in listing.entries] == [_A, _B, _C]
    assert any("upgrade boardmark" in problem for problem in listing.problems)
    assert target.is_file()


def test_a_session_that_is_compacted_while_it_is_read_is_found_again(store, monkeypatch):
    expected = load(store, _A)
    read = parts.read_table

    def racing(storage, path, *rest, **options):
        monkeypatch.undo()
        for table in TABLES:
            stores.compact(store, table, (_A, _B))
            for session_id in (_A, _B):
                for single in stores.files(store, table, session_id):
                    single.unlink()
        return read(storage, path, *rest, **options)

    monkeypatch.setattr(parts, "read_table", racing)
    assert load(store, _A) == expected


def test_a_listing_during_a_compaction_misses_nothing(store, monkeypatch):
    """A directory that changes while it is read may show neither the old file nor the new one."""
    walk, calls = type(store.storage).walk, []

    def blind(self, prefix=""):
        entries = list(walk(self, prefix))
        if prefix == "parts/sessions" and not calls:
            calls.append(prefix)
            with store.locked():
                path = store.root / stores.compact(store, "sessions", (_A, _B))
                assert path.is_file()
            return iter(entries[:-2])
        return iter(entries)

    monkeypatch.setattr(type(store.storage), "walk", blind)
    assert Catalog.of(store.storage).sessions() == (_A, _B, _C)
