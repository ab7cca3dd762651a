from __future__ import annotations

import csv
import io
import json

import handmade
import msgspec
import pyarrow.parquet as pq
import pytest
import stores

from harness import cli
from results.nights import Night
from results.store import Store

_BEGAN_S = 1700489700.0  # in the past, wherever a clock stands
_IDS = ("20231120T141500Z-0000", "20231121T141500Z-0001", "20231122T141500Z-0002")


@pytest.fixture(scope="module")
def where(tmp_path_factory):
    """The handmade session on three nights, the second of them not sealed."""
    folder = tmp_path_factory.mktemp("history") / "store"
    store = Store.create(folder)
    for night, session_id in enumerate(_IDS):
        began = _BEGAN_S + night * 86400
        stores.live(store, session_id=session_id, created_unix_s=began)
        if night != 1:
            store.seal(session_id)
    return folder


def _asked(capsys, where, *words):
    code = cli.main(["history", *words, "--store", str(where)])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_the_trend_is_a_line_per_night_and_case(where, capsys):
    code, out, err = _asked(capsys, where, "--variant", "int8-dynamic")
    head, *lines = out.splitlines()
    assert (code, err) == (0, "")
    assert head.split()[:3] == ["night", "device", "model"]
    assert [line.split()[0] for line in lines] == ["2023-11-20", "2023-11-21", "2023-11-22"]
    assert lines[0].split()[2:6] == ["local", "digits", "int8-dynamic", "null"]
    assert "1 ms" in lines[0]
    assert lines[0].endswith(_IDS[0])


@pytest.mark.parametrize(
    ("metric", "shown"),
    [
        ("throughput_per_s", "1000 /s"),
        ("peak_rss_bytes", "20 MB"),
        ("energy_j", "10 mJ"),
        ("quality", "0.95"),
    ],
)
def test_another_metric_is_shown_in_its_unit(where, capsys, metric, shown):
    _, out, _ = _asked(capsys, where, "--variant", "int8-dynamic", "--latest", "--metric", metric)
    assert metric in out
    assert f"  {shown}  " in out


def test_failed_runs_are_told_apart(where, capsys):
    _, out, _ = _asked(capsys, where, "--latest", "--variant", "int4")
    assert "3 (2 failed)" in out


def test_what_lines_differ_in_is_a_column(tmp_path, capsys):
    store = stores.sealed(tmp_path / "store")
    quick = msgspec.structs.replace(handmade.INT8, threads=4)
    new = msgspec.structs.replace(handmade.FP32, runtime_version="1.1", threads=None)
    runs = [handmade.run(0, quick, 0), handmade.run(1, new, 0)]
    stores.live(store, runs, "20231121T141500Z-0001", cases=(quick, new), kind="import", order=())
    _, out, _ = _asked(capsys, store.root, "--latest")
    assert out.splitlines()[0].split()[5:7] == ["scenario", "metric"]
    _, out, _ = _asked(capsys, store.root, "--kind", "run,import")
    lines = [line.split() for line in out.splitlines()]
    assert lines[0][5:9] == ["scenario", "kind", "threads", "runtime_version"]
    assert {(line[4], *line[7:10]) for line in lines[1:]} == {
        ("int8-dynamic", "run", "2", "1.0"),
        ("int4", "run", "2", "1.0"),
        ("fp32", "run", "2", "1.0"),
        ("int8-dynamic", "import", "4", "1.0"),
        ("fp32", "import", "—", "1.1"),
    }


def test_imports_that_are_left_out_are_counted(where, capsys, tmp_path):
    store = Store.create(tmp_path / "store")
    again = [f"2023112{night}T151500Z-001{night}" for night in (0, 1, 2)]
    for night, session_id in enumerate(again):
        began = _BEGAN_S + night * 86400 + 3600
        stores.live(store, session_id=session_id, created_unix_s=began, kind="import")
        if night:
            store.seal(session_id)
    told = "--kind run,import would add {}\n"
    nothing = "nothing in the store matches\n"
    assert _asked(capsys, store.root) == (0, "", nothing + told.format("3 imported sessions"))
    for session_id in _IDS[:2]:
        began = _BEGAN_S + 86400 * (session_id == _IDS[1])
        stores.live(store, session_id=session_id, created_unix_s=began)
    for words, count in ((), 3), (("--latest",), 1), (("--nights", "1"), 1), (("--nights", "2"), 2):
        code, out, err = _asked(capsys, store.root, *words)
        few = "1 imported session" if count == 1 else f"{count} imported sessions"
        assert (code, err) == (0, told.format(few))
        assert out
        more = _asked(capsys, store.root, *words, "--kind", "run,import")[1]
        assert sum(name in more for name in again) == count
        assert not any(name in out for name in again)
    for words in ("--kind", "run"), ("--model", "x"), ("--sql", "SELECT 1"), ("--device", "y"):
        assert "would add" not in _asked(capsys, store.root, *words)[2]


def test_latest_and_nights_choose_sessions(where, capsys):
    for words, lines in (("--latest",), 3), (("--nights", "2"), 6), ((), 9):
        _, out, _ = _asked(capsys, where, *words)
        assert len(out.splitlines()) == lines + 1


def test_every_format_holds_the_same_rows(where, capsys, tmp_path):
    words = ("--latest", "--format")
    listed = json.loads(_asked(capsys, where, *words, "json")[1])
    assert [set(row) for row in listed] == [set(Night.__struct_fields__)] * 3
    _, out, _ = _asked(capsys, where, *words, "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [float(row["latency_p50_s"]) for row in rows] == [row["latency_p50_s"] for row in listed]
    assert [row["sqnr_db"] for row in rows if row["variant"] == "int4"] == [""]
    file = tmp_path / "latest.parquet"
    assert _asked(capsys, where, *words, "parquet", "--output", str(file)) == (0, "", "")
    assert pq.read_table(file).to_pylist() == listed


def test_sql_is_answered_in_every_format(where, capsys):
    text = (
        "SELECT variant, count(*) AS n FROM runs WHERE run_id IS NOT NULL GROUP BY ALL ORDER BY 1"
    )
    _, out, _ = _asked(capsys, where, "--sql", text)
    assert [line.split() for line in out.splitlines()] == [
        ["variant", "n"], ["fp32", "15"], ["int4", "15"], ["int8-dynamic", "15"],
    ]  # fmt: skip
    _, out, _ = _asked(capsys, where, "--sql", text, "--format", "csv")
    assert out == "variant,n\r\nfp32,15\r\nint4,15\r\nint8-dynamic,15\r\n"
    _, out, _ = _asked(capsys, where, "--sql", "SELECT [1, 2] AS a, '=1' AS b", "--format", "csv")
    assert out == 'a,b\r\n"[1,2]",\'=1\r\n'
    odd = "SELECT [1, 2] AS a, {'b': 'NaN'::DOUBLE} AS c, DATE '2026-11-20' AS d, 'x'::BLOB AS e"
    _, out, _ = _asked(capsys, where, "--sql", odd, "--format", "json")
    assert json.loads(out) == [{"a": [1, 2], "c": {"b": None}, "d": "2026-11-20", "e": "eA=="}]


def test_nothing_found_is_said_beside_the_output(where, capsys):
    assert _asked(capsys, where, "--model", "x") == (0, "", "nothing in the store matches\n")
    code, out, err = _asked(capsys, where, "--model", "x", "--format", "json")
    assert (code, json.loads(out)) == (0, [])
    assert err


def test_problems_are_told_and_do_not_stop_it(tmp_path, capsys):
    store = stores.sealed(tmp_path / "store")
    (path,) = stores.files(store, "runs")
    path.write_bytes(b"junk")
    code, _, err = _asked(capsys, store.root, "--latest")
    assert code == 0
    assert "left out because" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--format", "parquet"), "name a file with --output"),
        (("--output", "/nowhere/x"), "cannot write '/nowhere/x'"),
        (("--sql", "SELECT x FROM runs"), "DuckDB cannot answer that"),
    ],
)
def test_a_wrong_request_is_one_sentence(where, capsys, words, told):
    code, out, err = _asked(capsys, where, *words)
    assert (code, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--kind", "nightly"), "expected run, gate"),
        (("--since", "yesterday"), "expected 2026-11-20 or 90d"),
        (("--until", f"{10**20}d"), "expected 2026-11-20 or 90d"),
        (("--nights", "0"), "whole number"),
        (("--latest", "--sql", "x"), "not allowed with"),
    ],
)
def test_a_wrong_word_is_named(where, capsys, words, told):
    with pytest.raises(SystemExit) as left:
        cli.main(["history", *words, "--store", str(where)])
    assert left.value.code == 2
    assert told in capsys.readouterr().err


def test_days_bound_what_is_asked(where, capsys):
    _, out, _ = _asked(capsys, where, "--since", "2023-11-21", "--until", "2023-11-22")
    assert {line.split()[0] for line in out.splitlines()[1:]} == {"2023-11-21"}
    _, out, _ = _asked(capsys, where, "--since", "2023-12-01")
    assert out == ""
    _, out, _ = _asked(capsys, where, "--since", "99999d")
    assert len(out.splitlines()) == 10


def test_a_missing_store_is_refused(tmp_path, capsys):
    code, _, err = _asked(capsys, tmp_path / "none")
    assert code == 2
    assert "there is no store" in err
