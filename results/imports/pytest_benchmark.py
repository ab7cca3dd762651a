"""pytest-benchmark's JSON: of --benchmark-json or --benchmark-save, with raw data and without."""

from __future__ import annotations

from harness.types import Json
from results.imports.node import Node
from results.imports.reading import Entry, Reading, summary
from results.imports.source import Source


def recognise(source: Source) -> bool:
    """Tell whether this is a file of pytest-benchmark."""
    return isinstance(source.root.value, dict) and {"benchmarks", "machine_info"} <= set(
        source.root.value
    )


def read(source: Source) -> Reading:
    """Return one entry per benchmark; its median is a round's, divided by its iterations."""
    root = source.root
    entries = tuple(_entry(one) for one in root["benchmarks"].required().nodes())
    if not entries:
        raise root["benchmarks"].wrong("holds no benchmark")
    version = root["version"].text()
    return Reading(
        tool=f"pytest-benchmark {version}" if version else "pytest-benchmark",
        entries=entries,
        documents={source.path.name: source.text},
        sha256=source.sha256,
        created_unix_s=root["datetime"].unix_s(),
        device=root["machine_info"]["node"].text(),
        environment=_environment(root["machine_info"]),
    )


def _entry(one: Node) -> Entry:
    """Return one benchmark: the test is the model, its parameters the variant."""
    name = one["fullname"].text() or one["name"].required().text() or ""
    test, bracket, parameters = name.partition("[")
    stats = one["stats"].required()
    samples = stats["data"].samples_ns()
    iterations = stats["iterations"].count() or 1
    rounds = stats["rounds"].count()
    total_s = stats["total"].seconds()
    if total_s is None:
        total_s = stats["mean"].required_s() * (rounds or 1)
    median_s = stats["median"].seconds() if samples else stats["median"].required_s()
    notes = (
        (f"each of its samples is the mean of {iterations} calls: they vary less than calls do",)
        if iterations > 1
        else ()
    )
    return Entry(
        model=test,
        variant=parameters.removesuffix("]") if bracket else None,
        scenario="single-stream",
        duration_s=total_s * iterations,
        options={"benchmark": name},
        samples_ns=samples,
        reported=summary(
            {key: value for key, value in stats.object().items() if key != "data"},
            {
                "latency_p50_s": median_s,
                "latency_mean_s": stats["mean"].seconds(),
                "latency_stdev_s": stats["stddev"].seconds(),
                "latency_min_s": stats["min"].seconds(),
                "latency_max_s": stats["max"].seconds(),
                "n": rounds,
            },
        ),
        notes=notes,
    )


def _environment(machine: Node) -> Json:
    """Return what the file says of the machine in the words of an agent."""
    cpu = machine["cpu"]
    bare = isinstance(cpu.value, str)  # before version 4 it was one line of text
    return {
        "arch": machine["machine"].text(),
        "kernel": machine["release"].text(),
        "python": machine["python_version"].text(),
        "cpu_model": cpu.text() if bare else cpu["brand_raw"].text() or cpu["brand"].text(),
        "cpu_count": None if bare else cpu["count"].count(),
    }
