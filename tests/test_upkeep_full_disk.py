"""Sessions are removed to make room, so that has to work where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import upkeep_stores as many

from results.store import Store
from results.upkeep.compact import compact
from results.upkeep.verify import verify

_ROOT = Path(__file__).parent.parent
_UNSHARE = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["-Ur"])]
# A store on a disk of 2 MB of which every byte is used, an index kept on it or not.
_SCRIPT = """
set -e
mount -t tmpfs -o size=2m tmpfs "$1/disk"
cp -r "$1/store" "$1/disk/store"
test "$2" = index || rm -rf "$1/disk/store/index"
cat /dev/zero > "$1/disk/rest" 2> /dev/null || true
code=0
"$3" -m harness.cli store prune --keep 1 --store "$1/disk/store" || code=$?
rm -r "$1/store"
cp -r "$1/disk/store" "$1/store"
exit $code
"""


@pytest.fixture
def pruned(tmp_path):
    """Return how `boardmark store prune --keep 1` ends on a full disk, and what it leaves."""
    probe = [*_UNSHARE, "mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(tmp_path)]
    try:
        if subprocess.run(probe, capture_output=True, check=False).returncode:
            pytest.skip("mount namespaces are not permitted")
    except FileNotFoundError:
        pytest.skip("unshare is not installed")
    (tmp_path / "disk").mkdir()

    def run(index):
        words = [_SCRIPT, "sh", str(tmp_path), "index" if index else "none", sys.executable]
        ended = subprocess.run(
            [*_UNSHARE, "sh", "-c", *words],
            cwd=_ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        return ended, Store.open(tmp_path / "store")

    return run


def _filled(where):
    store = many.of(where, *("20191101T141500Z-3f2a", "20191102T141500Z-3f2a"))
    compact(store)
    many.add(store, "20191103T141500Z-3f2a")
    store.catalog().save()
    return store


def test_what_is_only_a_cache_makes_room(tmp_path, pruned):
    _filled(tmp_path / "store")
    ended, store = pruned(index=True)
    assert ended.stderr == ""
    assert ended.returncode == 0
    assert store.sessions() == ("20191103T141500Z-3f2a",)
    assert verify(store).damage == verify(store).notes == ()


def test_without_any_room_nothing_goes_and_it_says_why(tmp_path, pruned):
    before = many.seen(_filled(tmp_path / "store"))
    ended, store = pruned(index=False)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "no space left on device; nothing was removed; free a few kB there" in ended.stderr
    assert many.seen(store) == before
    assert verify(store).damage == verify(store).notes == ()


def test_what_is_removed_whole_makes_room_for_what_is_rewritten(tmp_path, pruned):
    ids = [f"2019{day}T141500Z-3f2a" for day in ("1101", "1102", "1103", "1202", "1203")]
    store = Store.create(tmp_path / "store")
    for name, began in zip(ids, [1572617700.0] * 3 + [1575296100.0] * 2, strict=True):
        many.add(store, name, created_unix_s=began)
    compact(store)
    store.catalog().save()
    ended, store = pruned(index=True)
    assert ended.stderr == ""
    assert ended.returncode == 0
    assert store.sessions() == ("20191203T141500Z-3f2a",)
    assert verify(store).damage == verify(store).notes == ()
