"""What keeping results costs: to journal a run, to seal a long session, to list many."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import handmade
import pytest

from harness.types import Run
from results import layout, parts, tables
from results.schema import Footer
from results.store import Store

RUNS = 1000
SAMPLES = 1000
SESSIONS = 10_000


def runs() -> list[Run]:
    """Return runs of a model of 2 ms with noise of 1.5 %."""
    noise = random.Random(1)
    return [
        handmade.run(
            number,
            (handmade.FP32, handmade.INT8, handmade.INT4)[number % 3],
            number // 3,
            samples_ns=tuple(round(2e6 + abs(noise.gauss(0, 3e4))) for _ in range(SAMPLES)),
        )
        for number in range(RUNS)
    ]


def test_journaling_a_run_costs_under_2_ms_and_the_fsync(
    benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, made = Store.create(tmp_path), iter(runs())
    synced_s: list[float] = []
    monkeypatch.setattr(os, "fdatasync", timed(os.fdatasync, synced_s))
    with store.start(handmade.plan()) as journal:
        synced_s.clear()
        appended_s: list[float] = []
        append = timed(journal.append, appended_s)
        benchmark.pedantic(append, setup=lambda: ((next(made),), {}), rounds=500)
    own_s = [both - sync for both, sync in zip(appended_s, synced_s, strict=True)]
    benchmark.extra_info["ms_beside_fsync"] = statistics.median(own_s) * 1e3
    benchmark.extra_info["ms_of_fsync"] = statistics.median(synced_s) * 1e3
    assert statistics.median(own_s) < 2e-3


def timed(call: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    """Return `call` with the duration of each call added to `seconds`."""

    def wrapped(*args: Any) -> Any:
        start = time.perf_counter()
        found = call(*args)
        seconds.append(time.perf_counter() - start)
        return found

    return wrapped


def test_sealing_a_thousand_runs_of_a_thousand_samples_takes_under_a_second(
    benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = runs()
    stores = iter(range(100))

    def journaled() -> tuple[tuple[Store], dict[str, Any]]:
        store = Store.create(tmp_path / str(next(stores)))
        with monkeypatch.context() as patched:
            patched.setattr(os, "fdatasync", lambda _: None)
            with store.start(handmade.plan()) as journal:
                for run in made:
                    journal.append(run)
        return (store,), {}

    seal = lambda store: store.seal(handmade.SESSION_ID)  # noqa: E731
    benchmark.pedantic(seal, setup=journaled, rounds=5, warmup_rounds=1)
    (samples,) = (tmp_path / "1" / "parts" / "samples").rglob("*.parquet")
    benchmark.extra_info["bytes_per_sample"] = samples.stat().st_size / RUNS / SAMPLES
    benchmark.extra_info["seconds"] = benchmark.stats.stats.min
    assert benchmark.stats.stats.min < 1


def test_listing_ten_thousand_sessions_takes_under_half_a_second(
    benchmark: Any, tmp_path: Path
) -> None:
    store = Store.create(tmp_path)
    for number in range(SESSIONS):
        put_session(store, number)
    command = [str(Path(sys.executable).with_name("boardmark")), "list", "sessions", "--json"]
    start = time.perf_counter()
    listed = subprocess.check_output([*command, "--store", str(tmp_path)])
    benchmark.extra_info["first_time_seconds"] = time.perf_counter() - start
    assert listed.count(b'"sealed"') == SESSIONS
    again = benchmark.pedantic(
        subprocess.check_output, args=([*command, "--store", str(tmp_path)],), rounds=7
    )
    assert again == listed
    benchmark.extra_info["seconds"] = benchmark.stats.stats.median
    assert benchmark.stats.stats.median < 0.5


def put_session(store: Store, number: int) -> None:
    """Put a committed session into `store`, four a day on four devices; nothing is synced."""
    created_unix_s = 1.7e9 + (number // 4) * 86400 + number % 4 * 3600
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(created_unix_s))
    plan = handmade.plan(
        f"{now}-{number:04x}", created_unix_s=created_unix_s, device=f"board-{number % 4}"
    )
    rows = tables.arrow(tables.Recorded(plan=plan, runs=(), content=f"{number:016x}"))
    footer = Footer(
        table="sessions",
        writer="boardmark benchmark",
        sessions={plan.session_id: f"{number:016x}"},
        device=plan.device,
        month=layout.month_of(created_unix_s),
    )
    data = parts.encode(rows["sessions"], footer)
    path = store.root / parts.path_of(footer, data)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
