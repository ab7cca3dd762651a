"""A million runs: what the store's questions, its list and its compaction cost."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import asked
import generated_store
import pytest

from results.upkeep.compact import compact

_A_SECOND, _MEMORY_BYTES = 1.0, 500e6
_SMALL_PARTS = 10_000


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of a million runs that was asked once, so that its digests are checked."""
    where = tmp_path_factory.mktemp("million") / "store"
    generated_store.write(where, generated_store.Size(runs=1_000_000))
    asked.asked(where, "scan", times=1)
    asked.listed_s(where, times=2)
    return where


@pytest.mark.parametrize(("question", "rows"), [("latest", 200), ("trend", 90)])
def test_history_of_a_million_runs_takes_a_second_and_500_mb(
    benchmark: Any, million: Path, question: str, rows: int
) -> None:
    found = benchmark.pedantic(asked.asked, args=(million, question), rounds=1)
    for name in ("first_s", "median_s", "peak_rss_bytes"):
        benchmark.extra_info[name] = found[name]
    assert found["rows"] == rows
    assert found["median_s"] < _A_SECOND
    assert found["peak_rss_bytes"] < _MEMORY_BYTES


def test_sessions_of_a_million_runs_are_listed_in_half_a_second(
    benchmark: Any, million: Path
) -> None:
    seconds = benchmark.pedantic(asked.listed_s, args=(million,), rounds=1)
    benchmark.extra_info["median_s"] = seconds
    assert seconds < 0.5


def test_a_question_of_few_parts_does_not_feel_the_others(
    benchmark: Any, million: Path, tmp_path: Path
) -> None:
    generated_store.write(tmp_path / "small", generated_store.Size(runs=10_000))
    small = asked.asked(tmp_path / "small", "ten nights")
    large = benchmark.pedantic(asked.asked, args=(million, "ten nights"), rounds=1)
    benchmark.extra_info["ratio_to_a_hundredth"] = large["median_s"] / small["median_s"]
    assert large["rows"] == small["rows"] == 10
    assert large["median_s"] < 5 * small["median_s"]


def test_ten_thousand_small_parts_are_compacted_in_a_minute(benchmark: Any, tmp_path: Path) -> None:
    runs = _SMALL_PARTS // 5 * generated_store.RUNS_PER_SESSION
    size = generated_store.Size(runs=runs, compact=False)
    store = generated_store.write(tmp_path / "store", size)

    def timed() -> tuple[float, Any]:
        begin = time.perf_counter()
        return compact(store), time.perf_counter() - begin

    done, seconds = benchmark.pedantic(timed, rounds=1)
    benchmark.extra_info["seconds"] = seconds
    assert done.parts_before == _SMALL_PARTS
    assert done.parts_after < _SMALL_PARTS / 20
    assert seconds < 60
