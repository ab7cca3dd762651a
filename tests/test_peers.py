"""The comparison with other tools: what their recorded outputs say, and what becomes of many."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from pathlib import Path

import msgspec
import pytest
from proof.peers import bare, eight, figures, implied, launch, page
from proof.peers.campaign import Campaign, Gate, carry_out
from proof.peers.identity import Identity
from proof.peers.loadgen import parse
from proof.peers.records import Bench, Command, Peer, Reading, Start, Tool, Unusable
from proof.peers.registry import PEERS

RECORDED = Path(__file__).parent / "fixtures" / "peers"
NAMED = {peer.name: peer for peer in PEERS}


def recorded(name: str, folder: str) -> Reading:
    peer = NAMED[name]
    return peer.tool.read(RECORDED / folder, peer.word)


def reading(median_s: float, half_width: float | None = 0.01, alarm: bool | None = None) -> Reading:
    return Reading(median_s=median_s, n=9, half_width=half_width, interval="made up", alarm=alarm)


def begun(tool: str, number: int, median_s: float | None, wall_s: float = 4.0) -> Start:
    return Start(
        tool=tool,
        round=number,
        wall_s=wall_s,
        peak_bytes=200_000_000 + (50_000_000 if tool == "boardmark" else 0),
        reading=None if median_s is None else reading(median_s),
        reason="it broke" if median_s is None else None,
    )


def bench(folder: Path) -> Bench:
    return Bench(
        python=Path(sys.executable),
        peers_python=None,
        artifacts={name: folder / f"model.{name}" for name in ("onnx", "tflite", "torchscript")},
        inputs={"input_ids": folder / "input_ids.npy"},
        encoder=folder / "encoder",
        shelf=folder,
        threads=2,
        seconds=1.0,
    )


# What the tools wrote


def test_the_bare_loop_gives_the_median_of_its_samples() -> None:
    samples = json.loads((RECORDED / "bare" / "samples.json").read_text())
    read = recorded("bare onnxruntime", "bare")
    assert read.median_s == sorted(samples)[(len(samples) - 1) // 2] / 1e9
    assert read.n == len(samples)
    assert read.half_width is not None
    assert read.half_width > 0


def test_our_own_row_gives_the_interval_it_prints() -> None:
    read = recorded("boardmark", "boardmark")
    (row,) = json.loads((RECORDED / "boardmark" / "stdout.txt").read_text())
    assert read.median_s == row["latency_p50_s"]
    assert read.half_width == pytest.approx(row["latency_p50_hi_s"] / row["latency_p50_s"] - 1)


def test_benchmark_app_says_milliseconds_and_no_spread() -> None:
    read = recorded("benchmark_app", "benchmark_app")
    assert (read.median_s, read.n, read.half_width) == (0.07341, 14, None)


def test_litert_benchmark_implies_an_interval_by_its_sd() -> None:
    read = recorded("litert-benchmark, other ids", "litert-benchmark")
    latency = json.loads((RECORDED / "litert-benchmark" / "result.json").read_text())["latency"]
    assert read.median_s == latency["median_ms"] / 1e3
    assert read.n == 50
    assert read.half_width == pytest.approx(
        1.959964 * latency["std_ms"] / math.sqrt(50) / latency["avg_ms"]
    )


def test_torch_prints_its_measurement_before_our_line() -> None:
    read = recorded("torch.utils.benchmark", "torch")
    assert read.median_s == pytest.approx(0.2618, rel=1e-3)
    assert read.n == 4


@pytest.mark.parametrize(
    ("folder", "alarm"),
    [
        ("pytest-benchmark-first", None),
        ("pytest-benchmark", False),
        ("pytest-benchmark-regressed", True),
    ],
)
def test_pytest_benchmark_compares_with_the_start_before(folder: str, alarm: bool | None) -> None:
    read = recorded("pytest-benchmark", folder)
    assert read.alarm is alarm
    assert 0.04 < read.median_s < 0.15


def test_loadgen_gives_a_percentile_or_a_throughput() -> None:
    single = recorded("LoadGen SingleStream", "loadgen-single-stream")
    assert single.median_s == pytest.approx(0.0895, rel=0.01)
    offline = recorded("LoadGen Offline", "loadgen-offline")
    assert offline.median_s == pytest.approx(0.08735, rel=0.01)
    assert single.half_width is offline.half_width is None


def test_a_summary_may_lack_the_space_before_its_colon() -> None:
    text = "Samples per second: 24.05\nmax_duration (ms): 0\n90.0th percentile (ns) : 7\n====\n"
    assert parse(text) == {
        "Samples per second": "24.05",
        "max_duration (ms)": "0",
        "90.0th percentile (ns)": "7",
    }


def test_optimum_benchmark_reports_its_forward_passes() -> None:
    read = recorded("optimum-benchmark", "optimum-benchmark")
    report = json.loads((RECORDED / "optimum-benchmark" / "benchmark_report.json").read_text())
    assert read.median_s == report["forward"]["latency"]["p50"]
    assert read.n == report["forward"]["latency"]["count"]


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_an_empty_folder_is_a_failure_and_no_number(peer: Peer, tmp_path: Path) -> None:
    with pytest.raises((Unusable, OSError)):
        peer.tool.read(tmp_path, peer.word)


def test_a_median_of_zero_is_refused(tmp_path: Path) -> None:
    report = json.loads((RECORDED / "benchmark_app" / "benchmark_report.json").read_text())
    report["execution_results"]["latency (ms)"] = "0.00"
    (tmp_path / "benchmark_report.json").write_text(json.dumps(report))
    with pytest.raises(Unusable, match=r"median is 0\.0 ms"):
        NAMED["benchmark_app"].tool.read(tmp_path, "")


def test_implied_intervals_follow_their_formulas() -> None:
    assert implied.from_sd(10.0, 1.0, 100) == pytest.approx(0.0196, rel=1e-3)
    # of normal samples the median's interval is 1.2533 times as wide as the mean's
    assert implied.from_iqr(10.0, 1.349, 100) == pytest.approx(0.0196 * 1.2533, rel=1e-3)
    assert implied.from_sd(10.0, 1.0, 1) is None
    assert implied.from_iqr(10.0, 1.0, 3) is None


# How they are started


class Shell:
    """A tool that is one line of Python and answers a median."""

    def __init__(self, text: str, patience_s: float = 20.0) -> None:
        self._command = Command(argv=(sys.executable, "-c", text), patience_s=patience_s)

    def command(self, bench: Bench, word: str) -> Command:
        return self._command

    def read(self, folder: Path, word: str) -> Reading:
        return reading(float((folder / "stdout.txt").read_text()))


def tried(tool: Tool, tmp_path: Path) -> Start:
    return launch.start(Peer("tool", "", tool, "", None), bench(tmp_path), 0, tmp_path / "run")


def test_a_start_is_timed_and_its_whole_tree_weighed(tmp_path: Path) -> None:
    child = "import time; block = bytearray(60_000_000); time.sleep(1.2)"
    text = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}]); print(0.5)"
    found = tried(Shell(text), tmp_path)
    assert found.reading is not None
    assert found.reading.median_s == 0.5
    assert 1.2 < found.wall_s < 20
    assert found.peak_bytes is not None
    assert 65_000_000 < found.peak_bytes < 200_000_000


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import sys; print('ValueError: odd', file=sys.stderr); sys.exit(3)", "code 3: ValueErr"),
        ("print('no number')", "cannot be read: ValueError"),
    ],
)
def test_a_failure_is_a_record_with_its_reason(text: str, reason: str, tmp_path: Path) -> None:
    found = tried(Shell(text), tmp_path)
    assert found.reading is None
    assert reason in (found.reason or "")


def test_a_tool_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    wait = "import time; time.sleep(60)"
    text = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {wait!r}])\n"
        "print(child.pid, flush=True)\n"
        "child.wait()"
    )
    began = time.monotonic()
    found = tried(Shell(text, patience_s=1.5), tmp_path)
    assert time.monotonic() - began < 15
    assert found.reason == "no answer within 1.5 s"
    child = int((tmp_path / "run" / "stdout.txt").read_text())
    end = time.monotonic() + 5
    while launch.high_water_bytes(child) and time.monotonic() < end:
        time.sleep(0.05)
    assert launch.high_water_bytes(child) == 0


def test_a_missing_program_and_a_missing_environment_are_reasons(tmp_path: Path) -> None:
    wall_s, peak, reason = launch.execute(Command(argv=("no-such-program",)), tmp_path)
    assert (wall_s, peak) == (0.0, None)
    assert "cannot be started" in (reason or "")
    found = launch.start(NAMED["optimum-benchmark"], bench(tmp_path), 0, tmp_path / "run")
    assert found.reason == "its environment is missing: make install-peers"


def test_our_own_process_is_found_by_its_parent() -> None:
    assert launch.parent(os.getpid()) == os.getppid()
    assert launch.high_water_bytes(os.getpid()) > 1_000_000
    assert launch.parent(2**30) is None


def test_every_round_begins_with_another_tool(tmp_path: Path) -> None:
    peers = [Peer(name, "", Shell("print(1)"), "", None) for name in "abc"]
    campaign = carry_out(peers, bench(tmp_path), 2, tmp_path / "work", lambda line: None)
    assert [start.tool for start in campaign.starts] == ["a", "b", "c", "b", "c", "a"]
    assert campaign.started == {"a", "b", "c"}
    again = msgspec.json.decode(msgspec.json.encode(campaign), type=Campaign)
    assert again == campaign


def test_every_peer_has_a_bare_loop_to_be_held_against() -> None:
    assert len(NAMED) == len(PEERS)
    for peer in PEERS:
        assert peer.baseline is None or NAMED[peer.baseline].tool is bare


# What becomes of many starts

BASE = "bare onnxruntime"


def test_a_row_holds_each_start_against_the_loop_of_its_round() -> None:
    factors = (1.0, 1.5, 0.8, 1.2, 0.9)
    starts = [begun(BASE, k, 0.01 * f) for k, f in enumerate(factors)]
    starts += [begun("boardmark", k, 0.0102 * f, wall_s=9.0) for k, f in enumerate(factors)]
    base, ours = figures.rows(PEERS, starts)
    assert ours.error is not None
    assert ours.error.ratio == pytest.approx(1.02)
    assert ours.error.hi == pytest.approx(1.02)
    assert base.error is None
    assert ours.added_bytes == 50_000_000
    assert ours.range == pytest.approx(1.5 / 0.8)
    assert ours.printed_cost == pytest.approx(0.01 * 3)
    assert ours.spread is not None
    assert ours.seen_cost == pytest.approx(1.959964 * ours.spread * 3)


def test_pairs_more_than_five_percent_apart_are_counted_in_order() -> None:
    (row,) = figures.rows(PEERS, [begun(BASE, k, m) for k, m in enumerate((1.0, 1.04, 1.06))])
    assert row.pairs_apart == (1, 6)


def test_a_failed_start_is_counted_and_its_reason_kept() -> None:
    starts = [begun(BASE, 0, 0.01), begun(BASE, 1, None), begun("benchmark_app", 0, None)]
    bare_row, app = figures.rows(PEERS, starts)
    assert (bare_row.good, bare_row.starts, bare_row.reasons) == (1, 2, ("it broke",))
    assert (app.good, app.median_s, app.wall_s, app.spread) == (0, None, None, None)
    text = page.render(campaign(starts))
    assert "benchmark_app: 1 of 1 starts gave no number: it broke" in text


def test_how_many_times_narrower_has_an_interval_of_its_own() -> None:
    near = [begun("boardmark", k, 0.01 * (1 + 0.001 * (k % 2))) for k in range(10)]
    far = [begun("optimum-benchmark", k, 0.02 * (1 + 0.1 * (k % 2)), 16.0) for k in range(10)]
    ours, other = figures.rows(PEERS, near + far)
    found = figures.times_narrower(ours, other)
    assert found is not None
    ratio, lo, hi = found
    assert ratio == pytest.approx(2 * math.log(1.1) / math.log(1.001), rel=1e-6)
    # F(9, 9) leaves 2.5 % above 4.03
    assert (ratio / lo, hi / ratio) == pytest.approx((4.026**0.5, 4.026**0.5), rel=1e-3)
    assert figures.times_narrower(ours, figures.rows(PEERS, far[:1])[0]) is None


# The page


def campaign(starts: list[Start], **more: object) -> Campaign:
    who = Identity(
        cpu="a processor",
        cores=2,
        ram_bytes=2**34,
        kernel="6.1",
        python="3.11",
        day="2026-11-20",
        load_1m=0.1,
        here={"onnxruntime": "1.31.1"},
        there={"torch": None},
    )
    known = Campaign(
        identity=who, rounds=5, threads=2, seconds=2.0, wall_s=60.0, starts=tuple(starts)
    )
    return msgspec.structs.replace(known, **more)


def test_the_page_names_machine_versions_and_the_headline() -> None:
    starts = [
        begun(name, k, 0.01 * (1 + step * (k % 2)))
        for name, step in ((BASE, 0.01), ("boardmark", 0.001), ("optimum-benchmark", 0.1))
        for k in range(5)
    ]
    gate = Gate(sessions=100, regressed=1, machine="a board", day="2026-11-20")
    text = page.render(campaign(starts, gate=gate))
    for part in (
        "a processor, 2 cores, 16 GiB",
        "5 rounds, 2 s timed",
        "onnxruntime 1.31.1",
        "torch not installed",
        "| boardmark | onnxruntime | 5/5 | 10.00 ms |",
        "+50 MB | 1/100 (a board, 2026-11-20) |",
        "boardmark (onnxruntime) is narrower than that of optimum-benchmark (torch eager): 95.4",
    ):
        assert part in text
    assert all(line.count("|") in (0, 5, 7, 12) for line in text.splitlines())


def test_eight_cases_count_those_within_two_percent() -> None:
    (row,) = json.loads((RECORDED / "boardmark" / "stdout.txt").read_text())
    near = {
        **row,
        "latency_p50_lo_s": row["latency_p50_s"],
        "latency_p50_hi_s": row["latency_p50_s"],
    }
    none = dict.fromkeys(("latency_p50_s", "latency_p50_lo_s", "latency_p50_hi_s"))
    wide = {**row, "latency_p50_hi_s": 3 * row["latency_p50_s"]}
    cases = eight.cases(json.dumps([row, near, wide, {**row, **none, "verdict": "failed"}]))
    found = eight.Eight(wall_s=88.0, cases=cases)
    assert found.reached == 1
    text = page.render(campaign([], eight=found))
    assert "1 of 8 within ±2%; the whole command took 88 s" in text
    assert "| fp32 onnxruntime | – | – | failed |" in text
    assert "| 56.13 ms | 71 % | noisy |" in text
    assert "| 56.13 ms | > 100 % | noisy |" in text
    assert "no answer after 5 s: it broke" in page.render(
        campaign([], eight=eight.Eight(wall_s=5.0, reason="it broke"))
    )


def test_only_what_lies_between_the_markers_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "peers.md"
    target.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n")
    page.write(target, "new\n")
    page.write(target, "newer\n")
    assert target.read_text() == f"before\n{page.BEGIN}\n\nnewer\n\n{page.END}\nafter\n"
    for broken in ("no markers", f"only one\n{page.BEGIN}\n"):
        target.write_text(broken)
        with pytest.raises(Unusable, match="has no line"):
            page.write(target, "new")


def test_the_committed_page_can_be_written() -> None:
    text = (Path(__file__).parents[1] / "docs" / "peers.md").read_text()
    assert text.index(page.BEGIN) < text.index(page.END)
    assert all(peer.name in text for peer in PEERS)
