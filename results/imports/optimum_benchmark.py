"""optimum-benchmark: benchmark_report.json, with its benchmark_config.json, or benchmark.json."""

from __future__ import annotations

import hashlib

import msgspec

from harness.types import Json
from results.imports.node import Node
from results.imports.reading import Entry, Reading, stem, summary
from results.imports.source import Source

_CONFIG = ("benchmark_report.json", "benchmark_config.json")
# What happens once before anything is timed.
_FIRST = ("first_forward", "first_generate", "first_call")
_SCENARIOS = {"forward": "single-stream", "call": "single-stream"}
_MEGABYTE = 1_000_000


def recognise(source: Source) -> bool:
    """Tell whether this is a report, or a benchmark that holds one."""
    root = source.root
    if not isinstance(root.value, dict):
        return False
    report = root["report"].value if {"config", "report"} <= set(root.value) else root.value
    return isinstance(report, dict) and any(_is_target(one) for one in report.values())


def read(source: Source) -> Reading:
    """Return one entry per target that has a latency: forward, prefill, decode, ..."""
    documents = {source.path.name: source.text}
    root = source.root
    if "report" in root.object():
        config, report = root["config"], root["report"]
    else:
        config, report = root.at("config", None), root
        beside = source.beside(source.path.name.replace(*_CONFIG))
        if beside is not None:
            config = beside.root
            documents[beside.path.name] = beside.text
    targets = [name for name in report.object() if name not in ("load_model", *_FIRST)]
    entries = tuple(
        _entry(report, name, config)
        for name in targets
        if report[name]["latency"].value is not None
    )
    if not entries:
        raise report.at("latency", None).wrong("is missing: nothing was timed")
    version = config["environment"]["optimum_benchmark_version"].text()
    # the report alone tells: benchmark.json is the same measurement with its settings around it
    told = msgspec.json.encode(report.value, order="sorted")
    return Reading(
        tool=f"optimum-benchmark {version}" if version else "optimum-benchmark",
        entries=entries,
        documents=documents,
        sha256=hashlib.sha256(told).hexdigest(),
        environment=_environment(config["environment"]),
    )


def _is_target(one: object) -> bool:
    return isinstance(one, dict) and {"latency", "throughput", "memory"} <= set(one)


def _entry(report: Node, name: str, config: Node) -> Entry:
    """Return one target."""
    backend, scenario = config["backend"], config["scenario"]
    target = report[name].required()
    latency = target["latency"]
    if latency["unit"].text() != "s":
        raise latency["unit"].wrong("is no unit that is known here")
    samples = latency["values"].samples_ns()
    kinds = backend["quantization_scheme"].text(), backend["torch_dtype"].text()
    return Entry(
        model=_model(backend["model"].text()),
        variant=next((kind for kind in kinds if kind), None),
        backend=backend["name"].text(),
        runtime_version=backend["version"].text(),
        scenario=_SCENARIOS.get(name, name.replace("_", "-")),
        batch=scenario["input_shapes"]["batch_size"].count() or None,
        threads=backend["intra_op_num_threads"].count() or None,
        options=_options(name, config),
        duration_s=sum(samples) / 1e9 if samples else latency["total"].required_s(),
        samples_ns=samples,
        reported=_reported(target),
        result=_result(report, target, backend),
        notes=("decode is generate less the mean of prefill, as the tool computes it",)
        if name == "decode"
        else (),
    )


def _reported(target: Node) -> Json:
    """Return the tool's summary of a target, without the values it is made of."""
    latency, throughput = target["latency"], target["throughput"]
    counted = throughput["unit"].text() == "samples/s"
    figures = {
        name: {key: value for key, value in target[name].object().items() if key != "values"}
        for name in target.object()
        if target[name].value is not None
    }
    return summary(
        figures,
        {
            "latency_p50_s": latency["p50"].seconds(),
            "latency_p90_s": latency["p90"].seconds(),
            "latency_p99_s": latency["p99"].seconds(),
            "latency_mean_s": latency["mean"].seconds(),
            "latency_stdev_s": latency["stdev"].seconds(),
            "throughput_per_s": throughput["value"].number() if counted else None,
            "n": latency["count"].count(),
        },
    )


def _result(report: Node, target: Node, backend: Node) -> Json:
    """Return what an agent would report beside the samples."""
    memory = target["memory"]
    ram = memory["max_ram"].number() if memory["unit"].text() == "MB" else None
    first = (report[name]["latency"]["values"].nodes() for name in _FIRST)
    first_s = [one[0].seconds() for one in first if one]
    loads = report["load_model"]["latency"]["values"].nodes()
    return {
        "load_s": loads[0].seconds() if loads else None,
        "first_inference_s": first_s[0] if first_s else None,
        "peak_rss_bytes": None if ram is None else round(ram * _MEGABYTE),
        "evidence": {"version": backend["version"].text(), "provider": backend["device"].text()},
    }


def _options(name: str, config: Node) -> Json:
    """Return what else decides the number: the target, and the settings that are not null."""
    told = {**config["backend"].object(), **config["scenario"]["input_shapes"].object()}
    left_out = {"name", "version", "model", "processor", "_target_", "intra_op_num_threads"}
    return {
        "target": name,
        **{
            key: value
            for key, value in told.items()
            if key not in left_out and value not in (None, {}, [])
        },
    }


def _model(name: str | None) -> str | None:
    """Return a name on the hub as it stands, of a folder its last part."""
    if name is not None and name.startswith((".", "/", "\\")):
        return stem(name)
    return name


def _environment(machine: Node) -> Json:
    """Return what the file says of the machine in the words of an agent."""
    ram = machine["cpu_ram_mb"].number()
    cpu = machine["cpu"].text()
    return {
        "arch": machine["machine"].text(),
        "python": machine["python_version"].text(),
        "cpu_model": cpu.strip() if cpu else None,
        "cpu_count": machine["cpu_count"].count(),
        "ram_bytes": None if ram is None else round(ram * _MEGABYTE),
    }
