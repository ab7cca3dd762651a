from __future__ import annotations

import json
from pathlib import Path

import handmade
import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from harness.errors import StoreError
from results import encoding, lines, migrations, schema, tables
from results.schema import Footer
from results.store import Store
from results.tables import Recorded

_GOLDEN = Path(__file__).parent / "golden"
_SEALED = [path.name[:21] for path in sorted((_GOLDEN / "store-v1/parts/sessions").iterdir())]
_PLACE = {"month": "2026-11", "device": "amd-epyc"}


def _golden(table, session_id, sessions=None, columns=None):
    (path,) = (_GOLDEN / "store-v1/parts" / table).glob(f"{session_id}-*.parquet")
    file = pq.ParquetFile(path)
    found = schema.footer(file.schema_arrow.metadata)
    found = msgspec.structs.replace(found, sessions={session_id: found.content})
    return migrations.upgraded(file.read(columns=columns), table, found, sessions)


def _expected(session_id):
    return json.loads((_GOLDEN / "store-v1.expected" / f"{session_id}.json").read_text())


def _plain(value):
    return json.loads(msgspec.json.encode(value))


@pytest.mark.parametrize("session_id", _SEALED)
def test_format_1_reads_as_its_own_version_read_it(session_id):
    expected = _expected(session_id)
    sessions = _golden("sessions", session_id)
    (row,) = sessions.to_pylist()
    runs = _golden("runs", session_id, sessions).to_pylist()
    samples = _golden("samples", session_id, sessions).to_pylist()
    assert _plain(tables.plan_from(row)) == expected["plan"]
    assert _plain(tables.runs_from(runs, samples)) == expected["runs"]
    assert row["notes"] == expected["notes"]


@pytest.mark.parametrize("session_id", _SEALED)
def test_format_1_gets_the_columns_of_today(session_id):
    plan = _expected(session_id)["plan"]
    sessions = _golden("sessions", session_id)
    for name in ("sessions", "runs", "samples"):
        table = _golden(name, session_id, sessions)
        assert table.schema.equals(schema.logical(name))
        assert set(table["session_id"].to_pylist()) == {session_id}
        assert {key: set(table[key].to_pylist()) for key in _PLACE} == {
            key: {value} for key, value in _PLACE.items()
        }
    (row,) = sessions.to_pylist()
    assert (row["kind"], len(row["content"])) == (plan["kind"], 16)
    runs = _golden("runs", session_id, sessions).to_pylist()
    sides = {_key(case): case["side"] for case in plan["cases"] + plan["anchors"]}
    for run in runs:
        of_plan = plan["kind"], plan["suite"], plan["created_unix_s"]
        assert (run["kind"], run["suite"], run["created_unix_s"]) == of_plan
        assert run["side"] == sides.get(run["case_key"])
        assert run["disturbed"] is None
    assert len({run["side"] for run in runs}) > 1


def _key(case):
    from harness.types import Case

    return msgspec.convert(case, Case).key


def test_without_its_session_a_part_of_format_1_leaves_unknown_what_it_cannot_tell():
    runs = _golden("runs", _SEALED[0])
    assert runs.schema.equals(schema.logical("runs"))
    for name in ("created_unix_s", "kind", "suite", "side", "month"):
        assert runs[name].null_count == len(runs)
    assert set(runs["device"].to_pylist()) == {"amd-epyc"}
    samples = _golden("samples", _SEALED[0])
    assert set(samples["session_id"].to_pylist()) == {_SEALED[0]}
    assert samples["device"].null_count == len(samples)


def test_upgrading_with_the_session_completes_what_was_upgraded_without():
    sessions = _golden("sessions", _SEALED[0])
    late = Footer(version="1", table="runs", writer="", sessions={_SEALED[0]: ""})
    again = migrations.upgraded(_golden("runs", _SEALED[0]), "runs", late, sessions)
    assert again.equals(_golden("runs", _SEALED[0], sessions))


def test_a_few_columns_of_format_1_can_be_upgraded_alone():
    few = _golden("sessions", _SEALED[0], columns=["session_id", "suite"])
    assert few.schema.equals(schema.logical("sessions"))
    assert few["suite"][0].as_py() == _expected(_SEALED[0])["plan"]["suite"]
    assert few["plan_json"].null_count == few["kind"].null_count == 1
    anonymous = few.select(["suite"])
    assert _golden("runs", _SEALED[0], anonymous).equals(_golden("runs", _SEALED[0]))
    unnamed = Footer(version="1", table="sessions", writer="", sessions={}, content="c0")
    assert migrations.upgraded(anonymous, "sessions", unnamed)["content"].to_pylist() == ["c0"]


@pytest.mark.parametrize("session_id", _SEALED)
def test_environments_and_probes_of_format_1_are_those_that_sealing_makes_today(session_id):
    sessions = _golden("sessions", session_id)
    runs = _golden("runs", session_id, sessions)
    samples = _golden("samples", session_id, sessions)
    today = tables.arrow(
        Recorded(
            plan=tables.plan_from(sessions.to_pylist()[0]),
            runs=tables.runs_from(runs.to_pylist(), samples.to_pylist()),
        )
    )
    assert migrations.environments_of(sessions).equals(today["environments"])
    assert migrations.probes_of(runs).equals(today["probes"])
    assert len(migrations.probes_of(runs.slice(0, 0))) == 0


def _newer(version="2.7"):
    """A part of a newer version: columns and metadata that this one has never heard of."""
    table = tables.arrow(Recorded(plan=handmade.plan(), runs=tuple(handmade.runs())))["runs"]
    rows = len(table)
    extra = pa.array([{"zone": n, "names": ["a", None]} for n in range(rows)])
    table = table.append_column("thermal", extra)
    table = table.append_column("tariff", pa.array([0.5 if n % 2 else None for n in range(rows)]))
    footer = Footer(
        version=version,
        table="runs",
        writer="boardmark 9.9.9",
        sessions={handmade.SESSION_ID: "c0"},
        device="local",
        month="2026-11",
        more={"site": "lab 3"},
    )
    return table, footer


def _through_a_file(table, footer):
    file = migrations.for_file(table)
    shaped = file.replace_schema_metadata(schema.metadata(footer))
    sink = pa.BufferOutputStream()
    pq.write_table(shaped, sink, **encoding.options(footer.table, file.column_names))
    part = pq.ParquetFile(pa.BufferReader(sink.getvalue()))
    assert not {"month", "device"} & set(part.schema_arrow.names)
    found = schema.footer(part.schema_arrow.metadata)
    return migrations.upgraded(part.read(), found.table, found), found


def test_a_newer_minor_version_keeps_its_columns_and_its_word_through_a_rewrite():
    table, footer = _newer()
    read, found = _through_a_file(table, footer)
    assert found == footer
    assert read.equals(table.select(read.column_names))
    again, joined = _through_a_file(read, schema.joined([found], "boardmark 0.1.0"))
    assert again.equals(read)
    assert (joined.version, joined.more) == ("2.7", {"site": "lab 3"})
    assert again.column_names[-2:] == ["thermal", "tariff"]


def test_what_a_newer_minor_wrote_into_a_journal_survives_our_resume_and_seal(tmp_path):
    store = Store.create(tmp_path / "store")
    plan, (first, second, *_) = handmade.plan(), handmade.runs()
    newer = {name: _plain(value) for name, value in (("plan", plan), ("run", first))}
    newer["plan"]["cases"][0]["shelf"] = newer["plan"]["lab"] = "upstairs"
    newer["run"]["attempt"] = {"number": 2}
    journal = store.journal(plan.session_id)
    store.start(plan).close()
    journal.write_bytes(b"".join(lines.encode(kind, body) for kind, body in newer.items()))
    with store.resume(plan.session_id) as open_journal:
        open_journal.append(second)
    by_table = {}
    for path in store.seal(plan.session_id):
        table = pq.read_table(store.root / path, partitioning=None)
        by_table[schema.footer(table.schema.metadata).table] = table.to_pylist()
    assert json.loads(by_table["sessions"][0]["plan_json"]) == newer["plan"]
    found = [row["extra_json"] for row in by_table["runs"]]
    assert [found[0] and json.loads(found[0]), found[1]] == [{"attempt": {"number": 2}}, None]


def test_parts_of_two_minor_versions_lie_in_one_table():
    newer, footer = _newer()
    older = migrations.for_file(newer).drop_columns(["thermal", "tariff"])
    older = migrations.upgraded(older, "runs", msgspec.structs.replace(footer, version="2.0"))
    both = pa.concat_tables(
        [older, migrations.upgraded(newer, "runs", footer)], promote_options="default"
    )
    assert both["thermal"].null_count == len(older)
    assert both["thermal"][-1].as_py()["names"] == ["a", None]


def test_an_older_minor_version_lacks_columns_and_they_are_null():
    table, footer = _newer("2.0")
    table = table.drop_columns(["extra_json", "disturbed"])
    read = migrations.upgraded(table, "runs", footer)
    assert read["disturbed"].null_count == len(table)
    assert read.column_names[: len(schema.logical("runs"))] == schema.logical("runs").names


def test_a_newer_format_is_refused():
    table, footer = _newer("3.0")
    with pytest.raises(StoreError, match=r"schema version 3\.0 .* up to 2\.0; upgrade boardmark"):
        migrations.upgraded(table, "runs", footer)


def test_texts_stored_another_way_are_read_and_another_type_is_a_sentence():
    table, footer = _newer()
    at = table.column_names.index("status")
    packed = table.set_column(at, "status", pc.dictionary_encode(table["status"]))
    assert migrations.upgraded(packed, "runs", footer)["status"].equals(table["status"])
    wrong = table.set_column(at, "status", table["thermal"])
    with pytest.raises(StoreError, match="column 'status' of 'runs' cannot be read as string"):
        migrations.upgraded(wrong, "runs", footer)
