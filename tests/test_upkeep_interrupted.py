"""Each kind of upkeep dies before every one of its file operations, and is done again."""

from __future__ import annotations

import multiprocessing
import os
import random
import time

import pytest
import stores
import upkeep_stores as many

from results.sessions import list_sessions
from results.store import Store
from results.upkeep.compact import compact
from results.upkeep.merge import merge
from results.upkeep.prune import Keep, prune
from results.upkeep.reindex import reindex
from results.upkeep.remove import remove
from results.upkeep.verify import verify

_A, _B, _C = many.IDS[:3]


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Sync nothing: what a process wrote outlives it, if not a power cut, which others test."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Return a store with all there can be: format 1, a compact part, a shadowed and a new one."""
    where = tmp_path_factory.mktemp("template")
    store = many.of(where / "store", _A, _B)
    compact(store)
    many.part_of(store, "runs", [_B])
    many.add(store, _C)
    old = stores.golden(where / "old")
    for table in ("sessions", "runs", "samples"):
        stores.files(old, table)[0].unlink()
    merge(store, old)
    return store


def test_compact(tmp_path, template):
    expected = many.seen(template)
    for lives, store in many.killed_everywhere(template, tmp_path, compact):
        assert many.seen(store) == expected
        compact(store)
        assert many.seen(store) == expected
        assert many.once(store)
        if lives % 8 == 0:
            assert verify(store).damage == verify(store).notes == ()
    assert lives > 25


def test_merge(tmp_path, template):
    target = many.of(tmp_path / "target", _B)
    expected = many.seen(template)
    unfinished = 0
    for lives, store in many.killed_everywhere(target, tmp_path, lambda it: merge(it, template)):
        found = many.seen(store)
        assert found == {name: expected[name] for name in found}
        assert _B in found
        told = verify(store)
        assert told.damage == ()
        unfinished += "boardmark store merge" in str(told.notes)
        merge(store, template)
        assert many.seen(store) == expected
        assert many.once(store)
        assert not list(store.root.glob("merging/*"))
        if lives % 8 == 0:
            assert verify(store).damage == ()
    assert lives > 8
    assert unfinished > 4


def test_a_merge_that_conflicts(tmp_path):
    target, source = many.of(tmp_path / "target", _A, _B), many.of(tmp_path / "source", _C)
    many.add(source, _B, factor=2.0)
    compact(target)
    expected = many.seen(target) | many.seen(source)
    del expected[_B]
    for lives, store in many.killed_everywhere(target, tmp_path, lambda it: merge(it, source)):
        assert lives < 100
        merge(store, source)
        assert many.seen(store) == expected
        kept = {path.stem for path in store.root.glob("quarantine/*.parquet")}
        assert len(kept) == 10
        assert many.once(store)
    assert lives > 25


def test_prune(tmp_path, template):
    expected = many.seen(template)
    left = {name: one for name, one in expected.items() if name > _B}

    def act(store):
        return prune(store, Keep(sessions=1), now_unix_s=2e9)

    keeps = many.copy(template, tmp_path / "done")
    act(keeps)
    left = many.seen(keeps)
    assert 0 < len(left) < len(expected)
    for lives, store in many.killed_everywhere(template, tmp_path, act):
        found = many.seen(store)
        assert found == {name: expected[name] for name in found}
        assert left.keys() <= found.keys()
        if lives % 2:
            act(store)
        elif lives:
            compact(store)
            act(store)
        assert many.seen(store) == (left if lives else expected)
        assert many.once(store) or not lives
        assert not (store.root / "prune.json").exists()
    assert lives > 8


def test_remove(tmp_path, template):
    expected = many.seen(template)
    left = {name: one for name, one in expected.items() if name not in (_A, _C)}

    def act(store):
        return remove(store, (_A, _C))

    for lives, store in many.killed_everywhere(template, tmp_path, act):
        assert many.seen(store).keys() >= left.keys()
        if lives % 2:
            assert act(store).problems == ()
        else:
            reindex(store)
            act(store)
        assert many.seen(store) == left
        assert not (store.root / "prune.json").exists()
        if lives % 4 == 0:
            assert verify(store).damage == ()
    assert lives > 8


def test_reindex(tmp_path, template):
    expected = many.seen(template)
    listed = list_sessions(template)
    ill = many.copy(template, tmp_path / "ill")
    (rotten,) = stores.files(ill, "probes", _C)
    rotten.write_bytes(rotten.read_bytes()[:-1])
    (ill.root / "parts" / "runs" / ".tmp-0123456789abcdef").write_bytes(b"half")
    for lives, store in many.killed_everywhere(ill, tmp_path, reindex):
        assert lives < 100
        reindex(store)
        assert list_sessions(store).entries == listed.entries
        assert many.seen(store) == expected
        assert (store.root / "quarantine" / rotten.name).exists()
        assert not list(store.root.rglob(".tmp-*"))
    assert lives > 5


def test_all_of_them_in_turn_by_many_processes(tmp_path, template):
    expected = many.seen(template)
    store = many.of(tmp_path / "store", _A)
    process = multiprocessing.get_context("fork").Process
    dice = random.Random(11)
    for _ in range(12):
        workers = [
            process(target=_work, args=(store.root, template.root, dice.random())) for _ in range(3)
        ]
        for worker in workers:
            worker.start()
        time.sleep(dice.random() * 0.3)
        workers[0].kill()
        for worker in workers[1:]:
            worker.join()
            assert worker.exitcode == 0
        workers[0].join()
        found = many.seen(store)
        assert found == {name: expected[name] for name in found}
    merge(store, template)
    reindex(store)
    compact(store)
    assert many.seen(store) == expected
    assert many.once(store)
    assert verify(store).damage == ()
    assert verify(store).notes == ()


def _work(root, source, dice):
    store = Store.open(root)
    if dice < 0.4:
        merge(store, Store.open(source))
    elif dice < 0.8:
        compact(store)
    else:
        reindex(store)
