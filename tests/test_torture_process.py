"""Faults at process level, a selection of `make torture`; and that its judges see what is wrong."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess

import msgspec
import pytest
from torture import (
    desk,
    disk_errors,
    document,
    file_limits,
    kills,
    reader,
    real_kills,
    small_disks,
    stops,
    subject,
)
from torture.judge import Case, judged, wrong_message
from torture.processes import ForkServer, Moment, moments
from torture.records import Finding, Row, added, not_here

CAMPAIGNS = (kills, disk_errors, file_limits, small_disks, real_kills, stops)


@pytest.mark.parametrize("module", CAMPAIGNS, ids=lambda module: module.CAMPAIGN.name)
def test_nothing_is_lost_doubled_or_promised_in_vain(module):
    rows = module.play("reduced")
    assert "\n".join(sentence for row in rows for sentence in row.broken) == ""
    assert all(row.holds for row in rows), rows
    if not any(row.cases for row in rows):
        pytest.skip(rows[0].note)


@pytest.fixture(scope="module")
def server():
    with ForkServer() as started:
        yield started


@pytest.fixture
def judge(server, tmp_path):
    """Return the judgement of a store to which `harm` was done after a whole session."""

    def judged_after(harm, **changes):
        where = tmp_path / "store"

        def broken(_):
            ended = server.run("write", where)
            harm(where)
            return msgspec.structs.replace(ended, **changes)

        return judged(server, Case(name="harm", where=where), broken)

    return judged_after


def _part(where, table):
    (path,) = where.glob(f"parts/{table}/**/*.parquet")
    return path


def test_a_judge_has_nothing_to_say_of_a_whole_session(judge):
    assert judge(lambda where: None) == Finding()


def test_a_judge_sees_what_is_lost(judge):
    found = judge(lambda where: _part(where, "samples").unlink())
    assert found.lost == sum(bool(run.samples_ns) for run in subject.RUNS) == 5


def test_a_judge_sees_what_is_there_twice(judge):
    def double(where):
        path = _part(where, "runs")
        copy = path.with_name(path.name.replace("20261120T", "20261121T"))
        copy.write_bytes(path.read_bytes())

    assert judge(double).duplicated == len(subject.RUNS)


def test_a_judge_sees_changed_bytes(judge):
    def flip(where):
        path = _part(where, "runs")
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    found = judge(flip)
    assert found.lost
    assert any("is not what its name says" in sentence for sentence in found.broken)


@pytest.mark.parametrize(
    ("ending", "sentence"),
    [
        ({"code": -9}, "ended with -9"),
        ({"code": 1, "errors": "Traceback (most recent call last)"}, "ended with 1"),
        ({"acks": ("r000",)}, "ended with 0 but did not finish"),
        ({"code": 2, "errors": "boardmark: no\n"}, "the message names no path"),
        ({"code": 2, "errors": "boardmark: no\nmore\n"}, "no single sentence"),
    ],
)
def test_a_judge_sees_a_wrong_ending(judge, ending, sentence):
    found = judge(lambda where: None, **ending)
    assert any(sentence in one for one in found.broken)
    assert found.tracebacks == ("Traceback" in ending.get("errors", ""))


def test_a_message_names_path_and_cause(tmp_path):
    good = f"boardmark: cannot write {str(tmp_path)!r}: file too large\n"
    assert list(wrong_message(good, tmp_path, "file too large")) == []
    assert "does not say" in next(wrong_message(good, tmp_path, "input/output error"))


def test_a_limit_is_told_as_what_it_is(server, tmp_path):
    where = tmp_path / "store"
    ended = server.run("write", where, file_limit_bytes=5000)
    assert ended.code == 2
    assert "file too large; 1 finished run is kept" in ended.errors


def _line(**record):
    text = json.dumps(record).encode()
    digest = hashlib.sha256(text).hexdigest().encode()
    return b'{"v":1,"sha256":"%s","len":%d,"rec":%s}\n' % (digest, len(text), text)


def test_the_reader_ends_a_journal_at_the_first_line_that_is_not_whole(tmp_path):
    path = tmp_path / "journal.ndjson"
    whole = _line(kind="note", body="one")
    for tail in (whole[:-1], whole.replace(b"one", b"two"), whole.replace(b'"len":3', b'"len":4')):
        path.write_bytes(whole + tail + (b"" if tail.endswith(b"}") else whole))
        assert reader.records(path) == [{"kind": "note", "body": "one"}]
    path.write_bytes(whole + whole)
    assert len(reader.records(path)) == 2


def test_moments_are_the_calls_that_change_something(tmp_path):
    log = tmp_path / "log"
    log.write_text(
        'openat(AT_FDCWD, "x", O_RDONLY|O_CLOEXEC) = 3\n'
        'openat(AT_FDCWD, "x", O_RDWR|O_CREAT) = 3\n'
        'write(3, ""..., 5) = 5\n'
        "+++ exited with 0 +++\n"
    )
    assert moments(log) == [Moment("openat", 2), Moment("write", 1)]


def test_moments_are_spread_over_a_whole_life():
    found = [Moment("write", number) for number in range(1, 101)]
    assert [one.number for one in real_kills.spread(found, 4)] == [13, 39, 63, 89]
    assert real_kills.spread(found, 200) == found


def test_rows_add_up_and_the_table_stands_between_its_markers():
    row = added("kill | all", [Finding(lost=1), Finding(broken=("late",), tracebacks=2)])
    assert row == Row(fault="kill | all", cases=2, lost=1, tracebacks=2, broken=("late",))
    assert not row.holds
    assert not_here("OOM", "no cgroup").holds
    text = f"a\n{document.BEGIN}\nold\n{document.END}\nb"
    table = document.table([row, not_here("OOM", "no cgroup")])
    assert "| kill \\| all | 2 | 1 | 0 | 2 | 1 |  |" in table
    assert "| **all** | 2 | 1 | 0 | 2 | 1 |  |" in table
    assert document.inserted(text, table) == (f"a\n{document.BEGIN}\n{table}\n{document.END}\nb")
    with pytest.raises(ValueError, match="durability"):
        document.inserted("nothing", table)


def test_what_a_session_leaves_running_is_told_and_ended(tmp_path):
    one = desk.Desk(tmp_path)
    left = subprocess.Popen(["sleep", "60"], env=one.environment)
    assert [sentence for sentence in one.left_running(0.1) if "sleep 60" in sentence]
    assert left.wait(timeout=10) == -signal.SIGKILL
    assert list(one.left_running()) == []
