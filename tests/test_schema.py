from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import StoreError
from results import schema
from results.schema import Footer, FooterError

_GOLDEN = Path(__file__).parent / "golden"


def _footer(**changes):
    fields = {
        "table": "runs",
        "writer": "boardmark 0.1.0",
        "sessions": {"20261120T141500Z-3f2a": "c0ffee"},
        "device": "pi5",
        "month": "2026-11",
    }
    return Footer(**{**fields, **changes})


def test_the_columns_of_format_2_are_those_that_were_released():
    released = json.loads((_GOLDEN / "schema-2.0.json").read_text())
    found = {name: {f.name: str(f.type) for f in schema.schema(name)} for name in schema.TABLES}
    for table, columns in released.items():
        assert found[table].items() >= columns.items()
    if schema.VERSION == "2.0":
        assert found == released


def test_readers_get_the_place_as_columns():
    for table in schema.TABLES:
        names = schema.logical(table).names
        assert names == [*schema.schema(table).names, "month", "device"]
        assert names[0] == "session_id"


@given(
    sessions=st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=4),
    texts=st.lists(st.text(max_size=9), min_size=3, max_size=3),
    place=st.none() | st.text(max_size=9),
    more=st.dictionaries(st.sampled_from(["site", "x y", "é"]), st.text(max_size=9)),
)
def test_a_footer_survives_its_file(sessions, texts, place, more):
    table, writer, content = texts
    footer = _footer(
        table=table,
        writer=writer,
        content=content,
        sessions=sessions,
        device=place,
        month=place,
        more=more,
        version="2.7",
    )
    assert schema.footer(schema.metadata(footer)) == footer


def test_what_other_programs_put_there_is_not_ours():
    found = {**schema.metadata(_footer()), b"pandas": b"{}", b"ARROW:schema": b"\xff"}
    assert schema.footer(found) == _footer()


def test_a_footer_of_format_1_is_read():
    found = {
        b"boardmark.schema_version": b"1",
        b"boardmark.table": b"runs",
        b"boardmark.writer": b"boardmark 0.1.0",
        b"boardmark.content": b"3a737b5690f65bc1",
    }
    footer = schema.footer(found)
    assert (footer.major, footer.table, footer.content) == (1, "runs", "3a737b5690f65bc1")
    assert (footer.sessions, footer.device, footer.month) == ({}, None, None)


@pytest.mark.parametrize(
    ("found", "clause"),
    [
        (None, "no schema version"),
        ({}, "no schema version"),
        ({b"boardmark.schema_version": b"two"}, "no schema version"),
        ({b"boardmark.schema_version": b"2.0.1"}, "no schema version"),
        ({b"boardmark.schema_version": b"\xff"}, "no schema version"),
        ({b"boardmark.schema_version": b"2.0", b"boardmark.sessions": b"["}, "list of sessions"),
        ({b"boardmark.schema_version": b"2.0", b"boardmark.sessions": b'["a"]'}, "of sessions"),
        ({b"boardmark.schema_version": b"2.0", b"boardmark.sessions": b"[" * 9999}, "of sessions"),
    ],
)
def test_metadata_that_no_writer_put_there_are_an_error(found, clause):
    with pytest.raises(FooterError, match=clause):
        schema.footer(found)


def test_one_part_takes_the_place_of_several():
    first = _footer(version="2.7", more={"site": "a", "lab": "b"})
    second = _footer(sessions={"20261121T000000Z-aaaa": "beef"}, more={"site": "a", "lab": "c"})
    joined = schema.joined([second, first, first], "boardmark 9")
    assert joined.sessions == second.sessions | first.sessions
    assert (joined.version, joined.writer) == ("2.7", "boardmark 9")
    assert (joined.table, joined.device, joined.month) == ("runs", "pi5", "2026-11")
    assert joined.more == {"site": "a"}


def test_a_part_of_format_1_is_joined_into_one_of_today():
    old = _footer(version="1", content="c0ffee")
    joined = schema.joined([old], "boardmark 9")
    assert (joined.version, joined.content) == (schema.VERSION, None)
    assert joined == msgspec.structs.replace(_footer(), writer="boardmark 9")


def test_versions_are_compared_as_numbers():
    footers = [_footer(version=version) for version in ("2.9", "2.10", "2.0")]
    assert schema.joined(footers, "w").version == "2.10"


def test_two_contents_of_one_session_are_not_joined():
    other = _footer(sessions={"20261120T141500Z-3f2a": "beef"})
    with pytest.raises(StoreError, match="'20261120T141500Z-3f2a' with different content"):
        schema.joined([_footer(), other], "w")
