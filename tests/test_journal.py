from __future__ import annotations

import contextlib
import errno
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import handmade
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import StoreError
from results import lines
from results.journal import JOURNAL, Journal, read
from results.sessions import load
from results.store import Store

_ROOT = Path(__file__).parent.parent


@pytest.fixture
def directory(tmp_path):
    path = tmp_path / handmade.SESSION_ID
    path.mkdir()
    return path


def _write(directory, runs):
    with Journal.create(directory, handmade.plan()) as journal:
        for run in runs:
            journal.append(run)
    return directory / JOURNAL


def test_reads_back_what_was_written(directory):
    runs = handmade.runs()
    path = _write(directory, runs)
    content = read(path)
    assert content.plan == handmade.plan()
    assert content.runs == tuple(runs)
    assert (content.torn_bytes, content.end_bytes) == (0, path.stat().st_size)


def test_every_append_is_on_the_disk_before_it_returns(directory, monkeypatch):
    calls = []
    write, sync = os.write, os.fdatasync
    monkeypatch.setattr(os, "write", lambda *a: (calls.append("write"), write(*a))[1])
    monkeypatch.setattr(os, "fdatasync", lambda *a: (calls.append("sync"), sync(*a))[1])
    _write(directory, handmade.runs()[:2])
    assert calls == ["write", "sync"] * 3


def test_a_tail_torn_at_any_byte_is_cut_and_writing_goes_on(directory, tmp_path):
    runs = handmade.runs()[:3]
    data = _write(directory, runs).read_bytes()
    ends = [at + 1 for at, byte in enumerate(data) if byte == ord("\n")]
    for cut in range(len(data)):
        copy = tmp_path / f"copy-{cut}"
        copy.mkdir()
        (copy / JOURNAL).write_bytes(data[:cut])
        whole = sum(end <= cut for end in ends)
        content = read(copy / JOURNAL)
        assert content.runs == tuple(runs[: max(0, whole - 1)])
        assert content.torn_bytes == cut - (ends[whole - 1] if whole else 0)
        if whole == 0:
            with pytest.raises(StoreError, match="ends before its plan"):
                Journal.reopen(copy)
        elif cut % 97 == 0 or cut in ends:
            with Journal.reopen(copy) as journal:
                journal.append(runs[2])
            assert read(copy / JOURNAL).runs == tuple([*runs[: whole - 1], runs[2]][:3])
        (copy / JOURNAL).unlink()


@given(at=st.integers(0, 10**6), flip=st.integers(1, 255))
@settings(max_examples=150, deadline=None)
def test_a_flipped_byte_is_never_taken_for_a_record(tmp_path_factory, at, flip):
    directory = tmp_path_factory.mktemp("flip")
    runs = handmade.runs()[:3]
    path = _write(directory, runs)
    data = bytearray(path.read_bytes())
    at %= len(data)
    data[at] ^= flip
    path.write_bytes(data)
    with contextlib.suppress(StoreError):
        assert read(path).runs == tuple(runs[:2])
    with contextlib.suppress(StoreError):
        salvaged = read(path, salvage=True).runs
        assert len(salvaged) >= 1
        assert all(run in runs for run in salvaged)


def test_damage_in_the_middle_names_file_and_line_and_the_rest_can_be_salvaged(directory):
    runs = handmade.runs()[:3]
    path = _write(directory, runs)
    lines = path.read_bytes().split(b"\n")
    lines[2] = lines[2].replace(b"2000000", b"2000001")
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(StoreError, match=r"journal.ndjson' line 3 does not match its checksum"):
        read(path)
    with pytest.raises(StoreError, match="line 3"):
        Journal.reopen(directory)
    content = read(path, salvage=True)
    assert content.runs == (runs[0], runs[2])
    assert "line 3" in content.damaged[0]


def test_two_records_that_ran_together_are_damage_and_not_a_torn_tail(directory):
    runs = handmade.runs()[:2]
    path = _write(directory, runs)
    head, _, last = path.read_bytes()[:-1].rpartition(b"\n")
    for end in (b"\n", b""):
        path.write_bytes(head + b"\x0b" + last + end)
        with pytest.raises(StoreError, match="line 2 is not a whole record"):
            read(path)
        assert read(path, salvage=True).runs == ()


@pytest.mark.parametrize(
    "line",
    [b"[" * 1_000_000, b"\x00" * 512, b"{}", b"null", b'{"v":1,"sha256":"","len":-1,"rec":NaN}'],
)
def test_garbage_is_a_sentence_not_a_traceback(directory, line):
    path = _write(directory, handmade.runs()[:1])
    good = path.read_bytes()
    path.write_bytes(good + line + b"\n")
    assert read(path).torn_bytes == len(line) + 1
    path.write_bytes(line + b"\n" + good)
    with pytest.raises(StoreError, match="line 1 is not a whole record"):
        read(path)


def test_a_newer_journal_says_so(directory, monkeypatch):
    monkeypatch.setattr(lines, "VERSION", 2)
    path = _write(directory, handmade.runs()[:1])
    monkeypatch.undo()
    with pytest.raises(StoreError, match="newer boardmark"):
        read(path)


def test_a_record_of_an_unknown_kind_is_read_past_and_never_dropped(tmp_path):
    store = Store.create(tmp_path / "store")
    with store.start(handmade.plan()) as journal:
        journal._append("weather", {"rain": True})
        journal.append(handmade.runs()[0])
        journal._append("weather", {"rain": False})
        journal._append("plan", handmade.plan())
    content = read(journal.path)
    assert (content.runs, content.unknown) == ((handmade.runs()[0],), ("weather",))
    assert load(store).runs == content.runs
    before = journal.path.read_bytes()
    for act in (store.seal, store.resume):
        with pytest.raises(StoreError, match="does not know: 'weather'; upgrade boardmark") as told:
            act(handmade.SESSION_ID)
        assert str(journal.path) in str(told.value)
    assert journal.path.read_bytes() == before
    assert store.catalog().sessions() == ()


def test_the_same_run_twice_is_one_run_and_another_under_its_name_is_refused(directory):
    first = handmade.runs()[0]
    with Journal.create(directory, handmade.plan()) as journal:
        journal.append(first)
        journal.append(first)
        with pytest.raises(StoreError, match="other content"):
            journal.append(handmade.run(0, handmade.FP32, 3))
        assert journal.runs == (first,)
    assert len((directory / JOURNAL).read_bytes().splitlines()) == 2


def test_a_run_that_was_written_twice_counts_once(directory):
    first, second = handmade.runs()[:2]
    _write(directory, [first, second])
    once = read(directory / JOURNAL)
    (directory / JOURNAL).unlink()
    with Journal.create(directory, handmade.plan()) as journal:
        for run in (first, first, second, first):
            journal._append("run", run)
    twice = read(directory / JOURNAL)
    assert (twice.runs, twice.run_json) == ((first, second), once.run_json)
    assert twice.digest == once.digest


def test_the_texts_of_a_newer_version_are_kept_as_they_are(directory):
    run = msgspec.to_builtins(handmade.runs()[0]) | {"mood": "fine"}
    plan = msgspec.to_builtins(handmade.plan()) | {"weather": {"rain": True}}
    with Journal.create(directory, handmade.plan()) as journal:
        journal._append("run", run)
    content = read(directory / JOURNAL)
    assert msgspec.json.decode(content.run_json[0])["mood"] == "fine"
    assert content.plan_json == msgspec.json.encode(handmade.plan())
    (directory / JOURNAL).unlink()
    with Journal.create(directory, plan) as journal:
        journal._append("run", run)
    newer = read(directory / JOURNAL)
    assert msgspec.json.decode(newer.plan_json)["weather"] == {"rain": True}
    assert newer.digest != content.digest
    assert (newer.plan, newer.runs) == (content.plan, content.runs)


@given(
    samples=st.lists(st.integers(0, 2**63 - 1), max_size=50).map(tuple), text=st.text(max_size=80)
)
@settings(max_examples=60, deadline=None)
def test_any_run_survives_the_way_to_the_disk_and_back(tmp_path_factory, samples, text):
    directory = tmp_path_factory.mktemp("trip")
    run = handmade.run(
        1, handmade.FP32, 0, samples_ns=samples, reason=text, result={text: [text, 1.5]}
    )
    with Journal.create(directory, handmade.plan()) as journal:
        journal.append(run)
        journal.note(text)
    content = read(directory / JOURNAL)
    assert content.runs == (run,)
    assert content.notes == (text,)


@pytest.mark.parametrize("value", [-1, 2**63])
def test_a_duration_that_no_table_could_hold_is_refused_at_once(directory, value):
    with (
        Journal.create(directory, handmade.plan()) as journal,
        pytest.raises(StoreError, match="64-bit"),
    ):
        journal.append(handmade.run(1, handmade.FP32, 0, samples_ns=(value,)))


def test_a_run_that_could_not_be_read_back_is_refused_and_costs_no_other(directory):
    deep = []
    for _ in range(10_000):
        deep = [deep]
    odd = [{"duration_s": math.nan}, {"started_unix_s": math.inf}, {"result": {"deep": deep}}]
    with Journal.create(directory, handmade.plan()) as open_:
        open_.append(handmade.runs()[0])
        for changes in odd:
            with pytest.raises(StoreError, match="cannot keep this run in"):
                open_.append(handmade.run(1, handmade.FP32, 0, **changes))
        open_.append(handmade.runs()[1])
    assert read(directory / JOURNAL).runs == tuple(handmade.runs()[:2])


def test_two_processes_cannot_write_one_session(directory):
    with Journal.create(directory, handmade.plan()):
        code = (
            "import sys; from pathlib import Path; from results.journal import Journal\n"
            "try: Journal.reopen(Path(sys.argv[1]))\n"
            "except Exception as error: print(error)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(directory)],
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        assert f"is being written by process {os.getpid()}" in done.stdout
    Journal.reopen(directory).close()


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.EDQUOT]
)
@pytest.mark.parametrize("call", ["write", "fdatasync"])
def test_a_failing_disk_is_a_sentence_and_loses_nothing(directory, monkeypatch, number, call):
    runs = handmade.runs()[:3]
    with Journal.create(directory, handmade.plan()) as journal:
        journal.append(runs[0])
        with monkeypatch.context() as patch:
            patch.setattr(os, call, _raising(number))
            with pytest.raises(StoreError) as caught:
                journal.append(runs[1])
        message = str(caught.value)
        assert "1 finished run is kept" in message
        assert "boardmark run --resume" in message
        assert str(directory) in message
        assert caught.value.exit_code == 2
        with pytest.raises(StoreError, match="closed for writing"):
            journal.append(runs[1])
    with Journal.reopen(directory) as journal:
        assert journal.runs == (runs[0],)
        journal.append(runs[1])
    assert read(directory / JOURNAL).runs == tuple(runs[:2])


def _raising(number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    return fail


def test_a_short_write_is_taken_back(directory, monkeypatch):
    runs = handmade.runs()[:2]
    write = os.write
    with Journal.create(directory, handmade.plan()) as journal:
        journal.append(runs[0])
        size = (directory / JOURNAL).stat().st_size
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", lambda fd, data: write(fd, data[:100]))
            with pytest.raises(StoreError, match="no space left"):
                journal.append(runs[1])
    assert (directory / JOURNAL).stat().st_size == size


def test_a_file_size_limit_stops_cleanly_and_the_session_goes_on_later(directory):
    code = (
        "import resource, sys; from pathlib import Path; import handmade\n"
        "from results.journal import Journal\n"
        "journal = Journal.create(Path(sys.argv[1]), handmade.plan())\n"
        "size = journal.path.stat().st_size + 4000\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))\n"
        "try:\n"
        "    for run in handmade.runs(): journal.append(run); print(run.run_id, flush=True)\n"
        "except Exception as error: print(error)"
    )
    output = _python(code, directory).stdout.splitlines()
    acknowledged, message = output[:-1], output[-1]
    assert 0 < len(acknowledged) < len(handmade.runs())
    assert f"{len(acknowledged)} finished runs are kept" in message
    assert "boardmark run --resume" in message
    assert [run.run_id for run in read(directory / JOURNAL).runs] == acknowledged


def test_kill_9_loses_no_acknowledged_run(directory):
    code = (
        "import itertools, sys; from pathlib import Path; import handmade\n"
        "from results.journal import Journal\n"
        "journal = Journal.create(Path(sys.argv[1]), handmade.plan())\n"
        "for number in itertools.count():\n"
        "    journal.append(handmade.run(number, handmade.FP32, number)); print(number, flush=True)"
    )
    for killed_after in (1, 7, 40):
        for leftover in directory.iterdir():
            leftover.unlink()
        process = _start(code, directory)
        acknowledged = [process.stdout.readline() for _ in range(killed_after)]
        process.send_signal(signal.SIGKILL)
        acknowledged += process.stdout.readlines()
        process.stdout.close()
        process.wait()
        with Journal.reopen(directory) as journal:
            found = [int(run.run_id[1:]) for run in journal.runs]
            assert found == list(range(len(found)))
            assert len(found) >= len([line for line in acknowledged if line.endswith("\n")])


def _start(code, directory):
    path = os.pathsep.join([str(_ROOT), str(_ROOT / "tests")])
    return subprocess.Popen(
        [sys.executable, "-c", code, str(directory)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    )


def _python(code, directory):
    process = _start(code, directory)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return subprocess.CompletedProcess(process.args, 0, output, "")
