"""Files that cannot be imported: one sentence with file and key, exit code 2, nothing written."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import cli
from harness.errors import UsageError
from results import imports
from results.imports.node import Node
from results.imports.session import Names, plan_of, runs_of
from results.imports.source import opened

FILES = Path(__file__).parent / "fixtures" / "imports"
PYTEST = "pytest-benchmark/with_data.json"
LITERT = "litert-benchmark/result.json"
DEEP = 10**6


def litert(old, new):
    return (FILES / LITERT).read_text().replace(old, new)


def pytest_benchmark(old, new):
    return (FILES / PYTEST).read_text().replace(old, new, 1)


BAD = {
    "empty": ("", "it is empty"),
    "blank": (" \n\t", "it is empty"),
    "prose": ("hello", "its format is unknown; known: pytest-benchmark, benchmark_app"),
    "another JSON": ('{"a": 1}', "its format is unknown"),
    "an array": ("[1, 2]", "its format is unknown"),
    "lines": ('{"a": 1}\n{"b": 2}\n', "its format is unknown"),
    "truncated": (litert('"num_runs"', "")[:-40], "it is not whole JSON: "),
    "a torn line": ('{"a": 1}\n{"b": ', "line 2: it is not whole JSON"),
    "deep arrays": ("[" * DEEP, "it is nested deeper than 64 levels"),
    "deep whole": ("[" * 500 + "]" * 500, "it is nested deeper than 64 levels"),
    "deep objects": ('{"a":' * DEEP, "it is nested deeper than 64 levels"),
    "deep inside": (litert('"CPU"', "[" * DEEP), "it is nested deeper than 64 levels"),
    "twice": (litert('"min_ms"', '"avg_ms"'), "key 'avg_ms' stands twice in one object"),
    "NaN": (litert("10.59", "NaN"), "key 'latency.median_ms' is no finite number: nan"),
    "infinity": (litert("10.59", "-Infinity"), "key 'latency.median_ms' is no finite number"),
    "1e999": (litert("10.59", "1e999"), "key 'latency.median_ms' is no finite number: inf"),
    "NaN in what is not read": (litert("0.05", "NaN"), "key 'throughput_mb_s' is no finite"),
    "negative": (litert("10.59", "-10.59"), "key 'latency.median_ms' is a negative time: -10.59"),
    "a word": (litert("10.59", '"fast"'), "key 'latency.median_ms' is no number: 'fast'"),
    "NaN as a word": (litert("10.59", '"nan"'), "key 'latency.median_ms' is no finite number"),
    "true": (litert("10.59", "true"), "key 'latency.median_ms' is no number: True"),
    "null": (litert("10.59", "null"), "key 'latency.median_ms' is missing"),
    "an age": (litert("10.59", "1e300"), "key 'latency.median_ms' is a time of more than 292"),
    "half a run": (litert(": 50", ": 50.5"), "key 'latency.num_runs' is no count: 50.5"),
    "no object": (litert('"latency": {', '"latency": 3, "x": {'), "key 'latency' is no object: 3"),
    "a number as text": (litert('"models/model.tflite"', "7"), "key 'model' is no text: 7"),
    "beyond 64 bits": (litert("85.76", "9" * 30), "key 'model_size_mb' is beyond 64 bits"),
    "digits": (litert("85.76", "9" * 5000), "a whole number of thousands of digits"),
    "half a letter": (litert("serving", "\\ud800"), "key 'signature' holds half a character"),
    "half a name": (litert('"signature"', '"signature": "", "\\udfff"'), "holds half a character"),
    "negative sample": (
        pytest_benchmark('"data": [\n', '"data": [-1e-9,\n'),
        "key 'benchmarks[0].stats.data[0]' is a negative time: -1e-09",
    ),
    "no benchmark": (
        json.dumps({**json.loads((FILES / PYTEST).read_text()), "benchmarks": []}),
        "key 'benchmarks' holds no benchmark",
    ),
    "no time": (
        pytest_benchmark("2026-11-20T19:49:43.412190+00:00", "yesterday"),
        "key 'datetime' is no ISO 8601 time: 'yesterday'",
    ),
    "before all": (
        pytest_benchmark("2026-11-20T19:49:43.412190+00:00", "0001-01-01T00:00:00"),
        "it says that it was made outside of the years 1970 to 9999",
    ),
    "a long name": (pytest_benchmark("bench-1", "n" * 500), "give a shorter one with --device"),
    "LoadGen's key twice": (
        (FILES / "loadgen-offline/mlperf_log_summary.txt").read_text()
        + "Mean latency (ns)   : 5\n",
        "key 'Mean latency (ns)' stands twice",
    ),
    "LoadGen without a scenario": (
        (FILES / "loadgen-offline/mlperf_log_summary.txt")
        .read_text()
        .replace("Scenario : Offline", ""),
        "key 'effective_scenario' is missing",
    ),
    "a torn detail log": (
        (FILES / "loadgen-offline/mlperf_log_detail.txt").read_text()[:-30],
        "it is not whole JSON",
    ),
    "an odd detail log": (':::MLLOG {"a": 1}\n', "line 1 has no key"),
    "a query without its end": (
        (FILES / "trtexec/times.json").read_text().replace("endD2hMs", "endMs", 1),
        "key '[0].endOutMs' is missing",
    ),
    "no prompt": (
        (FILES / "llama-bench/bench.json").read_text().replace('"n_gen": 32', '"n_gen": null'),
        "key '[1].n_gen' is missing",
    ),
    "another unit": (
        (FILES / "optimum-benchmark/benchmark_report.json").read_text().replace('"s"', '"ms"'),
        "key 'forward.latency.unit' is no unit that is known here: 'ms'",
    ),
}


@pytest.mark.parametrize(("text", "said"), BAD.values(), ids=BAD)
def test_it_is_said_in_one_sentence_and_nothing_is_written(tmp_path, capsys, text, said):
    path = tmp_path / "odd.json"
    path.write_text(text, encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    assert cli.main(["import", str(path), "--store", str(tmp_path / "store")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    if "--device" not in said:
        assert err.startswith(f"boardmark: cannot import '{path}': ")
    assert said in err
    assert len(err) < 400
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xff\xff\xff{", "it is no text: byte 0"),
        (b'{"a": "\xff"}', "it is no text: byte 7"),
        (b"\x00", "its format is unknown"),
    ],
)
def test_bytes_that_are_no_text(tmp_path, data, said):
    path = tmp_path / "odd.json"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=said):
        imports.read(opened(path))


def test_what_is_no_readable_file(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path, said in (
        (tmp_path, "it is a directory; name the result files in it"),
        (tmp_path / "none.json", "it cannot be read: no such file or directory"),
        (fifo, "it is no regular file"),
        (Path("/dev/zero"), "it is no regular file"),
        (Path("a\0b"), "it cannot be read: embedded null byte"),
    ):
        with pytest.raises(UsageError, match=said):
            opened(path)


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(257 * 2**20)
    with pytest.raises(UsageError, match="it is larger than 256 MiB"):
        opened(path)


def test_a_file_of_another_format_than_named(tmp_path):
    source = opened(FILES / LITERT)
    with pytest.raises(UsageError, match="it is no file of trtexec; leave --format out"):
        imports.read(source, "trtexec")
    with pytest.raises(UsageError, match="unknown format 'litert'; did you mean litert-benchmark"):
        imports.read(source, "litert")


def test_a_file_from_before_1970_is_refused(tmp_path):
    path = tmp_path / "result.json"
    shutil.copy(FILES / LITERT, path)
    os.utime(path, (-5.0, -5.0))
    source = opened(path)
    word, reading = imports.read(source)
    with pytest.raises(UsageError, match="it was last changed outside of the years 1970 to 9999"):
        plan_of(source, word, reading, Names())


def test_a_device_whose_folder_would_have_too_long_a_name_is_refused(tmp_path):
    source = opened(FILES / LITERT)
    word, reading = imports.read(source)
    for name, said in (("板" * 60, "60 letters"), ("b" * 121, "121 letters")):
        with pytest.raises(UsageError, match=f"{said}.*give a shorter one with --device"):
            plan_of(source, word, reading, Names(device=name))
    assert plan_of(source, word, reading, Names(device="板" * 20)).device == "板" * 20


def test_text_with_a_byte_order_mark_is_read(tmp_path):
    # what PowerShell writes for `llama-bench -o json > bench.json`
    path = tmp_path / "bench.json"
    path.write_bytes((FILES / "llama-bench/bench.json").read_text().encode("utf-16"))
    assert imports.read(opened(path))[0] == "llama-bench"


@pytest.mark.parametrize(
    ("written", "unix_s"),
    [
        ("1970-01-01T00:00:10Z", 10.0),
        ("1970-01-01T00:00:10", 10.0),
        ("1970-01-01T01:00:10+01:00", 10.0),
        ("1970-01-01T00:00:10.5Z", 10.5),
        ("1970-01-01T00:00:10.123456789+00:00", 10.123456),
    ],
)
def test_times_as_tools_write_them(written, unix_s):
    assert Node(file="f", key="k", value=written).unix_s() == unix_s


def outcome(path):
    """Return what became of a file: its runs, or the refusal."""
    try:
        source = opened(path)
        word, reading = imports.read(source)
        return runs_of(plan_of(source, word, reading, Names()), reading, Names())
    except UsageError as error:
        assert "\n" not in error.message
        return None


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
DOCUMENTS = tuple(
    sorted(str(one.relative_to(FILES)) for one in FILES.rglob("*.json") if "config" not in one.name)
)


def places(value, path=()):
    """Yield the path of everything in a document, long arrays by their first entries only."""
    yield path
    items = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        items = list(enumerate(value))[:2]
    for key, below in items:
        yield from places(below, (*path, key))


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(DOCUMENTS), st.data())
def test_any_value_at_any_place_is_taken_or_refused(tmp_path, name, data):
    document = json.loads((FILES / name).read_text())
    path = data.draw(st.sampled_from([one for one in places(document) if one]))
    spot = document
    for key in path[:-1]:
        spot = spot[key]
    spot[path[-1]] = data.draw(ANYTHING)
    copy = tmp_path / "mutated.json"
    copy.write_text(json.dumps(document))
    runs = outcome(copy)
    for run in runs or ():
        assert all(0 <= value < 2**63 for value in run.samples_ns)
        assert run.duration_s >= 0


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(DOCUMENTS), st.data())
def test_a_file_cut_or_flipped_anywhere_is_taken_or_refused(tmp_path, name, data):
    content = bytearray((FILES / name).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content = content[:place]
    else:
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    copy = tmp_path / "mutated.json"
    copy.write_bytes(bytes(content))
    outcome(copy)
