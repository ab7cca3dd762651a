from __future__ import annotations

import handmade
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import stores
from hypothesis import given, settings
from hypothesis import strategies as st

from results import layout, parts, schema, tables
from results.layout import Part, parse
from results.schema import TABLES, Footer
from results.storage import MissingError, open_storage

_IDS = st.from_regex(r"20261120T1415(0[0-9])Z-[0-9a-f]{4,16}", fullmatch=True)


@given(
    table=st.sampled_from(TABLES),
    device=st.text(max_size=30),
    session_id=_IDS,
    data=st.binary(max_size=20),
)
@settings(deadline=None)
def test_any_part_is_found_again_by_its_path(table, device, session_id, data):
    for covered in ((session_id,), (session_id, "20261121T000000Z-0000")):
        name = layout.name_of(covered, data)
        part = Part(table=table, month="2026-11", device=device, name=name)
        assert parse(part.path) == part
        assert part.path.count("/") == 4
        assert part.session_id == (None if len(covered) > 1 else session_id)
        assert part.digest == layout.digest_of(data)


def test_format_1_lies_flat_and_its_month_is_in_its_name():
    path = "parts/runs/20261120T141500Z-3f2a-0123456789abcdef.parquet"
    part = parse(path)
    assert part == Part(
        table="runs",
        month="2026-11",
        device=None,
        name="20261120T141500Z-3f2a-0123456789abcdef",
        format=1,
    )
    assert part.path == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "store.json",
        "parts/runs/compact-0123456789abcdef.parquet",
        "parts/runs/month=2026-11/compact-0123456789abcdef.parquet",
        "parts/runs/month=2026-11/device=a/b/compact-0123456789abcdef.parquet",
        "parts/runs/month=2026-11/device=a/compact-0123456789abcdeF.parquet",
        "parts/runs/month=2026-11/device=a/compact-0123456789abcdef.parquet.txt",
        "parts/runs/month=2026/device=a/compact-0123456789abcdef.parquet",
        "quarantine/compact-0123456789abcdef.parquet",
    ],
)
def test_other_paths_are_no_parts(path):
    assert parse(path) is None


def test_the_month_is_that_of_utc():
    assert layout.month_of(1796083199.0) == "2026-11"
    assert layout.month_of(1796083200.0) == "2026-12"


def _footer(table, ids=("20261120T141500Z-0001", "20261120T141500Z-0002"), **changes):
    fields = {"writer": "a test", "device": "jetson nano/1", "month": "2026-11"}
    sessions = {session_id: f"c{session_id[-1]}" for session_id in ids}
    return Footer(**{"table": table, "sessions": sessions, **fields, **changes})


def _samples(ids=("20261120T141500Z-0002", "20261120T141500Z-0001")):
    return [
        {"session_id": one, "run_id": f"r{n}", "metric": "latency", "unit": "ns", "values": [n, -n]}
        for one in ids
        for n in range(3)
    ]


@pytest.fixture
def storage(tmp_path):
    return open_storage(tmp_path)


def test_a_part_reads_back_with_its_place_and_sorted_by_session(storage):
    footer = _footer("samples")
    data = parts.encode(_samples(), footer)
    path = parts.publish(storage, footer, data)
    assert path.startswith("parts/samples/month=2026-11/device=jetson%20nano%2F1/compact-")
    assert parts.publish(storage, footer, data) == path
    found = parts.rows(parts.read_table(storage, path))
    assert [row["session_id"][-1] for row in found] == ["1"] * 3 + ["2"] * 3
    assert [row["run_id"] for row in found] == ["r0", "r1", "r2"] * 2, "in order within a session"
    assert found[1]["values"] == [1, -1]
    assert {(row["device"], row["month"]) for row in found} == {("jetson nano/1", "2026-11")}
    assert not {"device", "month"} & set(pq.read_schema(pa.BufferReader(data)).names)
    assert parts.read_footer(storage, path).sessions == footer.sessions


@pytest.mark.parametrize("checked", [True, False])
def test_one_session_and_some_columns_can_be_asked_for(storage, checked):
    footer = _footer("samples")
    path = parts.publish(storage, footer, parts.encode(_samples(), footer))
    wanted = "20261120T141500Z-0002"
    found = parts.read_table(storage, path, ("values", "device"), wanted, checked)
    assert found.column_names == ["values", "device"]
    assert parts.rows(found) == [{"values": [n, -n], "device": "jetson nano/1"} for n in range(3)]
    assert len(parts.read_table(storage, path, None, "20261120T141500Z-0003", checked)) == 0


def test_only_the_row_groups_of_the_session_are_read(storage, monkeypatch):
    monkeypatch.setitem(parts.ROW_GROUP, "samples", 3)
    footer = _footer("samples")
    path = parts.publish(storage, footer, parts.encode(_samples(), footer))
    read, asked = pq.ParquetFile.read_row_groups, []

    def told(self, groups, **options):
        asked.append(list(groups))
        return read(self, groups, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", told)
    for number, session_id in enumerate(footer.sessions):
        assert len(parts.read_table(storage, path, None, session_id)) == 3
        assert asked[-1] == [number]


def test_columns_of_a_newer_minor_version_survive_rewriting(storage):
    rows = pa.Table.from_pylist(_samples(), schema=schema.schema("samples"))
    rows = rows.append_column("weather", pa.array(["rain"] * 6))
    footer = _footer("samples", version="2.7", more={"mood": "fine"})
    path = parts.publish(storage, footer, parts.encode(rows, footer))
    ids = tuple(footer.sessions)
    found = parts.read_table(storage, path)
    others, alone = parts.divided(parts.read_footer(storage, path), ids[:1])
    for part, kept in (
        (others, parts.without(found, ids[:1])),
        (alone, parts.only(found, ids[:1])),
    ):
        again = parts.publish(storage, part, parts.encode(kept, part))
        assert len(part.sessions) == 1
        assert layout.parse(again).session_id == next(iter(part.sessions))
        back = parts.read_table(storage, again)
        assert back["weather"].to_pylist() == ["rain"] * 3
        assert set(back["session_id"].to_pylist()) == set(part.sessions)
        read = parts.read_footer(storage, again)
        assert (read.version, read.more) == ("2.7", {"mood": "fine"})


def test_columns_that_a_part_lacks_are_null(storage):
    rows = pa.table({"session_id": ["20261120T141500Z-0001"], "run_id": ["r1"]})
    footer = _footer("samples", ids=("20261120T141500Z-0001",))
    path = parts.publish(storage, footer, parts.encode(rows, footer))
    found = parts.read_table(storage, path, ("unit", "values", "month"))
    assert parts.rows(found) == [{"unit": None, "values": None, "month": "2026-11"}]


@given(
    values=st.lists(
        st.none() | st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=4), max_size=6
    ),
    cut=st.integers(0, 6),
)
@settings(deadline=None)
def test_rows_of_lists_are_those_of_arrow(values, cut):
    table = pa.table({"values": pa.array(values, pa.list_(pa.int64()))})
    table = pa.concat_tables([table, table]).slice(cut)
    assert parts.rows(table) == table.to_pylist()


def test_a_part_that_is_missing_is_told_from_one_that_is_damaged(storage, tmp_path):
    footer = _footer("samples")
    path = parts.publish(storage, footer, parts.encode(_samples(), footer))
    (tmp_path / path).write_bytes(b"junk")
    for read in (parts.read_table, parts.read_footer, parts.read_bytes):
        with pytest.raises(parts.CorruptPartError):
            read(storage, path)
    with pytest.raises(parts.CorruptPartError):
        parts.read_table(storage, path, checked=True)
    (tmp_path / path).unlink()
    for read in (parts.read_table, parts.read_footer, parts.read_bytes):
        with pytest.raises(MissingError):
            read(storage, path)
    with pytest.raises(MissingError):
        parts.read_table(storage, path, checked=True)


def test_plain_engines_read_the_columns_of_the_path(tmp_path):
    import duckdb

    store = stores.sealed(tmp_path / "store")
    (row,) = duckdb.sql(
        "select device, month, count(*) from read_parquet("
        f"'{store.root}/parts/runs/**/*.parquet', hive_partitioning=true) group by all"
    ).fetchall()
    assert row == ("local", "2026-11", 16)


def test_every_table_of_a_session_reads_back_as_it_was_made(tmp_path):
    store = stores.sealed(tmp_path / "store")
    recorded = tables.Recorded(plan=handmade.plan(), runs=tuple(handmade.runs()))
    made = tables.arrow(recorded)
    for table in TABLES:
        (path,) = stores.files(store, table)
        found = parts.read_table(store.storage, str(path.relative_to(store.root)))
        assert found.schema.names == schema.logical(table).names
        if table not in ("sessions",):
            assert found.equals(made[table])
