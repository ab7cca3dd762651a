"""What each importer takes out of a real file of its tool (of two: out of the documented form)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.errors import UsageError
from results import imports
from results.cases import summarise
from results.imports.session import Names, plan_of, runs_of
from results.imports.source import opened

FILES = Path(__file__).parent / "fixtures" / "imports"


def taken(path, word="auto", **names):
    """Return (plan, runs, rows) of a file."""
    source = opened(path if isinstance(path, Path) else FILES / path)
    found, reading = imports.read(source, word)
    given = Names(**names)
    plan = plan_of(source, found, reading, given)
    runs = runs_of(plan, reading, given)
    return plan, runs, summarise(plan, runs, sealed=True)


def changed(tmp_path, name, change):
    """Return a copy of a JSON fixture whose document went through `change`."""
    document = json.loads((FILES / name).read_text())
    change(document)
    copy = tmp_path / Path(name).name
    copy.write_text(json.dumps(document))
    return copy


WORDS = {
    "pytest-benchmark/with_data.json": "pytest-benchmark",
    "pytest-benchmark/without_data.json": "pytest-benchmark",
    "benchmark_app/benchmark_report.json": "benchmark_app",
    "benchmark_app/cpp_report.json": "benchmark_app",
    "litert-benchmark/result.json": "litert-benchmark",
    "trtexec/times.json": "trtexec",
    "trtexec/times_trt7.json": "trtexec",
    "llama-bench/bench.json": "llama-bench",
    "llama-bench/bench.jsonl": "llama-bench",
    "loadgen-single-stream/mlperf_log_summary.txt": "loadgen",
    "loadgen-single-stream/mlperf_log_detail.txt": "loadgen",
    "loadgen-offline/mlperf_log_summary.txt": "loadgen",
    "optimum-benchmark/benchmark.json": "optimum-benchmark",
    "optimum-benchmark/benchmark_report.json": "optimum-benchmark",
}


@pytest.mark.parametrize(("name", "word"), WORDS.items())
def test_every_file_is_recognised_by_its_format_alone_and_kept_whole(name, word):
    source = opened(FILES / name)
    assert [one for one, format_ in imports.FORMATS.items() if format_.recognise(source)] == [word]
    plan, runs, rows = taken(name)
    assert (plan.kind, plan.suite, plan.two_sided) == ("import", word, False)
    kept = plan.design["import"]
    assert kept["documents"][Path(name).name] == (FILES / name).read_text()
    assert all(run.status == "ok" and run.duration_s > 0 for run in runs)
    assert all(row.verdict == "imprecise" and row.size_bytes is None for row in rows)
    assert all("another tool made them" in row.reason for row in rows if row.latency_p50_s)
    assert all(row.power_reason and row.quality is None for row in rows)


def test_every_fixture_is_tested():
    found = {str(path.relative_to(FILES)) for path in FILES.rglob("*") if path.is_file()}
    beside = {"loadgen-offline/mlperf_log_detail.txt", "optimum-benchmark/benchmark_config.json"}
    assert found - beside - {"README.md"} == set(WORDS)


def test_pytest_benchmark_with_its_data():
    plan, (run,), (row,) = taken("pytest-benchmark/with_data.json")
    stats = json.loads((FILES / "pytest-benchmark/with_data.json").read_text())["benchmarks"][0][
        "stats"
    ]
    assert run.samples_ns == tuple(round(1e9 * value) for value in stats["data"])
    assert len(run.samples_ns) == stats["rounds"] == 141
    assert row.latency_p50_s == pytest.approx(stats["median"], rel=1e-6)
    assert row.latency_p50_lo_s < row.latency_p50_s < row.latency_p50_hi_s
    assert run.result["reported"]["figures"]["ld15iqr"] == stats["ld15iqr"]
    assert run.result["reported"]["tool"] == "pytest-benchmark 5.3.1"
    assert plan.device == "bench-1"
    assert plan.created_unix_s == 1795204183.41219
    assert plan.session_id.startswith("20261120T194943Z-")
    env = plan.environment
    assert (env["cpu_model"], env["cpu_count"], env["arch"]) == ("AMD EPYC", 2, "x86_64")
    assert set(env["unknown"]) == {"ram_bytes", "os", "governors", "hypervisor"}
    assert "file of pytest-benchmark 5.3.1 does not tell" in env["unknown"]["os"]
    assert row.model == "test_session.py::test_infer"
    assert (row.variant, row.backend, row.threads, row.batch) == ("unknown", "unknown", None, 1)
    assert "does not tell: variant, backend, runtime version, threads" in " ".join(row.notes)
    assert "a call counts as one sample" in " ".join(row.notes)


def test_pytest_benchmark_without_its_data_has_the_tools_median_and_no_interval():
    _, (run,), (row,) = taken("pytest-benchmark/without_data.json")
    assert run.samples_ns == ()
    assert row.latency_p50_s == run.result["reported"]["latency_p50_s"] == 0.009865326999715762
    assert (row.latency_p50_lo_s, row.latency_p50_hi_s, row.samples) == (None, None, 0)
    assert row.latency_max_s == 0.014569200000551064
    assert any("the median is the tool's own" in note for note in row.notes)
    assert run.duration_s == pytest.approx(141 * 0.01005033931201295)


def test_pytest_benchmark_parameters_are_the_variant_and_iterations_are_told(tmp_path):
    def change(document):
        one = document["benchmarks"][0]
        one["fullname"] += "[int8-2]"
        one["stats"]["iterations"] = 4

    _, (run,), (row,) = taken(changed(tmp_path, "pytest-benchmark/with_data.json", change))
    assert (row.model, row.variant) == ("test_session.py::test_infer", "int8-2")
    assert any("mean of 4 calls" in note for note in row.notes)
    assert run.duration_s == pytest.approx(4 * sum(run.samples_ns) / 1e9)


def test_benchmarks_that_the_given_names_make_the_same_stay_apart(tmp_path):
    def change(document):
        first = document["benchmarks"][0]
        document["benchmarks"].append({**first, "fullname": "test_session.py::test_other"})

    path = changed(tmp_path, "pytest-benchmark/with_data.json", change)
    plan, runs, rows = taken(path, model="minilm", variant="fp32")
    assert {row.model for row in rows} == {"minilm"}
    assert [row.variant for row in rows] == [
        "fp32 benchmark=test_session.py::test_infer",
        "fp32 benchmark=test_session.py::test_other",
    ]
    assert len({run.run_id for run in runs}) == len({case.key for case in plan.cases}) == 2


def test_benchmark_app_keeps_a_summary():
    plan, (run,), (row,) = taken("benchmark_app/benchmark_report.json", model="minilm")
    assert (row.model, row.backend, row.scenario) == ("minilm", "openvino", "single-stream")
    assert (row.batch, row.threads, row.samples) == (1, 2, 0)
    assert row.latency_p50_s == pytest.approx(8.57e-3)
    assert row.throughput_per_s == 113.27
    assert row.load_s == pytest.approx((162.03 + 8.42 + 206.74) / 1e3)
    assert row.first_inference_s == pytest.approx(14.17e-3)
    assert run.duration_s == pytest.approx(2.00412)
    told = run.result["reported"]
    assert (told["n"], told["figures"]["avg latency"]) == (227, "8.68")
    assert plan.cases[0].options["precision"] == "f32"


def test_benchmark_app_of_cpp_asynchronous():
    _, (run,), (row,) = taken("benchmark_app/cpp_report.json")
    assert (row.model, row.scenario, row.threads) == ("mobilenet", "async", 4)
    assert row.latency_p50_s == pytest.approx(17.96e-3)
    assert row.throughput_per_s == 220.13
    assert run.result["reported"]["n"] == 2204


def test_benchmark_app_asked_for_another_percentile_has_no_median(tmp_path):
    def change(document):
        results = document["execution_results"]
        results["latency (90 percentile) (ms)"] = results.pop("latency (ms)")

    path = changed(tmp_path, "benchmark_app/benchmark_report.json", change)
    _, _, (row,) = taken(path)
    assert (row.latency_p50_s, row.latency_p90_s) == (None, pytest.approx(8.57e-3))
    assert "was asked for the p90" in row.reason


def test_benchmark_app_that_failed_is_refused(tmp_path):
    path = changed(
        tmp_path,
        "benchmark_app/benchmark_report.json",
        lambda document: document.update(execution_results={"error": "no such model"}),
    )
    with pytest.raises(UsageError, match=r"execution_results\.error.*nothing was measured"):
        taken(path)


def test_litert_benchmark():
    plan, (run,), (row,) = taken("litert-benchmark/result.json")
    assert (row.model, row.backend, row.threads) == ("model", "tflite", 2)
    assert row.latency_p50_s == pytest.approx(10.59e-3)
    assert row.load_s == pytest.approx(26.89e-3)
    assert row.first_inference_s == pytest.approx(10.37e-3)
    assert row.evidence == {"provider": "CPU"}
    assert run.duration_s == pytest.approx(50 * 10.61e-3)
    assert run.result["reported"]["figures"]["latency"]["p95_ms"] == 11.38
    assert plan.created_unix_s == int((FILES / "litert-benchmark/result.json").stat().st_mtime)


@pytest.mark.parametrize(("name", "count"), [("times.json", 40), ("times_trt7.json", 5)])
def test_trtexec_keeps_every_query(name, count):
    _, (run,), (row,) = taken(f"trtexec/{name}", model="resnet50", device="orin")
    queries = json.loads((FILES / "trtexec" / name).read_text())
    assert run.samples_ns == tuple(round(1e6 * one["latencyMs"]) for one in queries)
    assert len(run.samples_ns) == count
    assert (row.backend, row.model, row.device) == ("tensorrt", "resnet50", "orin")
    out = "endD2hMs" if "endD2hMs" in queries[0] else "endOutMs"
    start = "startH2dMs" if "startH2dMs" in queries[0] else "startInMs"
    wall_s = (queries[-1][out] - queries[0][start]) / 1e3
    assert row.throughput_per_s == pytest.approx(count / wall_s)


@pytest.mark.parametrize(("name", "tests"), [("bench.json", 2), ("bench.jsonl", 3)])
def test_llama_bench(name, tests):
    plan, runs, rows = taken(f"llama-bench/{name}")
    assert len(rows) == len(runs) == tests
    assert (rows[0].scenario, rows[1].scenario) == ("pp64", "tg32")
    assert {row.model for row in rows} == {"qwen2.5-0.5b-instruct-q4_k_m"}
    assert rows[0].variant == "Q4_K - Medium"
    assert rows[0].runtime_version == "b5163 (8cf427ff)"
    assert rows[0].threads == 4
    assert plan.environment["cpu_model"] == "Cortex-A76"
    first = json.loads((FILES / "llama-bench/bench.json").read_text())[0]
    assert list(runs[0].samples_ns) == first["samples_ns"]
    assert runs[0].result["reported"]["figures"]["avg_ts"] == first["avg_ts"]
    assert plan.session_id.startswith("20261103T211405Z-")
    assert runs[1].started_unix_s - runs[0].started_unix_s == 9
    if tests == 3:
        assert [row.variant.removeprefix("Q4_K - Medium ") for row in rows[1:]] == [
            "threads=4",
            "threads=2",
        ]


def test_one_line_of_llama_bench_and_the_same_test_twice(tmp_path):
    lines = (FILES / "llama-bench/bench.jsonl").read_text().splitlines()
    one = tmp_path / "one.jsonl"
    one.write_text(lines[0] + "\n")
    assert len(taken(one)[2]) == 1
    one.write_text(f"{lines[0]}\n{lines[1]}\n{lines[0]}\n")
    plan, runs, rows = taken(one)
    assert (len(rows), [run.block for run in runs], plan.blocks) == (2, [0, 0, 1], 2)
    assert plan.order == ((rows[0].case_key, rows[1].case_key), (rows[0].case_key,))
    assert rows[0].runs == 2


def test_llama_bench_with_a_context_and_without_samples(tmp_path):
    def change(document):
        document[0] |= {"n_gen": 16, "n_depth": 512, "model_type": "qwen2"}
        del document[0]["samples_ns"]

    _, runs, rows = taken(changed(tmp_path, "llama-bench/bench.json", change))
    assert (rows[0].scenario, rows[0].variant) == ("pp64+tg16 @ d512", "unknown")
    assert rows[0].latency_p50_s is None
    assert "a mean only" in rows[0].reason
    assert runs[0].result["reported"]["latency_mean_s"] > 1


@pytest.mark.parametrize("which", ["summary", "detail"])
@pytest.mark.parametrize("alone", [True, False])
def test_loadgen_single_stream(tmp_path, which, alone):
    folder = FILES / "loadgen-single-stream"
    name = f"mlperf_log_{which}.txt"
    for one in folder.glob(name if alone else "*.txt"):
        shutil.copy(one, tmp_path)
    plan, (run,), (row,) = taken(tmp_path / name, device="lab", backend="onnxruntime")
    assert (row.scenario, row.backend, row.device) == ("single-stream", "onnxruntime", "lab")
    assert (row.latency_p50_s, row.latency_p90_s) == (0.009629938, 0.010245741)
    assert (row.latency_p99_s, row.latency_max_s) == (0.016143918, 0.018187693)
    assert row.throughput_per_s == pytest.approx(101.55, rel=1e-3)
    assert len(plan.design["import"]["documents"]) == (1 if alone else 2)
    detailed = which == "detail" or not alone
    assert (plan.design["import"]["tool"] == "LoadGen 6.0.17 @ d6147c7eb7") is detailed
    assert plan.session_id.startswith("20261120T194944Z-") is detailed
    assert run.duration_s == pytest.approx(1.515 if detailed else 1.5, abs=0.02)
    assert run.result["reported"].get("n") == (154 if detailed else None)


def test_loadgen_offline_gives_its_throughput_and_no_latency():
    _, (run,), (row,) = taken("loadgen-offline/mlperf_log_summary.txt")
    assert (row.scenario, row.throughput_per_s, row.latency_p50_s) == ("offline", 101.212, None)
    assert (row.latency_p99_s, row.latency_max_s) == (None, None)
    assert "no latency of a call" in row.reason
    assert run.result["reported"]["figures"]["50.00 percentile latency (ns)"] == "896457962"


def test_loadgen_says_what_it_calls_invalid(tmp_path):
    text = (FILES / "loadgen-single-stream/mlperf_log_summary.txt").read_text()
    path = tmp_path / "mlperf_log_summary.txt"
    path.write_text(text.replace("Result is : VALID", "Result is : INVALID"))
    assert any("calls this result INVALID" in note for note in taken(path)[2][0].notes)


def test_loadgen_logs_of_two_tests_are_refused(tmp_path):
    for name, folder in (("summary", "single-stream"), ("detail", "offline")):
        shutil.copy(FILES / f"loadgen-{folder}" / f"mlperf_log_{name}.txt", tmp_path)
    with pytest.raises(UsageError, match=r"Mean latency.*876923889.*of two tests"):
        taken(tmp_path / "mlperf_log_summary.txt")


def test_loadgen_accuracy_mode_is_refused(tmp_path):
    text = (FILES / "loadgen-single-stream/mlperf_log_summary.txt").read_text()
    path = tmp_path / "mlperf_log_summary.txt"
    path.write_text(text.replace("PerformanceOnly", "AccuracyOnly"))
    with pytest.raises(UsageError, match=r"'Mode' measures no time: 'AccuracyOnly'"):
        taken(path)


@pytest.mark.parametrize("name", ["benchmark.json", "benchmark_report.json"])
def test_optimum_benchmark(name):
    plan, (run,), (row,) = taken(f"optimum-benchmark/{name}")
    report = json.loads((FILES / "optimum-benchmark/benchmark_report.json").read_text())
    values = report["forward"]["latency"]["values"]
    assert run.samples_ns == tuple(round(1e9 * value) for value in values)
    assert (row.model, row.backend, row.batch, row.threads) == ("models/minilm-l6", "pytorch", 1, 2)
    assert row.runtime_version == "2.13.0+cpu"
    assert row.load_s == pytest.approx(0.0462009)
    assert row.first_inference_s == pytest.approx(0.0781383)
    assert plan.environment["ram_bytes"] == 25276514304
    assert plan.environment["cpu_model"] == "AMD EPYC"
    figures = run.result["reported"]["figures"]["latency"]
    assert figures["stdev_"] == report["forward"]["latency"]["stdev_"]
    assert "values" not in figures


def test_the_two_files_of_optimum_benchmark_are_one_measurement(tmp_path):
    ids = {
        taken(f"optimum-benchmark/{name}")[0].design["import"]["sha256"]
        for name in ("benchmark.json", "benchmark_report.json")
    }
    assert len(ids) == 1
    alone = tmp_path / "benchmark_report.json"
    shutil.copy(FILES / "optimum-benchmark/benchmark_report.json", alone)
    plan, _, (row,) = taken(alone)
    assert (row.model, row.threads, row.runtime_version) == ("unknown", None, "unknown")
    assert plan.design["import"]["sha256"] in ids


def test_optimum_benchmark_targets_and_memory(tmp_path):
    def change(document):
        forward = document.pop("forward")
        memory = {"unit": "MB", "max_ram": 812.5}
        document["prefill"] = {**forward, "memory": memory}
        document["decode"] = forward
        document["per_token"] = {**forward, "latency": None}

    path = changed(tmp_path, "optimum-benchmark/benchmark_report.json", change)
    _, _, rows = taken(path)
    assert [row.scenario for row in rows] == ["prefill", "decode"]
    assert rows[0].peak_rss_bytes == 812_500_000
    assert rows[1].peak_rss_bytes is None


def test_names_are_the_given_ones_and_the_id_tells_them_apart():
    named = {"device": "d", "model": "m", "variant": "v", "backend": "b"}
    plan, _, (row,) = taken("litert-benchmark/result.json", **named)
    assert (row.device, row.model, row.variant, row.backend) == ("d", "m", "v", "b")
    assert plan.command == (
        *("boardmark", "import", "result.json", "--format", "litert-benchmark"),
        *("--device", "d", "--model", "m", "--variant", "v", "--backend", "b"),
    )
    other = taken("litert-benchmark/result.json")[0]
    assert plan.session_id[:-4] == other.session_id[:-4]
    assert plan.session_id != other.session_id
    assert taken("litert-benchmark/result.json")[0] == other
