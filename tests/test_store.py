from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import handmade
import msgspec
import pyarrow.parquet as pq
import pytest
import stores
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import StoreError, UsageError
from harness.types import Quality
from results import durable, parts
from results import store as store_module
from results.journal import Journal
from results.layout import SESSION_ID
from results.schema import TABLES, VERSION, schema
from results.sessions import list_sessions, load
from results.store import Store, new_session_id

_ROOT = Path(__file__).parent.parent
_ID = handmade.SESSION_ID


@pytest.fixture
def store(tmp_path):
    return Store.create(tmp_path / "store")


def test_session_ids_sort_by_time_and_do_not_collide():
    assert new_session_id(1795184100.0).startswith("20261120T141500Z-")
    assert len({new_session_id(0.0) for _ in range(20)}) > 1
    assert SESSION_ID.fullmatch(new_session_id())
    assert new_session_id(1e9) < new_session_id(1.1e9)


def test_hundreds_of_boards_may_begin_in_the_same_second():
    assert len({new_session_id(0.0) for _ in range(2000)}) == 2000


def test_sealed_and_live_read_alike(store):
    stores.live(store)
    live = load(store)
    assert (live.sealed, live.plan, live.runs) == (False, handmade.plan(), tuple(handmade.runs()))
    store.seal(_ID)
    sealed = load(store)
    assert sealed.sealed
    assert msgspec.structs.replace(sealed, sealed=False) == live
    assert not (store.root / "sessions" / _ID).exists()


@given(
    samples=st.lists(st.integers(0, 2**63 - 1), max_size=30).map(tuple),
    text=st.text(max_size=40),
    value=st.none() | st.floats(-1e6, 1e6),
)
@settings(max_examples=40, deadline=None)
def test_any_run_survives_sealing(tmp_path_factory, samples, text, value):
    store = Store.create(tmp_path_factory.mktemp("store"))
    quality = Quality(metric=text, value=value, reference=None, loss=value, reason=text)
    run = handmade.run(
        1,
        handmade.FP32,
        0,
        samples_ns=samples,
        reason=text,
        quality=quality,
        result={"load_s": value, "peak_rss_bytes": text, "warmup_ns": [True, "x"], "memory": text},
    )
    with store.start(handmade.plan(environment={text: value})) as journal:
        journal.append(run)
        journal.note(text)
        plan = journal.plan
    store.seal(_ID)
    session = load(store, _ID)
    assert (session.plan, session.runs, session.notes) == (plan, (run,), (text,))


def test_sealing_twice_changes_nothing(store):
    stores.live(store)
    first = store.seal(_ID)
    before = stores.contents(store.root / "parts")
    assert store.seal(_ID) == first
    assert stores.contents(store.root / "parts") == before


def test_the_same_session_again_is_no_change_whoever_sealed_it_first(store, tmp_path):
    stores.live(store)
    journal = store.journal(_ID).read_bytes()
    first = store.seal(_ID)
    before = stores.contents(store.root / "parts")
    _revive(store, journal)
    assert store.seal(_ID) == first
    assert stores.contents(store.root / "parts") == before
    assert not (store.root / "sessions" / _ID).exists()
    assert not (store.root / "quarantine").exists()


def test_a_seal_of_a_session_that_lost_a_part_gives_it_back(store):
    stores.live(store)
    journal = store.journal(_ID).read_bytes()
    first = store.seal(_ID)
    before = stores.contents(store.root / "parts")
    (store.root / first[2]).unlink()
    _revive(store, journal)
    assert store.seal(_ID) == first
    assert stores.contents(store.root / "parts") == before


def test_a_seal_writes_only_what_no_part_holds_yet(store):
    stores.live(store)
    journal = store.journal(_ID).read_bytes()
    first = store.seal(_ID)
    stores.live(store, session_id="20261121T000000Z-0000")
    store.seal("20261121T000000Z-0000")
    whole = stores.compact(store, "sessions", (_ID, "20261121T000000Z-0000"))
    for path in (first[0], first[2]):
        (store.root / path).unlink()
    _revive(store, journal)
    assert store.seal(_ID) == (whole, *first[1:])
    assert not (store.root / first[0]).exists()


def test_a_journal_beside_its_session_sealed_in_format_1_is_no_conflict(tmp_path):
    store = stores.golden(tmp_path / "store")
    sealed = load(store, store.sessions()[0])
    before = stores.contents(store.root / "parts")
    directory = store.journal(sealed.plan.session_id).parent
    directory.mkdir()
    with Journal.create(directory, sealed.plan) as journal:
        for run in sealed.runs:
            journal.append(run)
        for note in sealed.notes:
            journal.note(note)
    assert len(store.seal(sealed.plan.session_id)) == 3
    assert not directory.exists()
    assert stores.contents(store.root / "parts") == before
    assert not (store.root / "quarantine").exists()


def test_a_seal_that_was_killed_while_its_journal_went_is_complete(store):
    stores.live(store)
    first = store.seal(_ID)
    directory = store.root / "sessions" / _ID
    directory.mkdir()
    (directory / "lock").touch()
    assert store.seal(_ID) == first
    assert not directory.exists()


def test_one_session_with_two_contents_is_kept_twice_in_quarantine_and_told(store, tmp_path):
    stores.live(store)
    store.seal(_ID)
    other = handmade.runs()[:4]
    stores.live(store, other)
    first = stores.contents(store.root / "parts")
    with pytest.raises(StoreError, match=f"'{_ID}' has two contents: both lie in quarantine/"):
        store.seal(_ID)
    assert stores.contents(store.root / "parts") == {}
    aside = sorted((store.root / "quarantine").glob("*.parquet"))
    assert len(aside) == 10
    assert {path.name for path in first} < {path.name for path in aside}
    for path in aside:
        reason = path.with_suffix(".reason.txt").read_text()
        assert f"{path.name}: conflict over session {_ID}" in reason
    assert store.sessions() == ()
    with pytest.raises(StoreError, match="has two contents, and both lie in quarantine/"):
        load(store, _ID)
    listing = list_sessions(store)
    assert listing.entries == ()
    assert len([problem for problem in listing.problems if "conflict" in problem]) == 10


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_conflict_that_was_copied_in_is_settled_by_whoever_reads(tmp_path, order):
    both = [
        stores.sealed(tmp_path / "a"),
        stores.sealed(tmp_path / "b", runs=handmade.runs()[:4]),
    ]
    store = stores.sealed(tmp_path / "store", "20261119T010000Z-aaaa")
    for which in order:
        stores.copy(both[which], store)
    assert [entry.session_id for entry in list_sessions(store).entries] == [store.sessions()[0]]
    assert len(list((store.root / "quarantine").glob("*.parquet"))) == 10
    before = stores.contents(store.root)
    for which in order:
        stores.copy(both[which], store)
        assert len(list_sessions(store).entries) == 1, "it stays out for good"
    assert stores.contents(store.root).keys() == before.keys()


def test_a_conflict_in_a_store_that_cannot_be_written_is_told_and_not_read(tmp_path):
    both = [
        stores.sealed(tmp_path / "a"),
        stores.sealed(tmp_path / "b", runs=handmade.runs()[:4]),
    ]
    stores.copy(both[1], both[0])
    (both[0].root / "quarantine").write_text("in the way")
    listing = list_sessions(both[0])
    assert listing.entries == ()
    assert "two contents and neither is read; they could not be moved" in listing.problems[0]


def _revive(store, journal):
    directory = store.root / "sessions" / _ID
    directory.mkdir()
    (directory / "journal.ndjson").write_bytes(journal)


def test_parts_carry_version_writer_and_the_documented_columns(store):
    stores.live(store)
    for table, path in zip(TABLES, store.seal(_ID), strict=True):
        assert path.startswith(f"parts/{table}/month=2026-11/device=local/{_ID}-")
        file = pq.ParquetFile(store.root / path)
        assert file.schema_arrow.equals(schema(table))
        metadata = file.schema_arrow.metadata
        assert metadata[b"boardmark.schema_version"] == VERSION.encode()
        assert metadata[b"boardmark.writer"] == b"boardmark 0.1.0"
        assert _ID in metadata[b"boardmark.sessions"].decode()


def test_runs_table_answers_the_usual_questions(store):
    stores.live(store)
    _, _, runs_path, samples_path, _ = store.seal(_ID)
    rows = pq.read_table(store.root / runs_path).to_pylist()
    assert len(rows) == 16
    first, int4, skipped = rows[0], rows[5], rows[-1]
    assert (first["variant"], first["status"], first["samples"]) == ("fp32", "ok", 20)
    assert first["latency_p50_s"] == pytest.approx(0.002)
    assert first["throughput_per_s"] == pytest.approx(20 / 0.04)
    assert (first["peak_rss_bytes"], first["size_bytes"], first["energy_j"]) == (
        40_000_000,
        4000,
        0.02,
    )
    assert (first["evidence_precision"], first["evidence_threads"]) == ("f32", 2)
    assert (int4["status"], int4["reason"], int4["peak_rss_bytes"]) == (
        "crashed",
        "killed by SIGILL",
        None,
    )
    assert (skipped["run_id"], skipped["variant"], skipped["status"]) == (
        None,
        "int8-static",
        "skipped",
    )
    samples = pq.read_table(store.root / samples_path).to_pylist()
    assert samples[0]["values"] == list(handmade.runs()[0].samples_ns)
    assert {row["metric"] for row in samples} == {"latency", "warmup"}


def test_an_empty_session_can_be_sealed(store):
    stores.live(store, runs=[])
    store.seal(_ID)
    assert load(store).runs == ()


@pytest.mark.parametrize("call", ["link", "fsync", "open", "unlink"])
@pytest.mark.parametrize("nth", [1, 2, 3, 4, 5])
def test_a_seal_that_fails_at_any_call_keeps_everything_and_completes_later(
    store, monkeypatch, call, nth
):
    stores.live(store)
    expected = load(store)
    original, calls = getattr(os, call), []

    def fail(*args, **options):
        calls.append(args)
        if len(calls) == nth:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        try:
            store.seal(_ID)
        except StoreError as error:
            assert "no space left on device" in str(error)
            kept = ("finished runs are kept", "cannot lock", "cannot read")
            assert any(words in str(error) for words in kept)
    now = load(store)
    assert (now.plan, now.runs, now.notes) == (expected.plan, expected.runs, expected.notes)
    store.seal(_ID)
    assert msgspec.structs.replace(load(store), sealed=False) == expected
    assert all(len(stores.files(store, table)) == 1 for table in TABLES)


def test_a_session_resumed_after_a_failed_seal_leaves_no_part_of_the_first_try(store, monkeypatch):
    runs = handmade.runs()
    stores.live(store, runs[:6])
    publish = parts.publish

    def fail(storage, footer, data):
        if footer.table == "sessions":
            raise StoreError("the disk is gone")
        return publish(storage, footer, data)

    with monkeypatch.context() as patch:
        patch.setattr(parts, "publish", fail)
        with pytest.raises(StoreError, match="6 finished runs are kept in its journal"):
            store.seal(_ID)
    assert not load(store).sealed
    with store.resume(_ID) as journal:
        journal.append(runs[6])
    store.seal(_ID)
    assert load(store).runs == tuple(runs[:7])
    assert all(len(stores.files(store, table)) == 1 for table in TABLES)


def test_a_seal_on_a_really_full_disk_keeps_the_journal(tmp_path):
    mount = tmp_path / "small"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs takes root")
    try:
        store = Store.create(mount / "store")
        journal = store.start(handmade.plan())
        kept = []
        with pytest.raises(StoreError, match="no space left on device"), journal:
            for number in range(200):
                run = handmade.run(number, handmade.FP32, number)
                journal.append(run)
                kept.append(run)
        assert len(kept) > 3
        assert load(store).runs == tuple(kept)
        with pytest.raises(StoreError, match=f"{len(kept)} finished runs are kept in its journal"):
            store.seal(_ID)
        assert load(store).runs == tuple(kept)
        with pytest.raises(StoreError, match="no space left"):
            store.start(handmade.plan("20261121T000000Z-0000"))
        assert store.sessions() == (_ID,)
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_kill_9_at_any_moment_of_a_seal_loses_and_doubles_nothing(store):
    stores.live(store)
    expected = load(store)
    code = (
        "import os, signal, sys; from pathlib import Path; from results.store import Store\n"
        "count, nth = 0, int(sys.argv[2])\n"
        "def deadly(original):\n"
        "    def call(*args, **options):\n"
        "        global count; count += 1\n"
        "        if count == nth: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return original(*args, **options)\n"
        "    return call\n"
        "for name in ('write', 'fsync', 'link', 'unlink', 'rmdir'):\n"
        "    setattr(os, name, deadly(getattr(os, name)))\n"
        "Store.open(Path(sys.argv[1])).seal(sys.argv[3])"
    )
    journal = (store.root / "sessions" / _ID / "journal.ndjson").read_bytes()
    steps = 0
    for nth in range(1, 60, 3):
        done = _python(code, str(store.root), str(nth), _ID)
        now = load(store)
        assert (now.plan, now.runs, now.notes) == (expected.plan, expected.runs, expected.notes)
        if done.returncode == 0:
            steps = nth
            break
        assert done.returncode == -signal.SIGKILL
        store.seal(_ID)
        assert load(store).runs == expected.runs
        assert all(len(stores.files(store, table)) == 1 for table in TABLES)
        _unseal(store, journal)
    assert 10 < steps < 60


def _unseal(store, journal):
    for table in TABLES:
        for path in stores.files(store, table):
            path.unlink()
    _revive(store, journal)


def _python(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), str(_ROOT / "tests")])},
        check=False,
        timeout=60,
    )


def test_resume_goes_on_where_it_stopped(store):
    runs = handmade.runs()
    stores.live(store, runs[:4])
    with store.resume(_ID) as journal:
        assert journal.runs == tuple(runs[:4])
        assert journal.plan == handmade.plan()
        for run in runs:
            journal.append(run)
    assert load(store).runs == tuple(runs)


def test_what_a_newer_version_journaled_survives_resuming_and_sealing(store):
    runs = handmade.runs()
    with store.start(handmade.plan()) as journal:
        journal._append("run", msgspec.to_builtins(runs[0]) | {"mood": "fine"})
    with store.resume(_ID) as journal:
        journal.append(runs[1])
    sealed = {path.split("/")[1]: path for path in store.seal(_ID)}
    rows = pq.ParquetFile(store.root / sealed["runs"]).read().to_pylist()
    assert [row["extra_json"] for row in rows] == ['{"mood":"fine"}', None, None]
    assert load(store).runs == tuple(runs[:2])


def test_resume_says_why_it_cannot(store):
    stores.live(store)
    with pytest.raises(StoreError, match="there is no session '20261120T141500Z-0000'"):
        store.resume("20261120T141500Z-0000")
    with pytest.raises(UsageError, match="not a session id"):
        store.resume("../../etc")
    with store.resume(_ID), pytest.raises(StoreError, match=f"written by process {os.getpid()}"):
        store.resume(_ID)
    with store.resume(_ID), pytest.raises(StoreError, match="written by process"):
        store.seal(_ID)
    store.seal(_ID)
    with pytest.raises(StoreError, match="is complete"):
        store.resume(_ID)


def test_a_session_cannot_be_started_twice(store):
    stores.live(store)
    with pytest.raises(StoreError, match="file exists"):
        store.start(handmade.plan())
    assert len(load(store).runs) == 15


def test_words_for_sessions(store):
    with pytest.raises(UsageError, match="holds no session yet"):
        store.resolve("latest")
    names = ["20261119T010000Z-aaaa", "20261120T010000Z-bbbb", "20261120T010000Z-cccc"]
    for name in reversed(names):
        stores.live(store, [], name)
    store.seal(names[1])
    assert store.sessions() == tuple(names)
    assert store.live() == (names[0], names[2])
    assert store.resolve("latest") == names[2]
    assert [store.resolve(f"latest~{back}") for back in range(3)] == names[::-1]
    for word in ("latest~3", "latest~-1", "latest~", "latest~1x"):
        with pytest.raises(UsageError, match=re.escape(word)):
            store.resolve(word)
    assert store.resolve("20261119") == names[0]
    assert store.resolve(names[1]) == names[1]
    with pytest.raises(UsageError, match="ambiguous session '20261120'"):
        store.resolve("20261120")
    with pytest.raises(UsageError, match=f"did you mean .*{names[0]}"):
        store.resolve("20261119T010000Z-aaab")
    for word in ("", "*", "../x"):
        with pytest.raises(UsageError):
            store.resolve(word)


@pytest.mark.parametrize("left", [b"", b'{"v":1,"sha', None])
def test_a_start_takes_over_what_was_killed_before_its_plan(store, left):
    directory = store.root / "sessions" / _ID
    directory.mkdir()
    if left is not None:
        (directory / "journal.ndjson").write_bytes(left)
    stores.live(store)
    assert load(store, _ID).runs == tuple(handmade.runs())


def test_a_journal_that_cannot_be_read_is_not_taken_over(store, monkeypatch):
    stores.live(store)
    path, is_open = store.journal(_ID), os.open

    def fail(name, *args, **options):
        if name == path:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return is_open(name, *args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", fail)
        assert store.live() == (_ID,)
        with pytest.raises(StoreError):
            store.start(handmade.plan())
        assert "input/output error" in str(list_sessions(store).problems)
    assert load(store, _ID).runs == tuple(handmade.runs())


def test_a_start_looks_again_once_it_has_the_lock(store, monkeypatch):
    directory = store.root / "sessions" / _ID
    directory.mkdir()
    taken = store_module.lock

    def late(where):
        monkeypatch.undo()
        stores.live(store)
        return taken(where)

    monkeypatch.setattr(store_module, "lock", late)
    with pytest.raises(StoreError):
        store.start(handmade.plan())
    assert load(store, _ID).runs == tuple(handmade.runs())


def test_a_start_that_was_killed_before_its_plan_is_no_session(store):
    directory = store.root / "sessions" / "20261125T000000Z-dead"
    directory.mkdir()
    (directory / "journal.ndjson").write_bytes(b'{"v":1,"sha')
    stores.live(store)
    assert store.sessions() == (_ID,)
    assert store.resolve("latest") == _ID


def test_a_missing_store_is_a_sentence(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(StoreError, match="there is no store at"):
            Store.open(path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_store_is_a_sentence(tmp_path):
    path = tmp_path / "store"
    path.write_text("hello")
    for way in (Store.create, Store.open):
        with pytest.raises(StoreError, match="store"):
            way(path)
    with pytest.raises(StoreError, match=r"cannot write to the store .* file"):
        Store.create(path / "below")
    assert path.read_text() == "hello"


def test_a_store_of_a_newer_format_is_refused_and_nothing_is_changed(tmp_path):
    root = tmp_path / "store"
    root.mkdir()
    (root / "store.json").write_text('{"boardmark_store": 3}')
    for way in (Store.create, Store.open):
        with pytest.raises(
            StoreError, match=r"has format 3 and this boardmark reads up to 2.*upgr"
        ):
            way(root)
    assert stores.contents(tmp_path) == {root / "store.json": b'{"boardmark_store": 3}'}
    assert list(root.iterdir()) == [root / "store.json"]


def test_a_store_says_its_format_and_takes_a_path_or_a_text(tmp_path):
    Store.create(str(tmp_path / "store"))
    assert (tmp_path / "store" / "store.json").read_text() == '{"boardmark_store":2}\n'
    assert Store.open(str(tmp_path / "store")).root == tmp_path / "store"
    (tmp_path / "store" / "store.json").write_bytes(b"\xff")
    assert Store.open(tmp_path / "store").sessions() == ()


def test_a_read_only_store_can_be_read_and_says_why_it_cannot_be_written(tmp_path):
    root = tmp_path / "store"
    stores.live(Store.create(root))
    if subprocess.run(
        ["mount", "--bind", str(root), str(root)], capture_output=True, check=False
    ).returncode:
        pytest.skip("a read-only mount takes root")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(root)], check=True)
        with pytest.raises(StoreError, match=r"read-only file system.*--store"):
            Store.create(root)
        store = Store.open(root)
        assert len(load(store).runs) == 15
        assert len(list_sessions(store).entries) == 1
        with pytest.raises(StoreError, match="read-only"):
            store.resume(_ID)
        with pytest.raises(StoreError, match="read-only"):
            store.seal(_ID)
    finally:
        subprocess.run(["umount", str(root)], check=True)


def test_publishing_never_replaces_and_leaves_nothing_beside(tmp_path):
    path = tmp_path / "part"
    durable.publish(b"first", path)
    durable.publish(b"second", path)
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_publishing_works_without_hard_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    durable.publish(b"first", tmp_path / "part")
    durable.publish(b"second", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == b"first"
    assert len(list(tmp_path.iterdir())) == 1


def test_listing_shows_live_and_sealed(store):
    stores.live(store)
    stores.live(store, [], "20261119T010000Z-aaaa")
    store.seal(_ID)
    listing = list_sessions(store)
    assert listing.problems == ()
    older, newer = listing.entries
    assert (older.session_id, older.sealed, older.runs) == ("20261119T010000Z-aaaa", False, 0)
    assert (newer.session_id, newer.sealed, newer.runs) == (_ID, True, 15)
    assert (newer.cases, newer.skipped, newer.models) == (3, 1, ("digits",))
