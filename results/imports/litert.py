"""The JSON of litert-benchmark --result_json, which ai-edge-litert ships: milliseconds."""

from __future__ import annotations

from results.imports.node import Node
from results.imports.reading import Entry, Reading, stem, summary
from results.imports.source import Source

_MS = 1e3


def recognise(source: Source) -> bool:
    """Tell whether this is a result of litert-benchmark."""
    return isinstance(source.root.value, dict) and {"accelerators", "latency", "signature"} <= set(
        source.root.value
    )


def read(source: Source) -> Reading:
    """Return its one entry; the file keeps a summary, and nothing of the machine or the time."""
    return Reading(
        tool="litert-benchmark",
        entries=(_entry(source.root),),
        documents={source.path.name: source.text},
        sha256=source.sha256,
    )


def _entry(root: Node) -> Entry:
    """Return what was measured."""
    latency = root["latency"]
    median_s, mean_s = latency["median_ms"].required_s(_MS), latency["avg_ms"].required_s(_MS)
    runs = latency["num_runs"].required().count() or 0
    where = [one.text() or "" for one in root["accelerators"].nodes()]
    signature = root["signature"].text()
    warmed = latency["num_warmup_runs"].count()
    return Entry(
        model=stem(root["model"].text()),
        backend="tflite",
        scenario="single-stream",
        threads=root["num_threads"].count() or None,
        options={"accelerators": where, "signature": signature},
        duration_s=mean_s * runs,
        reported=summary(
            root.object(),
            {
                "latency_p50_s": median_s,
                "latency_mean_s": mean_s,
                "latency_stdev_s": latency["std_ms"].seconds(_MS),
                "latency_min_s": latency["min_ms"].seconds(_MS),
                "latency_max_s": latency["max_ms"].seconds(_MS),
                "n": runs,
            },
        ),
        result={
            "load_s": latency["init_ms"].seconds(_MS),
            # without a warm-up the tool writes 0 for its first call
            "first_inference_s": latency["warmup_first_ms"].seconds(_MS) if warmed else None,
            "evidence": {"provider": "+".join(where) or None},
        },
    )
