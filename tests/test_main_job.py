"""The main job end to end on the null backend: real command line, agent, store and report."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from harness import cli

ISSUE_KEYS = {
    *("latency_p50_s", "latency_p50_lo_s", "latency_p50_hi_s", "latency_p99_s"),
    *("throughput_per_s", "load_s", "first_inference_s", "peak_rss_bytes", "peak_anon_bytes"),
    *("size_bytes", "energy_j", "power_w", "quality", "quality_loss", "device", "model"),
    *("variant", "backend", "scenario", "batch", "status", "verdict", "reason"),
}

QUICK = ["run", "--suite", "quick", "--backends", "null", "--blocks", "5"]


@pytest.fixture(scope="module", autouse=True)
def own_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOARDMARK_CACHE", str(tmp_path_factory.mktemp("cache")))
        # The machine that runs the tests may be as busy as it likes: no run is repeated for it.
        patch.setattr("harness.stats.noise.flags", lambda *_: ())
        patch.setattr("harness.stats.noise.among", lambda found: ((),) * len(found))
        patch.setattr("harness.places.reports", lambda: tmp_path_factory.mktemp("reports"))
        yield


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store that holds one finished session."""
    store = tmp_path_factory.mktemp("store")
    assert cli.main([*QUICK, "--store", str(store)]) == 0
    return store


def export(store: Path, capsys: pytest.CaptureFixture[str], *more: str) -> Any:
    capsys.readouterr()
    assert cli.main(["export", "--format", "json", "--store", str(store), *more]) == 0
    return json.loads(capsys.readouterr().out)


def test_export_gives_one_object_per_case_with_the_promised_keys(
    measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = export(measured, capsys)
    assert {row["variant"] for row in rows} == {"fp32", "int8-dynamic"}
    for row in rows:
        assert set(row) >= ISSUE_KEYS
        assert row["latency_p50_lo_s"] <= row["latency_p50_s"] <= row["latency_p50_hi_s"]
        assert row["runs"] == 5
        assert row["status"] == "ok"
        assert row["energy_j"] is None or row["energy_j"] > 0
        assert row["power_reason"] if row["power_w"] is None else row["power_w"] > 0
    by_variant = {row["variant"]: row for row in rows}
    ratio = by_variant["fp32"]["latency_p50_s"] / by_variant["int8-dynamic"]["latency_p50_s"]
    assert ratio == pytest.approx(2, rel=0.25), "the null artifacts say 2,000 and 1,000 µs"


def test_csv_and_parquet_say_the_same(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = export(measured, capsys)
    assert cli.main(["export", "--format", "csv", "--store", str(measured)]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    target = tmp_path / "cases.parquet"
    words = ["export", "--format", "parquet", "--store", str(measured), "-o", str(target)]
    assert cli.main(words) == 0
    columns = pq.read_table(target).to_pylist()
    for row, cells, column in zip(rows, table, columns, strict=True):
        assert float(cells["latency_p50_s"]) == row["latency_p50_s"] == column["latency_p50_s"]
        assert cells["variant"] == row["variant"] == column["variant"]


def test_list_show_and_report_read_the_session(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["list", "sessions", "--store", str(measured)]) == 0
    listed = capsys.readouterr().out
    assert "2 cases" in listed
    assert "sealed" in listed
    assert cli.main(["show", "--store", str(measured)]) == 0
    assert "int8-dynamic" in capsys.readouterr().out
    target = tmp_path / "page.html"
    assert cli.main(["report", "--store", str(measured), "-o", str(target)]) == 0
    assert "null-model" in target.read_text(encoding="utf-8")


def test_a_part_that_cannot_be_read_is_named_by_the_list(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    shutil.copytree(measured, store)
    part = next(store.glob("parts/sessions/**/*.parquet"))
    part.write_bytes(part.read_bytes()[:-9])
    capsys.readouterr()
    assert cli.main(["list", "--store", str(store)]) == 0
    assert "quarantine" in capsys.readouterr().err


def test_a_second_session_builds_nothing(
    measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*QUICK, "--blocks", "2", "--no-report", "--store", str(measured)]) == 0
    assert "built " not in capsys.readouterr().err


def test_a_dry_run_lists_cases_and_touches_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "none"
    assert cli.main([*QUICK, "--dry-run", "--store", str(store)]) == 0
    assert "2 cases, 10 runs" in capsys.readouterr().out
    assert cli.main([*QUICK, "--dry-run", "--json", "--store", str(store)]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["variant"], row["blocks"]) for row in rows] == [("fp32", 5), ("int8-dynamic", 5)]
    assert not store.exists()


def test_json_goes_to_stdout_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*QUICK, "--blocks", "1", "--json", "--no-report", "--store", str(tmp_path / "s")]
    assert cli.main(words) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2


def usual_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def interrupted(store: Path, after_runs: int) -> subprocess.Popen[str]:
    """Start a session of its own process and wait until some runs are on disk."""
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.cli", *QUICK, "--no-report", "--store", str(store)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=usual_signals,  # noqa: PLW1509  started in the background, we may ignore some
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        journals = list(store.glob("sessions/*/journal.ndjson"))
        if journals and journals[0].read_bytes().count(b"\n") > after_runs:
            return process
        time.sleep(0.02)
    process.kill()
    raise AssertionError("no run was journalled within a minute")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_an_interrupted_session_keeps_its_runs_and_resume_measures_only_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], how: signal.Signals
) -> None:
    store = tmp_path / "store"
    process = interrupted(store, after_runs=3)
    process.send_signal(how)
    _, told = process.communicate(timeout=30)
    if how != signal.SIGKILL:
        assert process.returncode == 130
        assert "boardmark run --resume" in told
        assert "Traceback" not in told
    journal = next(store.glob("sessions/*/journal.ndjson"))
    kept = journal.read_bytes().count(b"\n") - 1
    assert 3 <= kept < 20

    assert cli.main(["run", "--resume", "--no-report", "--store", str(store)]) == 0
    assert f"{kept} runs are there" in capsys.readouterr().err
    assert [row["runs"] for row in export(store, capsys)] == [5, 5]
    assert cli.main(["run", "--resume", "--store", str(store)]) == 2
    assert "no unfinished session" in capsys.readouterr().err


def broken_store(folder: Path) -> Path:
    store = folder / "store"
    store.write_text("a file where a folder should be")
    return store


def read_only_store(folder: Path) -> Path:
    return Path("/proc/boardmark")


@pytest.mark.parametrize("make", [broken_store, read_only_store])
def test_an_unusable_store_is_one_sentence_before_anything_is_measured(
    make: Callable[[Path], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*QUICK, "--store", str(make(tmp_path))]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[-1].startswith("boardmark: ")
    assert not any(line.startswith("run ") for line in told)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="needs root to mount")
def test_a_full_disk_ends_the_session_with_what_was_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)], check=True)
    try:
        assert cli.main([*QUICK, "--store", str(disk / "store")]) == 2
        told = capsys.readouterr().err
        assert "No space left" in told or "full" in told
        assert "Traceback" not in told
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_another_board_than_this_is_refused_with_ways_to_go_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main([*QUICK, "--device", "jetson"]) == 2
    told = capsys.readouterr().err
    assert "Jetson Nano" in told
    assert "local" in told
