"""A question in SQL reads the store and nothing else, and ends when it is told to."""

from __future__ import annotations

import json
import os
import signal
import threading

import pytest
import stores

from harness import cli
from harness.errors import UsageError
from results.query import History


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return stores.sealed(tmp_path_factory.mktemp("engine") / "store")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("SELECT 1; SELECT 2", "2 statements"),
        ("COPY (SELECT 1) TO '{folder}/out.csv'", "no SELECT"),
        ("EXPORT DATABASE '{folder}/out'", "no SELECT"),
        ("ATTACH '{folder}/out.db'", "no SELECT"),
        ("CREATE TABLE mine AS SELECT 1", "no SELECT"),
        ("DROP VIEW runs", "no SELECT"),
        ("INSTALL httpfs", "no SELECT"),
        ("SET threads = 1", "no SELECT"),
        ("SELECT * FROM read_csv('{folder}/in.csv')", "file system operations are disabled"),
        ("SELECT * FROM '{folder}/in.csv'", "file system operations are disabled"),
        ("SELECT * FROM glob('{folder}/*')", "file system operations are disabled"),
    ],
)
def test_sql_reads_the_store_and_nothing_else(store, tmp_path, monkeypatch, text, told):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "in.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match=told):
        History(store).sql(text.format(folder=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count(*) FROM runs;",
        "FROM runs",
        "WITH r AS (FROM runs) SELECT count(*) FROM r",
        "PIVOT (SELECT variant, samples FROM runs) ON variant USING sum(samples)",
        "DESCRIBE runs",
        "SUMMARIZE runs",
        "EXPLAIN SELECT * FROM runs",
        "VALUES (1)",
    ],
)
def test_every_way_to_ask_is_open(store, text):
    assert len(History(store).sql(text)) > 0


def test_columns_of_one_name_are_told_apart(store, capsys):
    words = [
        "history",
        "--store",
        str(store.root),
        "--sql",
        "SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS A",
    ]
    assert cli.main(words) == 0
    assert capsys.readouterr().out.split() == ["a", "a_2", "a_1", "A", "1", "2", "3", "4"]
    assert cli.main([*words, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"a": 1, "a_2": 2, "a_1": 3, "A": 4}]


def test_a_join_of_everything_is_a_table(store, capsys):
    text = "SELECT * FROM runs r JOIN sessions s ON r.session_id = s.session_id"
    assert cli.main(["history", "--store", str(store.root), "--sql", text]) == 0
    head = capsys.readouterr().out.splitlines()[0].split()
    assert len(head) == len(set(head))


def test_a_question_without_end_ends_with_ctrl_c(store):
    endless = "SELECT count(*) FROM runs, range(1000000000) a, range(1000000000) b"
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    later = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    try:
        with pytest.raises(KeyboardInterrupt):
            later.start()
            History(store).sql(endless)
    finally:
        later.cancel()
        signal.signal(signal.SIGINT, before)
