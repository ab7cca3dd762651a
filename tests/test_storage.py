from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.errors import StoreError, UsageError
from results import durable
from results.storage import Entry, MissingError, measurable, open_storage
from results.storage.bucket import location
from results.storage.settings import Settings, settings

_ROOT = Path(__file__).parent.parent


@pytest.fixture
def local(tmp_path):
    return open_storage(tmp_path / "store")


@pytest.fixture
def bucket(s3):
    return open_storage(f"s3://{s3.bucket()}/nights/2026")


@pytest.fixture(params=["local", "bucket"])
def storage(request):
    """Return the same store in a directory and in a bucket."""
    return request.getfixturevalue(request.param)


def test_a_published_file_is_listed_and_read_and_never_replaced(storage):
    path = "parts/runs/month=2026-11/device=a%2Fb c/x.parquet"
    before = time.time_ns()
    assert storage.publish(path, b"first")
    assert not storage.publish(path, b"second")
    assert storage.read(path) == b"first"
    (found,) = storage.walk()
    assert found == Entry(path=path, size_bytes=5, mtime_ns=found.mtime_ns)
    assert abs(found.mtime_ns - before) < 5e9


def test_a_walk_is_sorted_and_stays_below_its_folder_and_skips_what_is_unfinished(storage):
    names = ["parts/runs/a", "parts/runs/b", "parts/runs/x/y"]
    for path in (*reversed(names), "parts/runs2/c", "parts/runs/.tmp-0011", "lock"):
        storage.publish(path, b"")
    assert [entry.path for entry in storage.walk("parts/runs")] == names
    assert [entry.path for entry in storage.walk()] == ["lock", *names, "parts/runs2/c"]
    assert list(storage.walk("nowhere")) == []


def test_replace_gives_new_content(storage):
    for content in (b"old", b"new"):
        storage.replace("index/catalog", content)
        assert storage.read("index/catalog") == content
    assert [entry.path for entry in storage.walk()] == ["index/catalog"]


def test_a_move_never_replaces_other_content(storage):
    for path, data in (("parts/a", b"1"), ("aside/a", b"2"), ("aside/same", b"1")):
        storage.publish(path, data)
    with pytest.raises(StoreError, match=r"cannot move .*parts/a"):
        storage.move("parts/a", "aside/a")
    assert (storage.read("parts/a"), storage.read("aside/a")) == (b"1", b"2")
    storage.move("parts/a", "aside/same")
    storage.move("aside/same", "new/folder/a")
    assert [entry.path for entry in storage.walk()] == ["aside/a", "new/folder/a"]


def test_a_file_that_is_gone_is_told_apart(storage):
    def stream():
        filesystem, base = storage.filesystem()
        with storage.translated("read", "parts/a"):
            filesystem.open_input_file(f"{base}/parts/a")

    for action in (
        stream,
        lambda: storage.read("parts/a"),
        lambda: storage.move("parts/a", "aside/a"),
    ):
        with pytest.raises(MissingError, match=r"parts/a': it is not there; another process"):
            action()


def test_removing_takes_what_is_there(storage):
    for path in ("parts/a", "parts/b", "index/c"):
        storage.publish(path, b"")
    storage.remove("parts/a", "parts/b", "parts/gone", "nowhere/d")
    assert [entry.path for entry in storage.walk()] == ["index/c"]


def test_arrow_sees_the_same_files_and_keeps_its_word_for_bad_content(storage):
    import pyarrow as pa
    import pyarrow.parquet as pq

    storage.publish("parts/a", b"no parquet at all")
    filesystem, base = storage.filesystem()
    with filesystem.open_input_stream(f"{base}/parts/a") as stream:
        assert stream.read() == b"no parquet at all"
    with pytest.raises(pa.ArrowInvalid), storage.translated("read", "parts/a"):
        pq.ParquetFile(f"{base}/parts/a", filesystem=filesystem)
    with pytest.raises(OSError, match="deserialize thrift"), storage.translated("read", "parts/a"):
        raise OSError("Couldn't deserialize thrift: TProtocolException")


def test_a_walk_of_a_directory_follows_no_links(local):
    local.publish("parts/a", b"")
    (local.root / "parts/elsewhere").symlink_to(local.root)
    assert [entry.path for entry in local.walk()] == ["parts/a"]


def test_nothing_is_left_beside_a_file_of_a_directory(local):
    local.publish("a", b"1")
    local.publish("a", b"2")
    local.replace("a", b"3")
    assert list(local.root.iterdir()) == [local.root / "a"]


def test_a_move_that_was_killed_after_its_link_is_completed(local):
    local.publish("parts/a", b"1")
    (local.root / "aside").mkdir()
    os.link(local.root / "parts/a", local.root / "aside/a")
    local.move("parts/a", "aside/a")
    assert [entry.path for entry in local.walk()] == ["aside/a"]


def test_removing_syncs_each_folder_once(local, monkeypatch):
    for path in ("parts/a", "parts/b", "index/c"):
        local.publish(path, b"")
    synced = []
    monkeypatch.setattr("results.storage.local.sync_directory", synced.append)
    local.remove("parts/a", "parts/b", "nowhere/d")
    assert synced == [local.root / "parts", local.root / "nowhere"]


def test_a_directory_in_place_of_a_file_is_not_a_missing_file(local):
    local.publish("parts/a/b", b"")
    with pytest.raises(StoreError, match="is a directory") as caught:
        local.read("parts/a")
    assert not isinstance(caught.value, MissingError)


def test_a_directory_need_not_exist_to_be_named(local, tmp_path):
    assert list(local.walk()) == list(local.walk("parts")) == []
    assert not (tmp_path / "store").exists()
    assert (local.label, local.root) == (str(tmp_path / "store"), tmp_path / "store")


def test_what_disappears_during_a_walk_is_left_out(local):
    for number in range(3):
        local.publish(f"parts/{number}", b"")
        local.publish(f"parts/{number}x/a", b"")
    walk = local.walk()
    assert next(walk).path == "parts/0"
    for path in ("1", "2x/a"):
        (local.root / "parts" / path).unlink()
    (local.root / "parts/2x").rmdir()
    assert [entry.path for entry in walk] == ["parts/0x/a", "parts/1x/a", "parts/2"]


def test_a_directory_that_cannot_be_used_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("hello")
    below = open_storage(tmp_path / "file" / "store")
    for action in (
        lambda: list(below.walk()),
        lambda: below.publish("a", b""),
        lambda: below.replace("a", b""),
        lambda: below.remove("a"),
    ):
        with pytest.raises(StoreError, match="in its place"):
            action()


@pytest.mark.parametrize("action", ["read", "write"])
def test_the_right_that_is_missing_is_the_one_for_what_failed(tmp_path, action):
    with (
        pytest.raises(StoreError) as error,
        open_storage(tmp_path).translated(action, "parts/a"),
    ):
        raise PermissionError(errno.EACCES, "Permission denied")
    assert str(error.value) == (
        f"cannot {action} '{tmp_path}/parts/a': permission denied; "
        "give yourself permission to do that or choose another place with --store"
    )


def test_linking_works_where_there_are_no_hard_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "a").write_bytes(b"1")
    assert durable.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "a").write_bytes(b"2")
    assert not durable.link(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"1"


def test_only_a_directory_can_be_measured_into(tmp_path):
    assert measurable(str(tmp_path)) == measurable(tmp_path) == Path(tmp_path)
    for where in ("s3://lab/nights", Path("s3://lab/nights")):
        with pytest.raises(UsageError, match=r"measure into a local store, then: boardmark store"):
            measurable(where)
    with pytest.raises(UsageError, match="'s3://lab' cannot hold"):
        measurable("s3://user:secret@lab")


def test_a_bucket_has_no_directory_and_keeps_to_its_prefix(s3, bucket):
    assert bucket.root is None
    name = bucket.label.split("/")[2]
    assert bucket.label == f"s3://{name}/nights/2026"
    s3.s3.put_object(Bucket=name, Key="nights/2026-other/a", Body=b"")
    s3.s3.put_object(Bucket=name, Key="nights/2026/", Body=b"")
    bucket.publish("a", b"")
    assert [entry.path for entry in bucket.walk()] == ["a"]
    whole = open_storage(f"s3://{name}/")
    assert whole.label == f"s3://{name}"
    assert [entry.path for entry in whole.walk()] == ["nights/2026/a", "nights/2026-other/a"]


def test_a_large_object_comes_in_several_pieces(bucket):
    data = os.urandom(6 << 20) * 2
    bucket.publish("parts/large", data)
    assert bucket.read("parts/large") == data


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [
        ("s3://lab", "lab", ""),
        ("s3://lab/", "lab", ""),
        ("s3://lab.one-2/a/b/", "lab.one-2", "a/b"),
        ("s3://lab/a b/ü=%2F", "lab", "a b/ü=%2F"),
    ],
)
def test_a_url_names_a_bucket_and_a_prefix(url, bucket, prefix):
    found = location(url)
    assert (found.bucket, found.prefix) == (bucket, prefix)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("gs://lab/a", "unknown kind of store 'gs://lab/a'; name a directory or s3://bucket"),
        ("S3://lab/a", "unknown kind of store"),
        ("https://me:pass@host/a", "unknown kind of store 'https://host/a'"),
        ("s3:/lab/a", "unknown kind of store"),
        ("s3://", "not the name of a bucket: ''; write s3://bucket/prefix"),
        ("s3:///a", "not the name of a bucket"),
        ("s3://La_b/a", "not the name of a bucket: 'La_b'"),
        ("s3://lab/a//b", "not a prefix: 'a//b'"),
        ("s3://lab/../b", "not a prefix"),
        ("s3://lab/a\nb", "not a prefix"),
        ("s3://lab/a?endpoint_override=host", "name an endpoint with AWS_ENDPOINT_URL"),
        ("s3://AKIA123:pass@lab/a", "a user or password does not belong into the URL"),
    ],
)
def test_a_wrong_url_is_a_sentence_without_secrets(url, said):
    with pytest.raises(UsageError) as caught:
        open_storage(url)
    assert said in str(caught.value)
    assert "pass@" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_place_of_the_service_comes_from_the_aws_variables(s3, monkeypatch):
    host = s3.endpoint.removeprefix("http://")
    assert settings() == Settings(region="eu-central-1", scheme="http", endpoint=host)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://minio.lab:9000/")
    monkeypatch.setenv("AWS_CA_BUNDLE", "lab.pem")
    wanted = Settings(scheme="https", endpoint="minio.lab:9000", region="eu-central-1")
    assert settings().name == wanted.name == "https://minio.lab:9000"
    assert settings().certificates == "lab.pem"
    for url in ("minio.lab:9000", "ftp://minio.lab", "https://minio.lab/path", "https://u:p@host"):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        with pytest.raises(UsageError, match="AWS_ENDPOINT_URL is not an endpoint") as caught:
            settings()
        assert "u:p" not in str(caught.value)


def test_where_the_variables_are_silent_the_profile_speaks(s3, monkeypatch, tmp_path):
    config = tmp_path / "config"
    config.write_text(
        "[default]\nregion = us-west-2\n"
        "[profile lab]\nregion=eu-west-1\nendpoint_url = http://10.0.0.7:9000\n"
        "s3 =\n  max_concurrent_requests = 20\n"
    )
    for name in ("AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name)
    assert settings() == Settings(region="us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    assert settings() == Settings(region="us-west-2")
    assert settings().name == "https://s3.us-west-2.amazonaws.com"
    monkeypatch.setenv("AWS_PROFILE", "lab")
    assert settings() == Settings(region="eu-west-1", scheme="http", endpoint="10.0.0.7:9000")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    assert settings().region == "eu-north-1"
    config.write_text("region = us-west-2\n")
    with pytest.raises(UsageError, match="mend it, or name another with AWS_CONFIG_FILE"):
        settings()


def test_a_missing_bucket_is_a_sentence(s3):
    for url in ("s3://nobodys-lab", "s3://nobodys-lab/nights"):
        with pytest.raises(
            StoreError, match=r"'s3://nobodys-lab'?.*there is no such bucket; create"
        ):
            open_storage(url)


def _sign_in(monkeypatch, user):
    for name, value in user.items():
        monkeypatch.setenv(name, value)


def test_each_missing_right_is_a_sentence_and_changes_nothing(s3, bucket, monkeypatch):
    from s3_service import ALL_RIGHTS

    bucket.publish("parts/a", b"1")
    nobody, reader, writer = s3.user(), s3.user(*ALL_RIGHTS[:2]), s3.user(*ALL_RIGHTS)
    with s3.enforced():
        _sign_in(monkeypatch, nobody)
        with pytest.raises(StoreError, match=r"cannot open .*no right.*s3:ListBucket"):
            open_storage(bucket.label)
        _sign_in(monkeypatch, reader)
        theirs = open_storage(bucket.label)
        assert [theirs.read(entry.path) for entry in theirs.walk()] == [b"1"]
        assert list(open_storage(f"{bucket.label}/empty").walk()) == []
        for action in (
            lambda: theirs.publish("parts/b", b"2"),
            lambda: theirs.replace("parts/a", b"2"),
            lambda: theirs.move("parts/a", "aside/a"),
            lambda: theirs.remove("parts/a", "parts/none"),
        ):
            with pytest.raises(StoreError, match=r"cannot \w+ .*no right.*s3:PutObject"):
                action()
        _sign_in(monkeypatch, writer)
        ours = open_storage(bucket.label)
        assert [ours.read(entry.path) for entry in ours.walk()] == [b"1"]
        ours.publish("parts/b", b"2")
        ours.move("parts/b", "aside/b")
        ours.remove("aside/b")
        assert [entry.path for entry in ours.walk()] == ["parts/a"]


def test_wrong_keys_are_a_sentence_without_them(s3, bucket, monkeypatch):
    from s3_service import ALL_RIGHTS

    user = s3.user(*ALL_RIGHTS)
    with s3.enforced():
        _sign_in(monkeypatch, {**user, "AWS_SECRET_ACCESS_KEY": "secret"})
        with pytest.raises(StoreError, match="the secret key is not that of the access") as caught:
            open_storage(bucket.label)
        assert "secret;" not in str(caught.value)
        _sign_in(monkeypatch, {"AWS_ACCESS_KEY_ID": "AKIANOBODY"})
        with pytest.raises(StoreError, match="the access key is not known there; check AWS_ACC"):
            open_storage(bucket.label)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("listens", [False, True])
def test_an_endpoint_that_cannot_be_reached_is_a_sentence_within_ten_seconds(
    s3, monkeypatch, listens
):
    said = "does not answer" if listens else "nothing listens at"
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1] if listens else _free_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        begin = time.monotonic()
        with pytest.raises(StoreError, match=rf"{said}.*check AWS_ENDPOINT_URL and the network"):
            open_storage("s3://lab/nights")
        assert time.monotonic() - begin < 10


def test_a_name_without_address_is_a_sentence(s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://no-such-host.invalid")
    with pytest.raises(StoreError, match="no address is known for http:"):
        open_storage("s3://lab/nights")


def test_a_service_that_goes_away_is_a_sentence(s3, monkeypatch):
    from s3_service import served

    with served() as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL", service.endpoint)
        storage = open_storage(f"s3://{service.bucket()}")
        storage.publish("a", b"1")
    for action in (lambda: storage.read("a"), lambda: list(storage.walk())):
        with pytest.raises(StoreError, match="nothing listens at"):
            action()


def test_nothing_but_the_sentence_reaches_the_terminal(s3, bucket):
    bucket.publish("parts/a", b"1")
    user = s3.user("s3:ListBucket", "s3:GetObject")
    code = (
        "import sys; from harness.errors import StoreError; from results.storage import *\n"
        "storage = open_storage(sys.argv[1])\n"
        "print(storage.read('parts/a'))\n"
        "for size in (7 << 20, 0):\n"
        "    try: storage.publish('b', bytes(size))\n"
        "    except StoreError as error: print('said')\n"
    )
    with s3.enforced():
        done = subprocess.run(
            [sys.executable, "-c", code, bucket.label],
            env={**os.environ, **user, "PYTHONPATH": str(_ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "b'1'\nsaid\nsaid\n", "")
