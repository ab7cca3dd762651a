from __future__ import annotations

import os
import shutil

import handmade
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import s3_service
import stores
import upkeep_stores as many

from harness.errors import StoreError, UsageError
from results import parts, scan, sessions
from results.cases import summarise
from results.nights import Night
from results.query import Filter, History
from results.schema import TABLES, joined, logical
from results.storage import MissingError
from results.store import Store
from results.views import Views

_DAY_S = 86_400.0
_BEGAN_S = 1732112100.0  # 2024-11-20 14:15 UTC
_ANY = Filter(kind=None)


def _id(night):
    return f"202411{20 + night:02}T141500Z-{night:04x}"


def _case(case, device):
    return msgspec.structs.replace(case, device=device)


def _seal(store, night, device="local", factor=1.0, **changes):
    """Seal a night of fp32 and int8 on a device; return its id."""
    session_id = _id(night)
    cases = tuple(_case(case, device) for case in (handmade.FP32, handmade.INT8))
    runs = [
        handmade.run(2 * block + at, case, block, factor * (1 - at / 2), session_id=session_id)
        for block in range(5)
        for at, case in enumerate(cases)
    ]
    plan = handmade.plan(
        session_id,
        **{
            "created_unix_s": _BEGAN_S + night * _DAY_S,
            "device": device,
            "cases": cases,
            "order": (tuple(case.key for case in cases),) * 5,
            **changes,
        },
    )
    with store.start(plan) as journal:
        for run in runs:
            journal.append(run)
    store.seal(session_id)
    return session_id


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Ten nights of one device, the last of them slower, and one of another in another month."""
    store = Store.create(tmp_path_factory.mktemp("shared") / "store")
    for night in range(10):
        _seal(store, night, factor=2.0 if night == 9 else 1.0)
    _seal(store, 70, device="jetson/nano 4")
    return store


@pytest.fixture
def store(shared, tmp_path):
    shutil.copytree(shared.root, tmp_path / "copy")
    return Store.open(tmp_path / "copy")


def _part(store, table, session_id):
    (path,) = stores.files(store, table, session_id)
    return path


def _compact(store, *session_ids, remove=False):
    """Write one part per table that covers some sessions, as a compaction does."""
    for table in TABLES:
        paths = [str(_part(store, table, name).relative_to(store.root)) for name in session_ids]
        footers = [parts.read_footer(store.storage, path) for path in paths]
        rows = pa.concat_tables([parts.read_table(store.storage, path) for path in paths])
        footer = joined(footers, "a test")
        parts.publish(store.storage, footer, parts.encode(rows, footer))
        if remove:
            store.storage.remove(*paths)


@pytest.mark.parametrize("kind", ["live", "sealed", "format 1"])
def test_history_and_report_say_the_same(kind, tmp_path):
    if kind == "format 1":
        store = stores.golden(tmp_path / "store")
    else:
        store = Store.create(tmp_path / "store")
        stores.live(store)
        if kind == "sealed":
            store.seal(handmade.SESSION_ID)
    trend = History(store).trend(_ANY).to_pylist()
    assert trend
    for session_id in {row["session_id"] for row in trend}:
        session = sessions.load(store, session_id)
        reported = {row.case_key: row for row in summarise(session.plan, session.runs)}
        for row in trend:
            if row["session_id"] == session_id:
                wanted = reported[row["case_key"]]
                assert row["latency_p50_s"] == pytest.approx(wanted.latency_p50_s)
                assert row["throughput_per_s"] == pytest.approx(wanted.throughput_per_s)
                assert (row["runs"], row["runs_disturbed"], row["quality"]) == (
                    wanted.runs,
                    wanted.runs_disturbed,
                    wanted.quality,
                )
                if row["runs"] > 1:
                    assert row["latency_p50_lo_s"] == pytest.approx(wanted.latency_p50_lo_s)


def test_a_trend_has_each_night_in_order(shared):
    trend = History(shared).trend(Filter(device="local", variant="fp32"))
    assert trend["session_id"].to_pylist() == [_id(night) for night in range(10)]
    first, *_, last = trend["latency_p50_s"].to_pylist()
    assert last == pytest.approx(2 * first)
    assert trend["runs"].to_pylist() == [5] * 10
    assert set(trend["device"].to_pylist()) == {"local"}


def test_the_last_nights_end_with_the_newest_session_of_the_device(shared):
    history = History(shared)
    few = history.trend(Filter(device="local", variant="fp32"), nights=3)
    assert few["session_id"].to_pylist() == [_id(7), _id(8), _id(9)]
    assert set(history.trend(Filter(), nights=3)["session_id"].to_pylist()) == {_id(70)}
    until = Filter(device="local", variant="fp32", until=_BEGAN_S + 5 * _DAY_S)
    assert history.trend(until, nights=2)["session_id"].to_pylist() == [_id(3), _id(4)]
    since = Filter(device="local", variant="fp32", since=_BEGAN_S + 8 * _DAY_S)
    assert history.trend(since)["session_id"].to_pylist() == [_id(8), _id(9)]


def test_a_clock_that_ran_ahead_once_hides_no_other_night(store):
    _seal(store, 79, created_unix_s=_BEGAN_S + 100 * 365 * _DAY_S)
    few = History(store).trend(Filter(device="local", variant="fp32"), nights=3)
    assert few["session_id"].to_pylist() == [_id(7), _id(8), _id(9), _id(79)]


def test_the_latest_of_each_case_is_of_its_last_session(shared):
    found = History(shared).latest_per_case(Filter()).to_pylist()
    assert {(row["device"], row["variant"], row["session_id"]) for row in found} == {
        ("local", "fp32", _id(9)),
        ("local", "int8-dynamic", _id(9)),
        ("jetson/nano 4", "fp32", _id(70)),
        ("jetson/nano 4", "int8-dynamic", _id(70)),
    }


def test_a_case_that_the_last_sessions_left_out_has_an_older_latest(store):
    stores.live(store, session_id=_id(71))
    found = History(store).latest_per_case(Filter(device="local")).to_pylist()
    assert {(row["variant"], row["session_id"]) for row in found} == {
        ("fp32", _id(71)),
        ("int8-dynamic", _id(71)),
        ("int4", _id(71)),
    }


@pytest.mark.parametrize(
    ("where", "sessions_found"),
    [
        (Filter(model="digits"), 11),
        (Filter(model="none"), 0),
        (Filter(backend="null", scenario="single-stream", batch=1, threads=2), 11),
        (Filter(batch=2), 0),
        (Filter(threads=1), 0),
        (Filter(scenario="offline"), 0),
        (Filter(suite="quick"), 11),
        (Filter(suite="nightly"), 0),
        (Filter(kind=("gate", "import")), 0),
        (Filter(kind=("gate", "run")), 11),
        (Filter(kind=()), 0),
        (Filter(device="jetson/nano 4"), 1),
        (Filter(device="'; DROP VIEW runs; --"), 0),
        (Filter(since=_BEGAN_S + 9 * _DAY_S), 2),
        (Filter(until=_BEGAN_S + 1), 1),
    ],
)
def test_every_filter_is_heard(shared, where, sessions_found):
    history = History(shared)
    runs = history.runs(where, ["session_id", "run_id"])
    assert len(set(runs["session_id"].to_pylist())) == sessions_found
    trend = history.trend(where, nights=1000)
    assert len(set(trend["session_id"].to_pylist())) == sessions_found
    assert trend.column_names == list(Night.__struct_fields__)
    assert len(history.latest_per_case(where)) == (
        0 if sessions_found == 0 else pytest.approx(3, abs=1)
    )
    assert history.problems == ()


def test_runs_have_all_columns_and_the_skipped_cases(shared):
    runs = History(shared).runs(Filter(device="jetson/nano 4"))
    assert runs.schema.names == logical("runs").names
    assert set(runs["month"].to_pylist()) == {"2025-01"}
    assert runs["status"].to_pylist().count("skipped") == 1
    with pytest.raises(UsageError, match="no column of runs: 'x'"):
        History(shared).runs(Filter(), ["x"])


def test_an_empty_store_has_an_empty_history(tmp_path):
    history = History(Store.create(tmp_path / "store"))
    assert len(history.latest_per_case(Filter())) == len(history.trend(Filter())) == 0
    assert len(history.runs(Filter())) == 0


def test_anchors_are_not_among_the_cases(tmp_path):
    history = History(stores.golden(tmp_path / "store"))
    assert "anchor" not in history.latest_per_case(_ANY)["model"].to_pylist()
    assert "anchor" in history.runs(_ANY)["model"].to_pylist()


def test_only_parts_of_the_months_and_devices_in_question_are_opened(store):
    junk = [path for path in stores.files(store, "runs") if "device=local" in str(path)]
    for path in junk:
        path.write_bytes(b"junk")
    history = History(store)
    where = Filter(device="jetson/nano 4")
    assert len(history.latest_per_case(where)) == len(history.trend(where)) == 2
    assert len(history.runs(Filter(since=_BEGAN_S + 60 * _DAY_S))) > 0
    assert history.problems == ()
    assert all(path.exists() for path in junk)


def test_a_corrupt_part_goes_to_quarantine_and_the_rest_answers(store):
    path = _part(store, "runs", _id(9))
    path.write_bytes(path.read_bytes()[:-200] + bytes(200))
    history = History(store)
    found = history.latest_per_case(Filter(device="local"))
    assert set(found["session_id"].to_pylist()) == {_id(8)}
    (problem,) = history.problems
    assert path.stem in problem
    assert (store.root / "quarantine" / path.name).is_file()


@pytest.mark.parametrize("latest", [True, False])
def test_a_session_whose_runs_are_missing_is_named(store, latest):
    gone = [_id(night) for night in (3, 9)]
    for session_id in gone:
        _part(store, "runs", session_id).unlink()
    history = History(store)
    found = history.latest_per_case(Filter()) if latest else history.trend(Filter(device="local"))
    assert found.num_rows == (4 if latest else 16)
    assert list(history.problems) == [f"session {name!r} has no part in 'runs'" for name in gone]
    history = History(store)
    assert history.trend(Filter(device="jetson/nano 4")).num_rows == 2
    history.sql("SELECT * FROM sessions")
    assert history.problems == ()


def test_a_part_that_lies_in_quarantine_is_named_each_time(store):
    _part(store, "runs", _id(9)).write_bytes(b"junk")
    first, again = History(store), History(store)
    first.trend(Filter())
    again.trend(Filter())
    assert [len(one.problems) for one in (first, again)] == [1, 1]
    assert "left out because" in str(first.problems)
    assert f"session {_id(9)!r} has no part in 'runs'; part" in str(again.problems)


def test_a_session_that_is_pruned_meanwhile_is_not_missed(store, monkeypatch):
    from results.catalog import Catalog

    listed = Catalog.parts

    def and_pruned(catalog, table):
        found = listed(catalog, table)
        if table == "sessions":
            for name in ("sessions", "runs"):
                for path in stores.files(store, name, _id(3)):
                    path.unlink()
        return found

    monkeypatch.setattr(Catalog, "parts", and_pruned)
    history = History(store)
    assert history.runs(Filter(device="local"), ["run_id"]).num_rows == 99
    assert history.problems == ()


def test_a_bit_that_rots_after_the_part_was_checked_is_noticed_by_the_page_it_is_in(store):
    History(store).latest_per_case(Filter())
    path = _part(store, "runs", _id(9))
    _rot(path)
    history = History(store)
    found = history.latest_per_case(Filter(device="local"))
    assert set(found["session_id"].to_pylist()) == {_id(8)}
    assert path.stem in history.problems[0]
    assert (store.root / "quarantine" / path.name).is_file()


def test_a_bit_that_rots_is_noticed_whoever_asks_whatever_of_its_part(store):
    History(store).latest_per_case(Filter())
    path = _part(store, "runs", _id(9))
    _rot(path)
    sizes = "SELECT session_id, size_bytes FROM runs WHERE device = 'local'"
    assert len(History(store).sql(sizes)) == 110  # the page that rotted is not looked at
    history = History(store)
    assert len(history.sql(sizes.replace("size_bytes", "latency_p50_s"))) == 99
    assert path.stem in history.problems[0]


def test_a_footer_that_rots_is_noticed_before_anybody_relies_on_it(store):
    History(store).latest_per_case(Filter())
    path = _part(store, "runs", _id(9))
    data, facts = bytearray(path.read_bytes()), path.stat()
    data[-200] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    history = History(store)
    found = history.latest_per_case(Filter(device="local"))
    assert set(found["session_id"].to_pylist()) == {_id(8)}
    assert path.stem in history.problems[0]


def _told(store):
    history = History(store)
    found = (
        history.latest_per_case(Filter()),
        history.trend(Filter(), nights=1000),
        history.runs(Filter()),
        history.runs(Filter(device="jetson/nano 4")),
    )
    assert history.problems == ()
    return [table.to_pylist() for table in found]


@pytest.mark.parametrize("where", ["plain", "device=x", "a[bc]", "it's"])
def test_what_duckdb_reads_by_itself_is_what_arrow_gives(store, tmp_path, monkeypatch, where):
    store.root.rename(tmp_path / where)
    store = Store.open(tmp_path / where)
    _compact(store, *(_id(night) for night in range(3)), remove=True)
    many.part_of(store, "runs", [_id(night) for night in range(2, 5)])
    old = _part(store, "runs", _id(5))
    many.part_of(store, "runs", [_id(5)], version="2.7", aaa="of a newer version")
    old.unlink()
    _seal(store, 71, device="jetson/nano 4")
    stores.live(store, session_id=_id(72))
    by_arrow, dataset = [], Views._dataset
    with monkeypatch.context() as patched:
        patched.setattr(
            Views,
            "_dataset",
            lambda *words: by_arrow.append(len(words) < 4) or dataset(*words),
        )
        own = _told(store)
    # what parts hold twice always goes through Arrow
    assert set(by_arrow) == {False, *([True] if where in ("device=x", "a[bc]") else [])}
    monkeypatch.setattr(scan, "readable", lambda _: False)
    assert _told(store) == own


def test_a_rotten_part_that_cannot_be_moved_is_left_out_all_the_same(store):
    History(store).latest_per_case(Filter())
    path = _part(store, "runs", _id(9))
    _rot(path)
    (store.root / "quarantine").write_text("a file in the way")
    history = History(store)
    found = history.latest_per_case(Filter(device="local"))
    assert set(found["session_id"].to_pylist()) == {_id(8)}
    assert "could not be moved" in history.problems[0]


def _rot(path):
    """Flip one bit of the latencies in a part; neither its size nor its time tells."""
    columns = pq.ParquetFile(path).metadata.row_group(0)
    (column,) = (
        columns.column(at)
        for at in range(columns.num_columns)
        if columns.column(at).path_in_schema == "latency_p50_s"
    )
    data, facts = bytearray(path.read_bytes()), path.stat()
    data[(column.dictionary_page_offset or column.data_page_offset) + 60] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def test_a_part_of_a_newer_major_version_is_named_and_left_out(store):
    path = _part(store, "runs", _id(9))
    relative = str(path.relative_to(store.root))
    footer = parts.read_footer(store.storage, relative)
    rows = parts.read_table(store.storage, relative)
    newer = msgspec.structs.replace(footer, version="3.0")
    path.unlink()
    parts.publish(store.storage, newer, parts.encode(rows, newer))
    history = History(store)
    found = history.latest_per_case(Filter(device="local"))
    assert set(found["session_id"].to_pylist()) == {_id(8)}
    assert "upgrade boardmark" in history.problems[0]
    assert not (store.root / "quarantine").exists()


def test_a_session_that_several_parts_cover_counts_once(store):
    before = History(store).runs(_ANY).to_pylist()
    _compact(store, _id(0), _id(1))
    _compact(store, _id(1), _id(2))
    history = History(store)
    assert history.runs(_ANY).to_pylist() == before
    counts = history.sql("SELECT session_id, count(*) AS n FROM samples GROUP BY ALL").to_pylist()
    assert {row["n"] for row in counts} == {20}
    assert history.problems == ()


def test_a_compaction_in_the_middle_of_a_question_changes_nothing(store, monkeypatch):
    before = History(store).trend(Filter()).to_pylist()
    history = History(store)
    history.latest_per_case(Filter())
    _compact(store, *(_id(night) for night in range(10)), remove=True)
    assert history.trend(Filter(), nights=1000).to_pylist() != []
    assert History(store).trend(Filter()).to_pylist() == before
    assert history.problems == ()


def test_a_question_whose_parts_change_each_time_gives_up(store, monkeypatch):
    asked = []

    def vanish(self, table, chosen, numbered=False):
        asked.append(table)
        raise MissingError("gone", "ask again")

    monkeypatch.setattr(Views, "_dataset", vanish)
    with pytest.raises(StoreError, match="change faster than they can be read"):
        History(store).sql("FROM runs")
    assert len(asked) == 20


def test_a_live_session_that_is_sealed_meanwhile_counts_once(store):
    stores.live(store, session_id=_id(71))
    history = History(store)
    first = history.runs(Filter())
    store.seal(_id(71))
    _part(store, "runs", _id(3)).write_bytes(b"so that the parts are listed anew")
    again = history.runs(Filter())
    assert again["session_id"].to_pylist().count(_id(71)) == 16
    assert len(again) == len(first) - 11
    assert len(history.problems) == 1
    assert History(store).runs(Filter()).equals(again)


def test_a_damaged_line_of_a_live_journal_is_told(store):
    stores.live(store, session_id=_id(71))
    path = store.journal(_id(71))
    lines = path.read_bytes().split(b"\n")
    lines[4] = lines[4][:-9]
    path.write_bytes(b"\n".join(lines))
    history = History(store)
    assert len(history.runs(Filter(device="local")))
    assert "line 5" in history.problems[0]


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_a_view_with_its_documented_columns(shared, table):
    found = History(shared).sql(f"SELECT * FROM {table}")
    assert found.schema.names == logical(table).names
    assert len(found) >= (0 if table == "probes" else 11)


def test_sql_joins_tables_and_knows_where_rows_lie(shared):
    found = History(shared).sql(
        "SELECT r.device, r.month, count(*) AS n, max(list_max(s.values)) AS slowest "
        "FROM runs r JOIN samples s USING (session_id, run_id) "
        "WHERE s.metric = 'latency' GROUP BY ALL ORDER BY ALL"
    )
    assert [(row["device"], row["month"], row["n"]) for row in found.to_pylist()] == [
        ("jetson/nano 4", "2025-01", 10),
        ("local", "2024-11", 100),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("SELECT nothing FROM runs", 'column "nothing" not found'),
        ("SELEC", "syntax error"),
        ("SELECT * FROM elsewhere", "elsewhere"),
        ("SELECT 1/x FROM (SELECT 'a'::INT AS x)", "a"),
        ("", "gives no table"),
        ("SELECT * FROM question", "question does not exist"),
    ],
)
def test_sql_that_cannot_be_answered_is_one_sentence(shared, text, told):
    with pytest.raises(UsageError, match="DuckDB cannot answer that") as error:
        History(shared).sql(text)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_score_is_found_whichever_case_of_the_file_has_it(tmp_path):
    batched = msgspec.structs.replace(handmade.INT8, batch=8)
    store = Store.create(tmp_path / "store")
    runs = [*handmade.runs(), handmade.run(50, batched, 0)]
    stores.live(store, runs=runs, cases=(*handmade.plan().cases, batched))
    history = History(store)
    for found in (history.latest_per_case(Filter(batch=8)), history.trend(Filter(batch=8))):
        assert found["quality"].to_pylist() == [0.95]


def test_nothing_is_written_where_one_happens_to_be(shared, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    History(shared).sql("SELECT DISTINCT run_id FROM runs ORDER BY ALL")
    assert list((tmp_path / "here").iterdir()) == []


def test_a_store_that_cannot_be_written_answers_too(store):
    shutil.rmtree(store.root / "index", ignore_errors=True)
    (store.root / "index").write_text("a file in the way")
    assert len(History(store).latest_per_case(Filter())) == 4


def test_a_bucket_answers_as_a_directory_does(store, monkeypatch):
    with s3_service.served() as service:
        for name, value in service.variables().items():
            monkeypatch.setenv(name, value)
        bucket = service.bucket()
        for path, data in stores.contents(store.root).items():
            if "index" not in path.parts:
                key = f"nights/{path.relative_to(store.root)}"
                service.s3.put_object(Bucket=bucket, Key=key, Body=data)
        ours, theirs = History(store), History(Store.open(f"s3://{bucket}/nights"))
        for ask in (History.latest_per_case, History.trend, History.runs):
            assert ask(theirs, Filter()).equals(ask(ours, Filter()))
        text = "SELECT count(*) AS n FROM samples WHERE device LIKE 'jet%'"
        assert theirs.sql(text).equals(ours.sql(text))
        assert theirs.problems == ()
