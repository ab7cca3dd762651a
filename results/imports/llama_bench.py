"""llama-bench -o json and -o jsonl: one object per test, in nanoseconds and tokens per second."""

from __future__ import annotations

from harness.types import Json
from results.imports.node import Node
from results.imports.reading import Entry, Reading, stem, summary
from results.imports.source import Source

# What an object says besides what was asked for: build, machine, model, times.
_TOLD = (
    *("build_commit", "build_number", "cpu_info", "gpu_info", "backends", "model_filename"),
    *("model_type", "model_size", "model_n_params", "n_threads", "test_time", "avg_ns"),
    *("stddev_ns", "avg_ts", "stddev_ts", "samples_ns", "samples_ts"),
)
_NS = 1e9


def recognise(source: Source) -> bool:
    """Tell whether these are tests of llama-bench; one line of jsonl is one object."""
    found = source.root.value
    first = found[0] if isinstance(found, list) and found else found
    return isinstance(first, dict) and {"build_commit", "n_prompt", "n_gen"} <= set(first)


def read(source: Source) -> Reading:
    """Return one entry per test; its samples are its repetitions, each a whole prompt or text."""
    root = source.root
    tests = [root] if isinstance(root.value, dict) else root.nodes()
    entries = tuple(_entry(one) for one in tests)
    first = tests[0]
    times = [entry.started_unix_s for entry in entries if entry.started_unix_s is not None]
    return Reading(
        tool=f"llama-bench {_version(first)}",
        entries=entries,
        documents={source.path.name: source.text},
        sha256=source.sha256,
        created_unix_s=min(times, default=None),
        environment={"cpu_model": first["cpu_info"].text(), "gpu": first["gpu_info"].text()},
    )


def _entry(one: Node) -> Entry:
    """Return one test."""
    samples = tuple(round(sample.required_s(_NS) * 1e9) for sample in one["samples_ns"].nodes())
    mean_s = one["avg_ns"].seconds(_NS) if samples else one["avg_ns"].required_s(_NS)
    figures = ("avg_ns", "stddev_ns", "avg_ts", "stddev_ts", "samples_ts", "model_size")
    return Entry(
        model=stem(one["model_filename"].text()),
        variant=_level(one["model_type"].text()),
        backend="llama.cpp",
        runtime_version=_version(one),
        scenario=_scenario(one),
        threads=one["n_threads"].count(),
        options={name: value for name, value in one.object().items() if name not in _TOLD},
        duration_s=sum(samples) / _NS if samples else mean_s or 0.0,
        started_unix_s=one["test_time"].unix_s(),
        samples_ns=samples,
        reported=summary(
            {name: one[name].value for name in figures if one[name].value is not None},
            {
                "latency_mean_s": mean_s,
                "latency_stdev_s": one["stddev_ns"].seconds(_NS),
                "n": len(samples) or None,
                "reason": None if samples else "without its samples, llama-bench tells a mean only",
            },
        ),
        result=_result(one),
    )


def _result(one: Node) -> Json:
    """Return what ran, as an agent would report it."""
    provider, threads = one["backends"].text(), one["n_threads"].count()
    return {"evidence": {"version": _version(one), "provider": provider, "threads": threads}}


def _scenario(one: Node) -> str:
    """Return the test's own name: pp512, tg128, pp512+tg128, with @ d256 behind a context."""
    prompt, generated = (one[name].required().count() for name in ("n_prompt", "n_gen"))
    parts = [f"pp{prompt}"] if prompt else []
    parts += [f"tg{generated}"] if generated else []
    depth = one["n_depth"].count()
    return "+".join(parts) + (f" @ d{depth}" if depth else "")


def _version(one: Node) -> str:
    """Return the build: b5163 (8cf427ff)."""
    return f"b{one['build_number'].count()} ({one['build_commit'].text()})"


def _level(model_type: str | None) -> str | None:
    """Return the quantization of a name like `qwen2 7B Q4_K - Medium`: what follows the size."""
    words = (model_type or "").split(" ", 2)
    return words[2] if len(words) == 3 else None
