"""OpenVINO's benchmark_app -json_stats, of the Python and of the C++ tool: milliseconds."""

from __future__ import annotations

import re

from harness.types import Json
from results.imports.node import Node
from results.imports.reading import Entry, Reading, stem, summary
from results.imports.source import Source

_MS = 1e3
_PERCENTILE = re.compile(r"latency \((\d+) percentile\) \(ms\)")
_LATENCIES = {
    "latency_mean_s": ("avg latency", "latency_avg"),
    "latency_min_s": ("min latency", "latency_min"),
    "latency_max_s": ("max latency", "latency_max"),
}
_LOADS = (
    ("read model time (ms)", "read_model_time"),
    ("reshape model time (ms)", "reshape_model_time"),
    ("compile model time (ms)", "load_model_time"),
    ("import model time (ms)", "import_model_time"),
)


def recognise(source: Source) -> bool:
    """Tell whether this is a statistics report of benchmark_app."""
    return isinstance(source.root.value, dict) and {
        "configuration_setup",
        "execution_results",
    } <= set(source.root.value)


def read(source: Source) -> Reading:
    """Return its one entry; the file keeps a summary, and nothing of the machine or the time."""
    return Reading(
        tool="benchmark_app",
        entries=(_entry(source.root),),
        documents={source.path.name: source.text},
        sha256=source.sha256,
    )


def _entry(root: Node) -> Entry:
    """Return what was measured; latencies of several requests at once are no single stream."""
    results, setup, words = (
        root[name] for name in ("execution_results", "configuration_setup", "cmd_options")
    )
    if results["error"].value is not None:
        raise results["error"].wrong("tells that nothing was measured")
    api = _either(setup, "API", "api").text()
    threads = _either(words, "-nthreads", "nthreads").count()
    latency, percentile = _latency(results)
    wall_s = _either(results, "total execution time (ms)", "execution_time").required_s(_MS)
    return Entry(
        model=stem(_either(words, "-m", "m").text()),
        backend="openvino",
        scenario="single-stream" if api == "sync" else "async",
        batch=_either(setup, "batch size", "batch_size").count() or None,
        threads=threads or None,
        options=_options(setup, words),
        duration_s=wall_s,
        reported=summary(
            results.object(),
            {
                f"latency_p{percentile}_s": latency,
                "reason": _no_median(latency, percentile),
                **{name: _either(results, *at).seconds(_MS) for name, at in _LATENCIES.items()},
                "throughput_per_s": results["throughput"].number(),
                "n": _either(results, "total number of iterations", "iterations_num").count(),
            },
        ),
        result={
            "load_s": _load_s(results),
            "first_inference_s": _either(
                results, "first inference time (ms)", "first_inference_time"
            ).seconds(_MS),
        },
    )


def _latency(results: Node) -> tuple[float | None, int]:
    """Return the one percentile of latency that the tool reports, and which one it is.

    There is none where it ran on several devices at once.
    """
    for name in results.object():
        found = _PERCENTILE.fullmatch(name)
        if found:
            return results[name].required_s(_MS), int(found[1])
    latency = _either(results, "latency (ms)", "latency_median").seconds(_MS)
    return latency, results["percentile_boundary"].count() or 50


def _no_median(latency: float | None, percentile: int) -> str | None:
    """Return why the file has no median."""
    if latency is None:
        return "benchmark_app reports no latency of several devices at once"
    if percentile != 50:
        return f"benchmark_app was asked for the p{percentile}, so its file has no median"
    return None


def _load_s(results: Node) -> float | None:
    """Return the seconds of reading, reshaping and compiling, or of importing, as far as told."""
    found = [_either(results, *names).seconds(_MS) for names in _LOADS]
    known = [value for value in found if value is not None]
    return sum(known) if known else None


def _options(setup: Node, words: Node) -> Json:
    """Return what else decides the number."""
    told = {
        "device": _either(setup, "target device", "target_device").text(),
        "precision": _either(words, "-infer_precision", "infer_precision").text(),
        "requests": _either(setup, "number of parallel infer requests", "nireq").count(),
        "streams": _either(words, "-nstreams", "nstreams").text(),
        "hint": _either(words, "-hint", "hint").text(),
        "shape": _either(words, "-shape", "shape").text(),
    }
    return {name: value for name, value in told.items() if value is not None}


def _either(node: Node, name: str, other: str) -> Node:
    """Return the figure under the Python tool's name, else under the C++ tool's."""
    return node[name] if node[name].value is not None else node[other]
