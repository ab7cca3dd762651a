from __future__ import annotations

import json
import multiprocessing
import os
import random

import msgspec
import pytest
import stores
import upkeep_stores as many
from hypothesis import given, settings
from hypothesis import strategies as st

from results import parts
from results.schema import TABLES
from results.store import Store
from results.upkeep.compact import compact
from results.upkeep.merge import merge
from results.upkeep.verify import verify

_A, _B, _C, _D = many.IDS[:4]
_GOLDEN = stores.GOLDEN.with_name("store-v1.expected")


def test_one_part_per_table_month_and_device(tmp_path):
    store = many.of(tmp_path / "store", _A, _B)
    many.add(store, _C, device="other board/1")
    many.add(store, _D, created_unix_s=1797000000.0)
    expected = many.seen(store)
    told = compact(store)
    assert (told.parts_before, told.parts_after, told.problems) == (20, 15, ())
    assert told.bytes_after < told.bytes_before
    assert many.shape(store) == dict.fromkeys(TABLES, 3)
    assert any("month=2026-11/device=local/compact-" in name for name in many.names(store))
    assert many.seen(store) == expected
    assert many.once(store)
    before = stores.contents(store.root / "parts")
    assert compact(store).parts_after == 15
    assert stores.contents(store.root / "parts") == before


def test_large_parts_are_split_and_then_left_alone(tmp_path):
    dice = random.Random(3)
    store = Store.create(tmp_path / "store")
    for one in many.IDS[:12]:
        noise = tuple(dice.randrange(10**9) for _ in range(600))
        runs = [msgspec.structs.replace(many.run_of(one, 1), samples_ns=noise)]
        stores.live(store, runs, session_id=one)
        store.seal(one)
    expected = many.seen(store)
    limit = 5 * max(path.stat().st_size for path in stores.files(store, "samples")) // 2
    compact(store, limit)
    assert 2 <= many.shape(store)["samples"] <= 6
    sizes = [path.stat().st_size for path in stores.files(store, "samples")]
    assert sum(size < limit / 2 for size in sizes) <= 1
    assert many.seen(store) == expected
    assert many.once(store)
    before = many.names(store)
    assert compact(store, limit).problems == ()
    assert many.names(store) == before


def test_rows_are_sorted_by_session_so_that_one_is_found_quickly(tmp_path, template):
    store = many.copy(template, tmp_path / "store")
    many.part_of(store, "runs", [_A, _C])
    compact(store)
    (part,) = store.catalog().parts("runs")
    found = parts.read_table(store.storage, part.path)["session_id"].to_pylist()
    assert found == sorted(found)
    assert set(found) == {_A, _B, _C}


def test_a_session_of_format_1_that_is_alone_becomes_format_2(tmp_path):
    store = stores.golden(tmp_path / "store")
    for table in ("sessions", "runs", "samples"):
        stores.files(store, table)[0].unlink()
    expected = many.seen(store)
    compact(store)
    assert all("/month=2026-11/device=" in name for name in many.names(store))
    assert len(many.names(store)) == 5
    assert many.seen(store) == expected


def test_format_1_becomes_format_2_with_the_same_runs(tmp_path):
    store = stores.golden(tmp_path / "store")
    expected = many.seen(store)
    compact(store)
    assert all("/month=2026-11/device=" in name for name in many.names(store))
    assert many.shape(store) == dict.fromkeys(TABLES, 1)
    found = many.seen(store)
    assert found == expected
    for name, session in found.items():
        told = json.loads((_GOLDEN / f"{name}.json").read_text())
        assert [run.run_id for run in session.runs] == [run["run_id"] for run in told["runs"]]
        assert [list(run.samples_ns) for run in session.runs] == [
            run["samples_ns"] for run in told["runs"]
        ]
    assert verify(store).damage == ()
    rows = parts.read_table(store.storage, store.catalog().parts("environments")[0].path)
    assert set(rows["session_id"].to_pylist()) == set(found)
    assert store.live() == ("20261120T203221Z-bc4b",)


@given(
    covers=st.lists(st.sets(st.sampled_from([_A, _B, _C]), min_size=1), max_size=4),
    drop=st.booleans(),
)
@settings(max_examples=8, deadline=None)
def test_parts_that_overlap_in_any_way_become_one(tmp_path_factory, template, covers, drop):
    store = many.copy(template, tmp_path_factory.mktemp("overlap") / "store")
    expected = many.seen(store)
    for number, cover in enumerate(covers):
        many.part_of(store, TABLES[number], sorted(cover))
        many.part_of(store, "runs", sorted(cover))
    for one in set().union(*covers) if drop else ():
        (original,) = stores.files(template, "runs", one)
        (store.root / original.relative_to(template.root)).unlink()
    assert many.seen(store) == expected
    compact(store)
    assert many.seen(store) == expected
    assert many.once(store)
    assert verify(store).notes == verify(store).damage == ()


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return many.of(tmp_path_factory.mktemp("template") / "store", _A, _B, _C)


def test_columns_of_a_newer_minor_version_survive(tmp_path):
    store = many.newer(tmp_path / "newer", (_A, _B))
    many.add(store, _C)
    compact(store)
    for table in TABLES:
        assert many.column(store, table, "tariff") == {
            _A: {f"night of {_A}"},
            _B: {f"night of {_B}"},
            _C: {None},
        }
    (part,) = store.catalog().parts("runs")
    assert parts.read_footer(store.storage, part.path).version == "2.7"


def test_unknown_columns_of_two_types_are_left_apart_and_named(tmp_path, template):
    store = many.copy(template, tmp_path / "store")
    for one, value in ((_A, "dear"), (_B, 0.31)):
        (old,) = stores.files(store, "runs", one)
        many.part_of(store, "runs", [one], version="2.7", tariff=value)
        old.unlink()
    expected = many.seen(store)
    told = compact(store)
    assert "do not fit together" in told.problems[0]
    assert many.shape(store) == {**dict.fromkeys(TABLES, 1), "runs": 3}
    assert many.seen(store) == expected


def test_a_corrupt_part_goes_to_quarantine_and_the_others_are_compacted(tmp_path, template):
    store = many.copy(template, tmp_path / "store")
    (rotten,) = stores.files(store, "samples", _B)
    rotten.write_bytes(rotten.read_bytes()[:-1] + b"?")
    told = compact(store)
    assert len(told.problems) == 1
    assert "moved to 'quarantine/" in told.problems[0]
    assert many.shape(store) == dict.fromkeys(TABLES, 1)
    assert {name: len(one.runs) for name, one in many.seen(store).items()} == {_A: 2, _B: 2, _C: 2}
    assert merge(store, template).parts == 1
    compact(store)
    assert many.seen(store) == many.seen(template)


def test_a_copy_whose_footer_is_cut_off_is_put_aside(tmp_path, template):
    store = many.copy(template, tmp_path / "store")
    path = store.root / many.part_of(store, "runs", [_A])
    path.write_bytes(path.read_bytes()[:-9])
    told = compact(store)
    assert "moved to" in told.problems[0]
    assert many.seen(store) == many.seen(template)
    assert many.once(store)


def test_a_copy_is_kept_until_the_part_that_counts_was_read(tmp_path, template):
    store = many.copy(template, tmp_path / "store")
    path = store.root / many.part_of(store, "runs", [_A, _B, _C])
    catalog = store.catalog()
    assert [catalog.known(part) for part in catalog.parts("runs")]
    catalog.save()
    data, was = path.read_bytes(), path.stat()
    path.write_bytes(data[:300] + bytes([data[300] ^ 1]) + data[301:])
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert "moved to" in compact(store).problems[0]
    assert many.seen(store) == many.seen(template)
    assert many.once(store)


def test_rows_that_nobody_committed_are_left_alone(tmp_path, template):
    store = many.copy(template, tmp_path / "store")
    (commit,) = stores.files(store, "sessions", _B)
    data = commit.read_bytes()
    commit.unlink()
    compact(store)
    assert [path.name[:21] for path in stores.files(store, "runs") if "compact" not in path.name]
    commit.write_bytes(data)
    assert many.seen(store) == many.seen(template)


def test_a_store_of_one_session_is_not_touched(tmp_path):
    store = many.of(tmp_path / "store", _A)
    before = stores.contents(store.root / "parts")
    assert compact(store).parts_after == 5
    assert stores.contents(store.root / "parts") == before


def _squeeze(root, rounds):
    for _ in range(rounds):
        compact(Store.open(root))


def test_two_compact_while_a_third_merges_and_a_fourth_reads(tmp_path, template):
    store = many.of(tmp_path / "store", *many.IDS[4:8])
    expected = many.seen(store) | many.seen(template)
    start = multiprocessing.get_context("fork").Process
    workers = [start(target=_squeeze, args=(store.root, 4)) for _ in range(2)]
    for worker in workers:
        worker.start()
    merge(store, template)
    for _ in range(5):
        found = many.seen(store)
        assert found == expected
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    compact(store)
    assert many.seen(store) == expected
    assert many.once(store)
