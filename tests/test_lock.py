from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness.errors import StoreError
from results import lock
from results.lock import rewriting, store_lock

_ROOT = Path(__file__).parent.parent
_HOLD = (
    "import sys, time; from pathlib import Path; from results.lock import store_lock\n"
    "with store_lock(Path(sys.argv[1])):\n"
    "    print('held', flush=True); time.sleep(float(sys.argv[2]))"
)


def _hold(directory, seconds):
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(directory), str(seconds)],
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    return process


def _end(process):
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    process.wait()


def test_a_store_has_one_writer_who_is_named_after_the_wait(tmp_path):
    process = _hold(tmp_path, 60)
    began = time.monotonic()
    with (
        pytest.raises(
            StoreError, match=f"is being changed by process {process.pid}; wait"
        ) as caught,
        store_lock(tmp_path, wait_s=0.1),
    ):
        pass
    assert caught.value.exit_code == 2
    assert 0.1 <= time.monotonic() - began < 5
    _end(process)
    with store_lock(tmp_path, wait_s=0):
        pass


def test_a_waiter_goes_on_as_soon_as_the_holder_is_killed(tmp_path):
    process = _hold(tmp_path, 60)
    timer = threading.Timer(0.2, _end, [process])
    timer.start()
    with store_lock(tmp_path, wait_s=30):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    timer.join()


def test_a_block_inside_a_block_does_not_wait_and_does_not_let_go(tmp_path):
    with store_lock(tmp_path):
        with store_lock(tmp_path, wait_s=0):
            pass
        assert rewriting(tmp_path)[1]
    assert not rewriting(tmp_path)[1]


def test_threads_of_one_process_wait_for_each_other(tmp_path):
    order = []

    def other():
        with store_lock(tmp_path):
            order.append("other")

    with store_lock(tmp_path):
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "other"]


def test_a_reader_sees_that_somebody_held_the_lock_meanwhile(tmp_path):
    assert rewriting(tmp_path) == (0, False)
    with store_lock(tmp_path):
        first = rewriting(tmp_path)
    time.sleep(0.02)
    with store_lock(tmp_path):
        pass
    assert rewriting(tmp_path) != first
    assert rewriting(None) == (0, False)


def test_a_bucket_has_no_lock(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with store_lock(None), store_lock(None):
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["store", "session"])
def test_a_lock_whose_file_was_removed_and_made_anew_is_taken_anew(tmp_path, monkeypatch, what):
    def opened(directory):
        found = first(directory)
        if len(descriptors) < 2:  # removed between opening and locking it
            (directory / "lock").unlink()
            if not descriptors:
                (directory / "lock").touch()
        descriptors.append(found)
        return found

    descriptors, first = [], lock._open
    monkeypatch.setattr(lock, "_open", opened)
    with store_lock(tmp_path) if what == "store" else os.fdopen(lock.lock(tmp_path)):
        assert len(descriptors) == 3
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
        assert rewriting(tmp_path)[1]
    assert not rewriting(tmp_path)[1]


def test_who_waits_for_a_lock_that_was_removed_waits_for_its_holder_all_the_same(tmp_path):
    process = _hold(tmp_path, 60)
    steps = threading.Timer(0.1, (tmp_path / "lock").unlink), threading.Timer(0.5, _end, [process])
    for timer in steps:
        timer.start()
    began = time.monotonic()
    with store_lock(tmp_path, wait_s=30):
        assert time.monotonic() - began > 0.4
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    for timer in steps:
        timer.join()
