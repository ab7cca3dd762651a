from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from harness.errors import StoreError, UsageError
from results import durable
from results.storage import Entry, MissingError, measurable, open_storage


@pytest.fixture
def local(tmp_path):
    return open_storage(tmp_path / "store")


def test_a_directory_need_not_exist_to_be_named(local, tmp_path):
    assert list(local.walk()) == list(local.walk("parts")) == []
    assert not (tmp_path / "store").exists()
    assert (local.label, local.root) == (str(tmp_path / "store"), tmp_path / "store")


def test_a_published_file_is_listed_and_read_and_never_replaced(local):
    assert local.publish("parts/runs/a.parquet", b"first")
    assert not local.publish("parts/runs/a.parquet", b"second")
    assert local.read("parts/runs/a.parquet") == b"first"
    (found,) = local.walk()
    facts = (local.root / "parts/runs/a.parquet").stat()
    assert found == Entry(path="parts/runs/a.parquet", size_bytes=5, mtime_ns=facts.st_mtime_ns)


def test_a_walk_is_sorted_and_stays_below_its_folder_and_skips_what_is_unfinished(local):
    for path in ("parts/runs/b", "parts/runs/a", "parts/runs/x/y", "parts/runs2/c", "lock"):
        local.publish(path, b"")
    (local.root / "parts/runs/.tmp-0011").write_bytes(b"torn")
    (local.root / "parts/runs/elsewhere").symlink_to(local.root)
    names = ["parts/runs/a", "parts/runs/b", "parts/runs/x/y"]
    assert [entry.path for entry in local.walk("parts/runs")] == names
    assert [entry.path for entry in local.walk()] == ["lock", *names, "parts/runs2/c"]


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


def test_replace_gives_new_content_and_leaves_nothing_beside(local):
    for content in (b"old", b"new"):
        local.replace("index/catalog", content)
        assert local.read("index/catalog") == content
    assert list(local.root.rglob("*")) == [local.root / "index", local.root / "index/catalog"]


def test_a_move_never_replaces_other_content(local):
    for path, data in (("parts/a", b"1"), ("aside/a", b"2"), ("aside/same", b"1")):
        local.publish(path, data)
    with pytest.raises(StoreError, match=r"cannot move .*file exists; move away what is in its"):
        local.move("parts/a", "aside/a")
    assert (local.read("parts/a"), local.read("aside/a")) == (b"1", b"2")
    local.move("parts/a", "aside/same")
    local.move("aside/same", "new/folder/a")
    assert [entry.path for entry in local.walk()] == ["aside/a", "new/folder/a"]


def test_a_move_that_was_killed_after_its_link_is_completed(local):
    local.publish("parts/a", b"1")
    (local.root / "aside").mkdir()
    os.link(local.root / "parts/a", local.root / "aside/a")
    local.move("parts/a", "aside/a")
    assert [entry.path for entry in local.walk()] == ["aside/a"]


def test_a_file_that_is_gone_is_told_from_one_that_cannot_be_read(local):
    for action in (lambda: local.read("parts/a"), lambda: local.move("parts/a", "aside/a")):
        with pytest.raises(MissingError, match=r"it is not there; another process"):
            action()
    local.publish("parts/a/b", b"")
    with pytest.raises(StoreError, match="is a directory") as caught:
        local.read("parts/a")
    assert not isinstance(caught.value, MissingError)


def test_removing_takes_what_is_there_and_syncs_each_folder_once(local, monkeypatch):
    for path in ("parts/a", "parts/b", "index/c"):
        local.publish(path, b"")
    synced = []
    monkeypatch.setattr("results.storage.local.sync_directory", synced.append)
    local.remove("parts/a", "parts/b", "parts/gone", "nowhere/d")
    assert [entry.path for entry in local.walk()] == ["index/c"]
    assert synced == [local.root / "parts", local.root / "nowhere"]


def test_arrow_sees_the_same_files(local):
    local.publish("parts/a", b"content")
    filesystem, base = local.filesystem()
    with filesystem.open_input_stream(f"{base}/parts/a") as stream:
        assert stream.read() == b"content"


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
