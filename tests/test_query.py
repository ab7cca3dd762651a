from __future__ import annotations

import handmade
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import StoreError, UsageError
from results import parts
from results.format1 import TABLES
from results.query import list_sessions, load
from results.store import Store

_ID = handmade.SESSION_ID


def _sealed(root):
    store = Store.create(root)
    with store.start(handmade.plan()) as journal:
        for run in handmade.runs():
            journal.append(run)
    store.seal(_ID)
    return store


@pytest.fixture
def store(tmp_path):
    return _sealed(tmp_path / "store")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return _sealed(tmp_path_factory.mktemp("shared"))


@pytest.mark.parametrize("table", ["runs", "samples"])
def test_a_corrupt_part_is_moved_aside_and_the_rest_is_read(store, table):
    (path,) = parts.find(store.root, table)
    data = path.read_bytes()
    path.write_bytes(data[:100] + b"\xff" + data[101:])
    session = load(store)
    assert session.plan == handmade.plan()
    (problem,) = session.problems
    assert f"{table} part '{path.name}' is left out because its bytes do not match" in problem
    aside = store.root / "quarantine" / path.name
    assert aside.is_file()
    assert "bytes do not match" in aside.with_suffix(".reason.txt").read_text()
    assert not path.exists()
    if table == "runs":
        assert session.runs == ()
    else:
        assert len(session.runs) == 15
        assert not any(run.samples_ns for run in session.runs)
    again = load(store)
    assert "lies in quarantine/" in again.problems[0]
    assert "lies in quarantine/" in list_sessions(store).problems[0]


def test_a_session_whose_commit_is_corrupt_is_named_everywhere(store):
    (path,) = parts.find(store.root, "sessions")
    path.write_bytes(b"")
    listing = list_sessions(store)
    assert listing.entries == ()
    assert any(path.name in problem for problem in listing.problems)
    with pytest.raises(UsageError, match="holds no session"):
        load(store)


def test_opening_a_session_whose_commit_is_corrupt_says_so(store):
    (path,) = parts.find(store.root, "sessions")
    path.write_bytes(b"PAR1")
    with pytest.raises(StoreError, match=f"session '{_ID}' cannot be read.*quarantine"):
        load(store)


@given(at=st.integers(0, 10**6), flip=st.integers(0, 255), cut=st.booleans())
@settings(max_examples=120, deadline=None)
def test_any_damage_to_a_part_is_noticed(shared, tmp_path_factory, at, flip, cut):
    (path,) = parts.find(shared.root, "runs")
    data = bytearray(path.read_bytes())
    copy = tmp_path_factory.mktemp("copy") / path.name
    at %= len(data)
    data = data[:at] if cut else data[:at] + bytes([data[at] ^ (flip or 1)]) + data[at + 1 :]
    copy.write_bytes(data)
    with pytest.raises(parts.CorruptPartError):
        parts.read(copy)


def _rewrite(store, table, change):
    """Replace a part by a well-formed one with other metadata."""
    (path,) = parts.find(store.root, table)
    data = pq.ParquetFile(path).read()
    sink = pa.BufferOutputStream()
    pq.write_table(data.replace_schema_metadata(change(dict(data.schema.metadata))), sink)
    path.unlink()
    return parts.write(store.root, table, _ID, sink.getvalue().to_pybytes())


def test_a_part_of_a_newer_version_is_left_alone_and_says_upgrade(store):
    path = _rewrite(store, "sessions", lambda old: {**old, b"boardmark.schema_version": b"2"})
    with pytest.raises(StoreError, match="schema version 2 and this boardmark reads up to 1"):
        load(store)
    assert path.is_file()
    listing = list_sessions(store)
    assert any("upgrade boardmark" in problem for problem in listing.problems)


def test_a_part_without_a_version_is_moved_aside(store):
    path = _rewrite(store, "sessions", lambda _: {})
    with pytest.raises(StoreError, match="carries no schema version"):
        load(store)
    assert not path.exists()


def test_a_part_that_is_gone_is_a_problem_not_a_crash(store):
    (path,) = parts.find(store.root, "samples")
    path.unlink()
    session = load(store)
    assert len(session.runs) == 15
    assert "no such file" in session.problems[0]


def test_a_store_that_cannot_be_written_still_reads(store):
    (path,) = parts.find(store.root, "runs")
    path.write_bytes(b"junk")
    (store.root / "quarantine").write_text("a file in the way")
    assert "could not be moved" in load(store).problems[0]
    assert path.exists()


def test_a_damaged_line_of_a_live_journal_is_left_out_and_named(tmp_path):
    store = Store.create(tmp_path / "store")
    with store.start(handmade.plan()) as journal:
        for run in handmade.runs():
            journal.append(run)
    path = journal.path
    lines = path.read_bytes().split(b"\n")
    lines[4] = lines[4][:-9]
    path.write_bytes(b"\n".join(lines))
    session = load(store)
    assert len(session.runs) == 14
    assert "line 5" in session.problems[0]
    assert list_sessions(store).entries[0].runs == 14
    assert "line 5" in list_sessions(store).problems[0]


def test_parts_of_another_store_can_be_copied_in_any_number_of_times(store, tmp_path):
    other = Store.create(tmp_path / "other")
    for _ in range(2):
        for table in TABLES:
            for path in parts.find(store.root, table):
                parts.write(other.root, table, _ID, path.read_bytes())
    assert load(other) == load(store)
