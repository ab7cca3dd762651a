"""boardmark import: what is kept, what is said, and that an import is a session like any other."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import msgspec
import pytest

from harness import cli
from harness.commands.outcome import view
from harness.errors import StoreError, UsageError
from reports.change import changes
from results.imports import intake
from results.imports.session import Names, plan_of
from results.sessions import load
from results.store import Store

FILES = Path(__file__).parent / "fixtures" / "imports"
PYTEST = FILES / "pytest-benchmark" / "with_data.json"
LITERT = FILES / "litert-benchmark" / "result.json"


@pytest.fixture
def command(tmp_path, capsys):
    """Return a function that runs a command line on one store: (exit code, stdout, stderr)."""

    def run(*words):
        code = cli.main([*map(str, words), "--store", str(tmp_path / "store")])
        return code, *capsys.readouterr()

    return run


def files_of(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def parts_of(root):
    return {path: data for path, data in files_of(root).items() if path.suffix == ".parquet"}


def test_importing_twice_changes_nothing_and_says_so(command, tmp_path):
    code, out, err = command("import", PYTEST, "--device", "rpi-5", "--model", "minilm")
    session = Store.open(tmp_path / "store").sessions()[0]
    assert (code, err) == (0, "")
    assert out == (
        f"{PYTEST}: pytest-benchmark, imported as {session}: 1 case of minilm on rpi-5\n"
    )
    before = parts_of(tmp_path / "store")
    code, out, err = command("import", PYTEST, "--device", "other")
    assert (code, err) == (0, "")
    assert out == (
        f"{PYTEST}: pytest-benchmark, already there as {session}: 1 case of minilm on rpi-5\n"
    )
    assert parts_of(tmp_path / "store") == before


def test_a_copy_with_another_name_and_time_is_the_same_document(command, tmp_path):
    command("import", LITERT)
    copy = tmp_path / "copy.json"
    shutil.copy(LITERT, copy)
    os.utime(copy, (10**9, 10**9))
    code, out, _ = command("import", copy, "--json")
    assert code == 0
    assert [(one["state"], one["device"]) for one in json.loads(out)] == [
        ("already there", "unknown")
    ]
    assert len(Store.open(tmp_path / "store").sessions()) == 1


def test_both_logs_of_loadgen_are_one_session(command, tmp_path):
    folder = FILES / "loadgen-single-stream"
    code, out, _ = command("import", *sorted(folder.iterdir()), "--json")
    assert code == 0
    assert [one["state"] for one in json.loads(out)] == ["imported", "already there"]


def test_one_bad_file_does_not_keep_the_others_out(command, tmp_path):
    bad, gone = tmp_path / "bad.json", tmp_path / "gone.json"
    bad.write_text("{")
    code, out, err = command("import", PYTEST, bad, LITERT, gone)
    assert code == 2
    assert out.count("imported as") == 2
    lines = err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(f"boardmark: cannot import '{bad}': it is not whole JSON")
    assert "no such file" in lines[1]
    assert lines[2] == f"boardmark: 2 of 4 files were not imported: '{bad}', '{gone}'"
    code, out, err = command("import", bad, LITERT, "--json")
    assert code == 2
    assert [one["state"] for one in json.loads(out)] == ["refused", "already there"]
    assert "not whole JSON" in json.loads(out)[0]["reason"]
    assert len(Store.open(tmp_path / "store").sessions()) == 2


def test_only_bad_files_make_no_store(command, tmp_path):
    (tmp_path / "bad.json").write_text("{")
    assert command("import", tmp_path / "bad.json", tmp_path)[0] == 2
    assert not (tmp_path / "store").exists()


def test_a_name_that_is_none_is_refused(command):
    for word in ("", "  ", "a\nb"):
        with pytest.raises(SystemExit) as leaving:
            command("import", PYTEST, "--device", word)
        assert leaving.value.code == 2


def test_an_import_reads_back_as_it_was_and_is_listed_shown_drawn_and_exported(command, tmp_path):
    paths = [path for path in FILES.rglob("*") if path.is_file() and path.suffix != ".md"]
    paths = [path for path in paths if "config" not in path.name]
    assert command("import", *paths)[0] == 0
    store = Store.open(tmp_path / "store")
    listed = json.loads(command("list", "sessions", "--json")[1])
    assert len(listed) == len(store.sessions()) == 12
    assert {(one["kind"], one["state"]) for one in listed} == {("import", "sealed")}
    for session_id in store.sessions():
        code, out, _ = command("show", "--session", session_id)
        assert code == 0
        assert "No level is chosen from an import" in out
        page = tmp_path / "report.html"
        assert command("report", "--session", session_id, "--output", page)[0] == 0
        assert "Imported from" in page.read_text()
        rows = json.loads(command("export", "--session", session_id)[1])
        assert {row["session_id"] for row in rows} == {session_id}
        for one in ("csv", "parquet"):
            target = tmp_path / f"cases.{one}"
            words = ("export", "--session", session_id, "--format", one, "--output", target)
            assert command(*words)[0] == 0


def test_two_imports_compare_and_the_same_figures_stand_in_both(command, tmp_path):
    command("import", PYTEST, "--model", "m")
    command("import", PYTEST.with_name("without_data.json"), "--model", "m")
    store = Store.open(tmp_path / "store")
    old, new = (view(store, one) for one in store.sessions())
    (change,) = changes(old, new).cases
    assert change.figures[0].old == pytest.approx(change.figures[0].new, rel=1e-6)
    assert change.latency.ratio is None
    code, out, _ = command("compare", *store.sessions())
    assert (code, "not compared: imprecise" in out) == (0, True)


@pytest.mark.parametrize("appended", [0, 1])
def test_an_import_that_was_killed_is_completed_by_importing_again(command, tmp_path, appended):
    path = FILES / "llama-bench" / "bench.json"
    names = Names(device="rpi-5")
    ready = intake.understood(path, "auto", names)
    store = Store.create(tmp_path / "store")
    plan = plan_of(ready.source, ready.word, ready.reading, names)
    with store.start(plan) as journal:
        for run in intake.runs_of(plan, ready.reading, names)[:appended]:
            journal.append(run)
    listed = json.loads(command("list", "sessions", "--json")[1])
    assert listed[0]["state"] == "unfinished: boardmark import its file again"
    code, _, err = command("run", "--resume")
    assert (code, "there is no unfinished session to resume" in err) == (2, True)
    code, _, err = command("run", "--resume", plan.session_id)
    assert (code, "is an import that was interrupted; import its file again" in err) == (2, True)
    # under other names it is still the session that began
    code, out, _ = command("import", path, "--device", "other", "--json")
    assert code == 0
    assert [(one["state"], one["session"]) for one in json.loads(out)] == [
        ("imported", plan.session_id)
    ]
    whole = load(store, plan.session_id)
    assert (whole.sealed, whole.plan, len(whole.runs)) == (True, plan, 2)
    assert whole.runs == intake.runs_of(plan, ready.reading, names)


def test_an_import_that_was_killed_before_its_first_line_is_begun_again(command, tmp_path):
    ready = intake.understood(PYTEST, "auto", Names())
    plan = plan_of(ready.source, ready.word, ready.reading, Names())
    store = Store.create(tmp_path / "store")
    directory = tmp_path / "store" / "sessions" / plan.session_id
    directory.mkdir()
    (directory / "journal.ndjson").write_bytes(b'{"v":1,"sha')
    code, out, _ = command("import", PYTEST)
    assert (code, store.sessions()) == (0, (plan.session_id,))
    assert f"imported as {plan.session_id}" in out


def test_a_store_that_cannot_be_written_is_said(command, tmp_path):
    (tmp_path / "store").write_text("a file")
    code, out, err = command("import", PYTEST)
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_a_bucket_takes_no_import_of_its_own(capsys):
    assert cli.main(["import", str(PYTEST), "--store", "s3://lab/nights"]) == 2
    assert "measure into a local store, then: boardmark store merge" in capsys.readouterr().err


def test_another_document_with_the_same_first_digits_is_another_session(tmp_path):
    store = Store.create(tmp_path / "store")
    first = intake.understood(PYTEST, "auto", Names())
    assert intake.keep(store, first).new
    digest = first.reading.sha256
    twin = msgspec.structs.replace(first.reading, sha256=digest[:12] + digest[12:][::-1])
    again = intake.keep(store, msgspec.structs.replace(first, reading=twin))
    assert again.new
    assert len(store.sessions()) == 2


def test_the_session_of_an_import_is_broken(tmp_path, monkeypatch):
    store = Store.create(tmp_path / "store")
    ready = intake.understood(PYTEST, "auto", Names())
    intake.keep(store, ready)

    def refuse(*_):
        raise StoreError("nothing is left of it")

    monkeypatch.setattr("results.sessions.load", refuse)
    with pytest.raises(StoreError, match=r"in the store as session .* cannot be read: nothing is"):
        intake.keep(store, ready)


def test_nothing_of_a_file_is_believed_before_all_of_it_was_read(tmp_path):
    path = tmp_path / "late.json"
    document = json.loads((FILES / "llama-bench/bench.json").read_text())
    document[1]["samples_ns"][4] = -1
    path.write_text(json.dumps(document))
    with pytest.raises(UsageError, match=r"key '\[1\]\.samples_ns\[4\]' is a negative time: -1"):
        intake.understood(path, "auto", Names())
