from __future__ import annotations

import handmade
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import stores
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import StoreError, UsageError
from results import index, layout, parts
from results.index import Index
from results.schema import TABLES
from results.sessions import Entry, Session, list_sessions, load
from results.storage import open_storage
from results.store import Store
from results.upkeep.compact import compact

_ID = handmade.SESSION_ID


@pytest.fixture
def store(tmp_path):
    return stores.sealed(tmp_path / "store")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return stores.sealed(tmp_path_factory.mktemp("shared"))


@pytest.mark.parametrize("table", ["runs", "samples"])
def test_a_corrupt_part_is_moved_aside_and_the_rest_is_read(store, table):
    (path,) = stores.files(store, table)
    data = path.read_bytes()
    path.write_bytes(data[:100] + b"\xff" + data[101:])
    session = load(store)
    assert session.plan == handmade.plan()
    (problem,) = session.problems
    assert f"{table} part '{path.stem}' is left out because its bytes do not match" in problem
    aside = store.root / "quarantine" / path.name
    assert aside.is_file()
    reason = aside.with_suffix(".reason.txt").read_text()
    assert "bytes do not match" in reason
    assert str(path.relative_to(store.root)) in reason
    assert not path.exists()
    if table == "runs":
        assert session.runs == ()
    else:
        assert len(session.runs) == 15
        assert not any(run.samples_ns for run in session.runs)
    (again,) = load(store).problems
    assert f"no part in '{table}'" in again
    assert "lies in quarantine/" in again
    assert "lies in quarantine/" in list_sessions(store).problems[0]


def test_a_session_whose_commit_is_corrupt_is_named_everywhere(store):
    (path,) = stores.files(store, "sessions")
    path.write_bytes(b"")
    listing = list_sessions(store)
    assert listing.entries == ()
    assert any(path.stem in problem for problem in listing.problems)
    with pytest.raises(UsageError, match="holds no session"):
        load(store)


def test_a_commit_that_rots_after_it_was_listed_is_noticed_by_the_next_listing(store):
    assert len(list_sessions(store).entries) == 1
    (path,) = stores.files(store, "sessions")
    data = path.read_bytes()
    path.write_bytes(data[:-9] + b"\xff" + data[-8:])
    listing = list_sessions(store)
    assert listing.entries == ()
    assert any(path.stem in problem for problem in listing.problems)


def test_opening_a_session_whose_commit_is_corrupt_says_so(store):
    (path,) = stores.files(store, "sessions")
    path.write_bytes(b"PAR1")
    with pytest.raises(StoreError, match=f"session '{_ID}' cannot be read.*quarantine"):
        load(store)


@given(at=st.integers(0, 10**6), flip=st.integers(0, 255), cut=st.booleans())
@settings(max_examples=120, deadline=None)
def test_any_damage_to_a_part_is_noticed(shared, tmp_path_factory, at, flip, cut):
    (path,) = stores.files(shared, "runs")
    data = bytearray(path.read_bytes())
    folder = tmp_path_factory.mktemp("copy")
    copy = folder / path.relative_to(shared.root)
    copy.parent.mkdir(parents=True)
    at %= len(data)
    data = data[:at] if cut else data[:at] + bytes([data[at] ^ (flip or 1)]) + data[at + 1 :]
    copy.write_bytes(data)
    with pytest.raises(parts.CorruptPartError):
        parts.read_table(open_storage(folder), str(path.relative_to(shared.root)))


def _rewrite(store, table, change):
    """Replace a part by a well-formed one with other metadata."""
    (path,) = stores.files(store, table)
    data = pq.ParquetFile(path).read()
    sink = pa.BufferOutputStream()
    pq.write_table(data.replace_schema_metadata(change(dict(data.schema.metadata))), sink)
    path.unlink()
    encoded = sink.getvalue().to_pybytes()
    target = path.with_name(f"{layout.name_of([_ID], encoded)}.parquet")
    target.write_bytes(encoded)
    return target


def test_a_part_of_a_newer_version_is_left_alone_and_says_upgrade(store):
    path = _rewrite(store, "sessions", lambda old: {**old, b"boardmark.schema_version": b"3.0"})
    with pytest.raises(StoreError, match=r"schema version 3.0 and this boardmark reads up to 2"):
        load(store)
    assert path.is_file()
    listing = list_sessions(store)
    assert any("upgrade boardmark" in problem for problem in listing.problems)


def test_a_part_of_a_newer_minor_version_is_read(store):
    _rewrite(store, "sessions", lambda old: {**old, b"boardmark.schema_version": b"2.7"})
    assert load(store).runs == tuple(handmade.runs())


@pytest.mark.parametrize("table", TABLES)
def test_a_part_without_a_version_is_moved_aside(store, table):
    path = _rewrite(store, table, lambda _: {})
    if table == "sessions":
        with pytest.raises(StoreError, match="carries no schema version"):
            load(store)
    else:
        problems = load(store).problems
        assert all("carries no schema version" in problem for problem in problems)
    assert path.exists() == (table in ("environments", "probes")), "only what was read"


def test_a_part_of_another_table_or_session_is_moved_aside(store):
    path = _rewrite(store, "runs", lambda old: {**old, b"boardmark.table": b"samples"})
    assert "says it is a part of 'samples'" in load(store).problems[0]
    assert not path.exists()
    path = _rewrite(store, "samples", lambda old: {**old, b"boardmark.sessions": b'{"a":"b"}'})
    assert "other sessions than its name" in load(store).problems[-1]


def test_a_part_that_is_gone_is_a_problem_not_a_crash(store):
    (path,) = stores.files(store, "samples")
    path.unlink()
    session = load(store)
    assert len(session.runs) == 15
    assert session.problems == (f"session '{_ID}' has no part in 'samples'",)


def test_a_store_that_cannot_be_written_still_reads(store):
    (path,) = stores.files(store, "runs")
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
        stores.copy(store, other)
    assert load(other) == load(store)


def test_a_golden_store_of_format_1_reads_as_it_always_did(tmp_path):
    store = stores.golden(tmp_path / "store")
    before = stores.contents(store.root / "parts")
    expected = sorted((stores.GOLDEN.parent / "store-v1.expected").glob("*.json"))
    assert [path.stem for path in expected] == list(store.sessions())
    for path in expected:
        assert load(store, path.stem) == msgspec.json.decode(path.read_bytes(), type=Session)
    listing = list_sessions(store)
    assert listing.problems == ()
    assert [(one.kind, one.sealed) for one in listing.entries] == [
        ("run", True),
        ("gate", True),
        ("run", False),
    ]
    assert {(one.device, one.suite) for one in listing.entries} == {
        (session.plan.device, session.plan.suite)
        for session in (load(store, path.stem) for path in expected)
    }
    assert stores.contents(store.root / "parts") == before


def test_sessions_of_both_formats_lie_beside_each_other(tmp_path):
    old = stores.golden(tmp_path / "store")
    (live_id,) = old.live()
    ids, runs = old.sessions(), load(old, live_id).runs
    store = stores.sealed(tmp_path / "store")
    assert store.sessions() == tuple(sorted([*ids, _ID]))
    assert load(store, _ID).runs == tuple(handmade.runs())
    store.seal(live_id)
    assert load(store, live_id).sealed
    assert load(store, live_id).runs == runs
    for path in sorted((stores.GOLDEN.parent / "store-v1.expected").glob("*.json")):
        kept = msgspec.json.decode(path.read_bytes(), type=Session)
        assert load(store, path.stem).runs == kept.runs
    assert list_sessions(store).problems == ()


def test_deleting_the_index_changes_nothing(tmp_path):
    stores.golden(tmp_path / "store")
    store = stores.sealed(tmp_path / "store")
    first = list_sessions(store)
    index = sorted((store.root / "index").iterdir())
    assert index
    for content in (b"", b"\xff" * 40, b"\x92\x01\x80"):
        for path in index:
            path.write_bytes(content)
        assert list_sessions(store) == first
    for path in index:
        path.unlink()
    assert list_sessions(store) == first
    assert sorted((store.root / "index").iterdir()) == index


def test_an_index_of_another_version_is_not_believed(store, monkeypatch):
    first = list_sessions(store)
    monkeypatch.setattr(parts, "read_table", None)
    assert list_sessions(store) == first
    monkeypatch.undo()
    monkeypatch.setattr(index, "_VERSION", 2)
    assert Index(store.storage, "entries", tuple[Entry, ...]).known == {}
    assert list_sessions(store) == first


def test_a_listing_reads_no_part_twice(store, monkeypatch):
    first = list_sessions(store)
    with monkeypatch.context() as patched:
        patched.setattr(parts, "read_table", None)
        assert list_sessions(store) == first


def _without_index(store):
    for path in (store.root / "index").glob("*"):
        path.unlink()
    return list_sessions(store)


def _with_footer(store, **changes):
    """Put the part of `sessions` again into its place, with another footer."""
    (path,) = stores.files(store, "sessions")
    name = str(path.relative_to(store.root))
    footer = parts.read_footer(store.storage, name)
    rows = parts.read_table(store.storage, name)
    path.unlink()
    footer = msgspec.structs.replace(footer, **changes)
    parts.publish(store.storage, footer, parts.encode(rows, footer))


def test_the_first_listing_reads_footers_only(store, monkeypatch):
    first = list_sessions(store)
    assert len(first.entries) == 1
    with monkeypatch.context() as patched:
        patched.setattr(parts, "decode", None)
        assert _without_index(store) == first
    (path,) = stores.files(store, "sessions")
    path.write_bytes(path.read_bytes()[:-1])
    assert _without_index(store).entries == ()


@pytest.mark.parametrize("listing", [None, "", "{}", "[" * 10**5, "another"])
def test_a_footer_without_a_line_of_this_session_leaves_it_to_the_row(store, listing):
    first = list_sessions(store)
    if listing == "another":
        other = msgspec.structs.replace(first.entries[0], session_id="20261120T141500Z-0000")
        listing = msgspec.json.encode(other).decode()
    _with_footer(store, listing=listing)
    assert _without_index(store) == first


def test_a_part_of_many_sessions_has_no_line_in_its_footer(store):
    stores.live(store, session_id="20261121T141500Z-3f2a")
    store.seal("20261121T141500Z-3f2a")
    first = list_sessions(store)
    compact(store)
    (path,) = stores.files(store, "sessions")
    footer = parts.read_footer(store.storage, str(path.relative_to(store.root)))
    assert (footer.listing, footer.more) == (None, {})
    assert _without_index(store) == first
