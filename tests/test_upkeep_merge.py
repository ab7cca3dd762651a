from __future__ import annotations

import random

import pytest
import stores
import upkeep_stores as many
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from results.sessions import load
from results.store import Store
from results.upkeep.compact import compact
from results.upkeep.merge import merge
from results.upkeep.prune import parse, prune
from results.upkeep.reindex import reindex
from results.upkeep.verify import verify

_A, _B, _C, _D = many.IDS[:4]


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Return stores that overlap in every way: singles, compact parts, format 1, all at once."""
    where = tmp_path_factory.mktemp("material")
    found = [
        many.of(where / "singles", _A, _B),
        many.of(where / "compact", _B, _C),
        many.of(where / "other", _A, _C, _D),
        stores.golden(where / "old"),
        stores.golden(where / "upgraded"),
        many.of(where / "empty"),
    ]
    for place in (1, 2, 4):
        compact(found[place])
    merge(found[4], found[0])
    return found


@pytest.fixture(scope="module")
def union(material):
    found = {}
    for store in material:
        found |= many.seen(store)
    return found


@given(order=st.lists(st.integers(0, 5), max_size=8), squeeze=st.sets(st.integers(0, 7)))
@settings(max_examples=12, deadline=None)
def test_any_order_and_number_of_merges_gives_the_same_runs(
    tmp_path_factory, material, union, order, squeeze
):
    store = Store.create(tmp_path_factory.mktemp("merged"))
    expected = {}
    for number, index in enumerate(order):
        told = merge(store, material[index])
        theirs = many.seen(material[index])
        assert (told.sessions, told.problems) == (len(theirs), ())
        assert told.added == len(theirs.keys() - expected.keys())
        expected |= theirs
        if number in squeeze:
            compact(store)
            assert many.once(store)
        again = merge(store, material[index])
        assert (again.added, again.parts) == (0, 0)
    assert many.seen(store) == {name: union[name] for name in expected}
    assert verify(store).damage == ()


def test_all_sources_come_to_the_same_store_in_every_shuffle(tmp_path, material, union):
    for seed in range(3):
        store = Store.create(tmp_path / str(seed))
        for source in random.Random(seed).sample(material, len(material)):
            merge(store, source)
        compact(store)
        assert many.seen(store) == union
        assert many.once(store)


def test_a_store_does_not_merge_into_itself(tmp_path):
    store = many.of(tmp_path / "store", _A)
    (tmp_path / "link").symlink_to(store.root)
    before = stores.contents(store.root)
    for name in ("store", "link", "store/../store"):
        with pytest.raises(UsageError, match="is the store that is merged into"):
            merge(store, Store.open(tmp_path / name))
    assert stores.contents(store.root) == before


def test_the_source_stays_as_it_is_and_its_live_sessions_are_named(tmp_path):
    source = stores.golden(tmp_path / "source")
    rotten = stores.files(source, "samples")[0]
    rotten.write_bytes(rotten.read_bytes()[:-9] + b"123456789")
    before = stores.contents(source.root)
    told = merge(Store.create(tmp_path / "store"), source)
    assert stores.contents(source.root) == before
    assert told.live == ("20261120T203221Z-bc4b",)
    assert [rotten.name in problem for problem in told.problems] == [True]


def test_a_source_that_is_damaged_is_not_tidied_up(tmp_path):
    source = many.of(tmp_path / "source", _A, _B)
    compact(source)
    (cut,) = stores.files(source, "probes")
    cut.write_bytes(cut.read_bytes()[:-9])
    before = stores.contents(source.root)
    told = merge(Store.create(tmp_path / "store"), source)
    assert stores.contents(source.root) == before
    assert told.added == 2
    assert "only looked at" in str(told.problems)


def test_compact_then_merge_of_the_originals_adds_nothing(tmp_path):
    small = many.of(tmp_path / "small", _A, _B, _C)
    store = many.copy(small, tmp_path / "store")
    compact(store)
    before = many.names(store)
    told = merge(store, small)
    assert (told.added, told.parts, many.names(store)) == (0, 0, before)


def test_of_a_part_that_is_there_in_part_only_the_rest_is_copied(tmp_path):
    store, source = many.of(tmp_path / "store", _A, _B), many.of(tmp_path / "source", _B, _C)
    compact(store)
    compact(source)
    expected = many.seen(store) | many.seen(source)
    assert merge(store, source).added == 1
    assert many.seen(store) == expected
    assert many.once(store)
    assert verify(store).notes == ()


def test_two_contents_go_to_quarantine_and_stay_out(tmp_path):
    store, source = many.of(tmp_path / "store", _A, _B), many.of(tmp_path / "source", _B, _C)
    other = many.of(tmp_path / "other", _B, factor=2.0)
    compact(source)
    merge(source, other)
    assert many.seen(source).keys() == {_C}
    told = merge(store, other)
    assert told.conflicts == (_B,)
    assert any("two contents" in problem for problem in told.problems)
    assert many.seen(store).keys() == {_A}
    kept = [path.name for path in store.root.glob("quarantine/*.parquet")]
    assert len(kept) == 10
    assert all(name.startswith(_B) for name in kept)
    before = stores.contents(store.root / "quarantine")
    again = merge(store, other)
    assert (again.added, again.parts, many.seen(store).keys()) == (0, 0, {_A})
    assert "lie in quarantine/" in again.problems[0]
    assert stores.contents(store.root / "quarantine") == before
    assert _B in str(verify(store).damage)


def test_a_damaged_part_is_healed_by_a_merge(tmp_path):
    store = many.of(tmp_path / "store", _A, _B)
    whole = many.copy(store, tmp_path / "whole")
    expected = many.seen(whole)
    (rotten,) = stores.files(store, "runs", _A)
    data = rotten.read_bytes()
    rotten.write_bytes(data[:50] + b"x" + data[51:])
    (gone,) = stores.files(store, "samples", _B)
    gone.unlink()
    assert load(store, _A).problems
    assert len(verify(store).damage) >= 2
    told = merge(store, whole)
    assert (told.parts, told.problems) == (2, ())
    assert many.seen(store) == expected
    assert verify(store).damage == ()


def test_a_damaged_part_under_its_own_name_makes_room(tmp_path):
    store, source = many.of(tmp_path / "store"), many.of(tmp_path / "source", _A)
    merge(store, source)
    (rotten,) = stores.files(store, "runs", _A)
    data = rotten.read_bytes()
    rotten.write_bytes(data[:50] + b"x" + data[51:])
    for path in stores.files(store, "sessions"):
        path.unlink()
    told = merge(store, source)
    assert "does not match" in told.problems[0] or "do not match" in told.problems[0]
    assert rotten.read_bytes() == data
    assert verify(store).damage == ()


def test_columns_of_a_newer_minor_version_survive(tmp_path):
    source, store = many.newer(tmp_path / "newer", (_A, _B)), many.of(tmp_path / "store", _B)
    compact(source)
    assert many.shape(source)["runs"] == 1
    assert merge(store, source).added == 1
    for table in ("sessions", "environments", "runs", "samples", "probes"):
        assert many.column(store, table, "tariff") == {_A: {f"night of {_A}"}, _B: {None}}


def test_parts_of_a_newer_major_version_are_named_and_left(tmp_path):
    source, store = many.of(tmp_path / "source", _A, _B), many.of(tmp_path / "store")
    (old,) = stores.files(source, "sessions", _A)
    many.part_of(source, "sessions", [_A], version="3.0")
    old.unlink()
    told = merge(store, source)
    assert [("upgrade boardmark" in one) for one in told.problems] == [True]
    assert many.seen(store).keys() == {_B}
    before = stores.contents(source.root / "parts")
    assert "upgrade boardmark" in compact(source).problems[0]
    assert stores.contents(source.root / "parts")[stores.files(source, "sessions", _A)[0]]
    assert before[stores.files(source, "sessions", _A)[0]]


def test_a_bucket_takes_and_gives_the_same_sessions(tmp_path, s3):
    place = f"s3://{s3.bucket()}/lab"
    here, bucket = many.of(tmp_path / "here", _A, _B), Store.create(place)
    assert merge(bucket, here).added == 2
    assert merge(bucket, here).parts == 0
    assert compact(bucket).parts_after == 5
    assert verify(bucket).damage == ()
    assert reindex(bucket).problems == ()
    back = Store.create(tmp_path / "back")
    assert merge(back, bucket).added == 2
    assert many.seen(back) == many.seen(here)
    with pytest.raises(UsageError, match="is the store"):
        merge(bucket, Store.open(place + "/"))
    assert prune(bucket, parse("1")).removed == (_A,)
    assert many.seen(bucket).keys() == {_B}


def test_rows_whose_commit_is_damaged_are_left_there(tmp_path):
    source = many.of(tmp_path / "source", _A, _B)
    stores.files(source, "sessions", _A)[0].write_bytes(b"junk")
    store = Store.create(tmp_path / "store")
    told = merge(store, source)
    assert (told.added, len(told.problems)) == (1, 1)
    assert verify(store).damage == ()
    assert not [name for name in many.names(store) if _A in name]
