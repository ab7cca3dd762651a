"""Many labs, one bucket: measured here, merged there, read from anywhere as if it lay here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import handmade
import pytest
import stores

from harness import cli
from results.storage import open_storage
from results.store import Store

_ROOT = Path(__file__).parent.parent
_LATER = "20261121T020000Z-77aa"


@pytest.fixture
def lab(tmp_path):
    """Return a local store with two sealed sessions."""
    stores.sealed(tmp_path / "lab")
    return stores.sealed(tmp_path / "lab", _LATER).root


@pytest.fixture
def shared(s3, lab):
    """Return the URL of a store in a bucket that has taken the lab's sessions."""
    url = f"s3://{s3.bucket()}/nights"
    assert cli.main(["store", "merge", str(lab), "--store", url]) == 0
    return url


def _told(capsys, *words):
    capsys.readouterr()
    assert cli.main([str(word) for word in words]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    return told.out


@pytest.mark.parametrize(
    "words",
    [
        ["list", "sessions", "--json"],
        ["show", "--json"],
        ["show", "--session", handmade.SESSION_ID],
        ["export", "--format", "csv"],
        ["export", "--format", "json", "--session", "latest~1"],
        ["compare", handmade.SESSION_ID, _LATER],
    ],
)
def test_a_bucket_tells_what_the_local_store_tells(lab, shared, capsys, words):
    assert _told(capsys, *words, "--store", shared) == _told(capsys, *words, "--store", lab)


def test_the_parts_in_the_bucket_are_those_of_the_lab(s3, lab, shared):
    bucket, _, prefix = shared.removeprefix("s3://").partition("/")
    local = {
        str(path.relative_to(lab)): path.read_bytes() for path in (lab / "parts").rglob("*.parquet")
    }
    there = open_storage(shared)
    assert {entry.path: there.read(entry.path) for entry in there.walk("parts")} == local
    assert len(local) == 10
    parts = [key for key in s3.keys(bucket) if "/parts/" in key]
    assert sorted(parts) == sorted(f"{prefix}/{path}" for path in local)


def test_merging_again_changes_nothing_and_another_lab_adds_its_own(
    s3, lab, shared, capsys, tmp_path
):
    bucket = shared.split("/")[2]
    before = s3.keys(bucket)
    again = json.loads(_told(capsys, "store", "merge", lab, "--store", shared, "--json"))
    assert [(one["added"], one["parts"]) for one in again] == [(0, 0)]
    assert s3.keys(bucket) == before
    other = stores.sealed(tmp_path / "other", "20261122T020000Z-beef").root
    _told(capsys, "store", "merge", other, lab, "--store", shared)
    rows = json.loads(_told(capsys, "list", "sessions", "--json", "--store", shared))
    assert [row["session"][-4:] for row in rows] == ["3f2a", "77aa", "beef"]


def test_a_bucket_merges_back_into_a_directory(lab, shared, capsys, tmp_path):
    _told(capsys, "store", "merge", shared, "--store", tmp_path / "back")
    for store in (tmp_path / "back", shared):
        assert "nothing is damaged" in _told(capsys, "store", "verify", "--store", store)
    assert {path.name: path.read_bytes() for path in (lab / "parts").rglob("*.parquet")} == {
        path.name: path.read_bytes() for path in (tmp_path / "back" / "parts").rglob("*.parquet")
    }


@pytest.mark.parametrize(
    "question",
    [
        ["--latest"],
        ["--nights", "90", "--metric", "peak_rss_bytes"],
        ["--sql", "SELECT device, month, count(*) AS n FROM runs GROUP BY ALL"],
    ],
)
def test_history_is_asked_of_a_bucket(lab, shared, capsys, question):
    words = ("history", *question, "--format", "json", "--store")
    rows = json.loads(_told(capsys, *words, shared))
    assert rows == json.loads(_told(capsys, *words, lab))
    assert rows


def test_any_engine_reads_the_bucket_without_us(s3, shared):
    from pyarrow import dataset, fs

    plain = fs.S3FileSystem(endpoint_override=s3.endpoint, region="eu-central-1")
    base = shared.removeprefix("s3://")
    runs = dataset.dataset(f"{base}/parts/runs", filesystem=plain, partitioning="hive")
    rows = runs.to_table(columns=["device", "month", "variant"]).to_pylist()
    assert len(rows) == 2 * (len(handmade.runs()) + 1)  # a skipped case is a row, too
    assert {row["month"] for row in rows} == {"2026-11"}


def test_a_report_is_drawn_from_a_bucket(shared, capsys, tmp_path):
    page = tmp_path / "report.html"
    assert cli.main(["report", "--store", shared, "--output", str(page)]) == 0
    assert "int8-dynamic" in page.read_text()


def test_the_variable_may_name_a_bucket(shared, capsys, monkeypatch):
    monkeypatch.setenv("BOARDMARK_STORE", shared)
    assert len(json.loads(_told(capsys, "list", "sessions", "--json"))) == 2


def test_a_damaged_object_goes_to_quarantine_and_stops_no_reader(s3, shared, capsys):
    bucket = shared.split("/")[2]
    key = next(key for key in s3.keys(bucket) if "/parts/runs/" in key and _LATER in key)
    s3.s3.put_object(Bucket=bucket, Key=key, Body=b"no parquet at all")
    assert cli.main(["show", "--store", shared]) == 0
    capsys.readouterr()
    assert cli.main(["list", "sessions", "--store", shared]) == 0
    assert "quarantine" in capsys.readouterr().err
    assert f"nights/quarantine/{key.rpartition('/')[2]}" in s3.keys(bucket)
    assert key not in s3.keys(bucket)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--suite", "quick", "--backends", "null"], "cannot hold a running session"),
        (["run", "--resume"], "cannot hold a running session"),
        (["gate", "--self-test"], "cannot hold a running session"),
        (["calibrate"], "cannot hold a running session"),
        (["import", "--format", "llama-bench", "FILE"], "cannot hold a running session"),
    ],
)
def test_what_measures_says_to_measure_here_and_merge(s3, capsys, tmp_path, words, said):
    file = tmp_path / "result.json"
    file.write_text("[]")
    bucket = s3.bucket()
    url = f"s3://{bucket}/nights"
    words = [str(file) if word == "FILE" else word for word in words]
    assert cli.main([*words, "--store", url]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "boardmark store merge" in told
    assert told.count("\n") == 1
    assert s3.keys(bucket) == []


def _boardmark(words, user):
    return subprocess.run(
        [sys.executable, "-m", "harness.cli", *words],
        env={**os.environ, **user, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_who_may_only_read_reads_and_who_may_nothing_is_told_so(s3, lab, shared, tmp_path):
    bucket = shared.split("/")[2]
    extra = stores.sealed(tmp_path / "extra", "20261122T020000Z-beef").root
    reader, nobody = s3.user("s3:ListBucket", "s3:GetObject"), s3.user()
    before = {key: s3.s3.head_object(Bucket=bucket, Key=key)["ETag"] for key in s3.keys(bucket)}
    with s3.enforced():
        listed = _boardmark(["list", "sessions", "--json", "--store", shared], reader)
        shown = _boardmark(["show", "--store", shared], reader)
        refused = _boardmark(["store", "merge", str(extra), "--store", shared], reader)
        turned_away = _boardmark(["show", "--store", shared], nobody)
    assert (listed.returncode, listed.stderr, len(json.loads(listed.stdout))) == (0, "", 2)
    assert (shown.returncode, shown.stderr) == (0, "")
    for done, said in ((refused, "cannot write"), (turned_away, "cannot open")):
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"boardmark: {said} 's3://")
        assert "there is no right to do that" in done.stderr
        assert done.stderr.count("\n") == 1
    after = {key: s3.s3.head_object(Bucket=bucket, Key=key)["ETag"] for key in s3.keys(bucket)}
    assert after == before


def test_no_store_and_no_bucket_are_a_sentence_and_nothing_is_made(s3, lab, capsys):
    bucket = s3.bucket()
    for words, said in (
        (
            ["list"],
            f"there is no store at 's3://{bucket}/nights'; make one with boardmark store merge, or",
        ),
        (["show"], f"there is no store at 's3://{bucket}/nights'"),
        (["history", "--latest"], f"there is no store at 's3://{bucket}/nights'"),
        (["store", "verify"], f"there is no store at 's3://{bucket}/nights'"),
    ):
        assert cli.main([*words, "--store", f"s3://{bucket}/nights"]) == 2
        assert said in capsys.readouterr().err
    for words in (["show"], ["store", "merge", str(lab)]):
        assert cli.main([*words, "--store", "s3://nobodys-lab/nights"]) == 2
        assert "there is no such bucket" in capsys.readouterr().err
    assert s3.keys(bucket) == []


def test_a_bucket_of_a_newer_major_version_is_left_alone(s3, lab, capsys):
    bucket = s3.bucket()
    s3.s3.put_object(Bucket=bucket, Key="store.json", Body=b'{"boardmark_store": 3}\n')
    for words in (["list"], ["store", "merge", str(lab)]):
        assert cli.main([*words, "--store", f"s3://{bucket}"]) == 2
        assert "upgrade boardmark" in capsys.readouterr().err
    assert s3.keys(bucket) == ["store.json"]


def test_a_bucket_has_no_live_session(shared):
    assert Store.open(shared).live() == ()
