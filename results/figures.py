"""The figures of one case out of its successful runs, as columns of a CaseRow."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from harness.stats.summary import Summary, across_runs, pooled, within_run
from harness.types import Json, Quality, Run
from results import measured

_TAILS = (0.9, 0.99)


def latency(runs: Sequence[Run]) -> Summary:
    """Return the latency of one call in seconds over `runs`, with its interval.

    The center is the geometric mean of the runs' medians. One run alone has the order-statistic
    interval of its own samples, which its warning says.
    """
    sampled = [run for run in runs if run.samples_ns]
    if len(sampled) == 1:
        return within_run([value / 1e9 for value in sampled[0].samples_ns])
    return across_runs(median_latencies_s(sampled))


def median_latencies_s(runs: Iterable[Run]) -> list[float]:
    """Return the median duration of one call in seconds of every run that has samples."""
    return measured.present([measured.latency_p50_s(run) for run in runs])


def tails(runs: Sequence[Run]) -> tuple[Json, tuple[str, ...]]:
    """Return p90, p99, shortest and longest call, and what is missing for a percentile."""
    samples = [run.samples_ns for run in runs if run.samples_ns]
    if not samples:
        return {}, ()
    found = [pooled(samples, q) for q in _TAILS]
    seconds = [None if tail.center is None else tail.center / 1e9 for tail in found]
    columns = {
        "latency_p90_s": seconds[0],
        "latency_p99_s": seconds[1],
        "latency_min_s": min(map(min, samples)) / 1e9,
        "latency_max_s": max(map(max, samples)) / 1e9,
    }
    return columns, tuple(warning for tail in found for warning in tail.warnings)


def throughput(runs: Iterable[Run], batch: int) -> Json:
    """Return samples per second of wall time over the runs, with its interval."""
    summary = across_runs(measured.present([measured.throughput_per_s(run, batch) for run in runs]))
    return {
        "throughput_per_s": summary.center,
        "throughput_lo_per_s": summary.lo,
        "throughput_hi_per_s": summary.hi,
    }


def start(runs: Sequence[Run]) -> Json:
    """Return the median seconds of importing the runtime, loading, the first inference."""
    names = ("load_s", "import_s", "first_inference_s")
    found = {name: [measured.number(run.result, name) for run in runs] for name in names}
    return {
        name: statistics.median(measured.present(values)) if measured.present(values) else None
        for name, values in found.items()
    }


def memory(runs: Sequence[Run]) -> Json:
    """Return medians in bytes: the process's high-water mark and its pages, whole and by phase."""
    places = {
        "peak_rss_bytes": ("peak_rss_bytes",),
        "peak_anon_bytes": ("peak_anon_bytes",),
        "peak_file_bytes": ("peak_file_bytes",),
        "baseline_rss_bytes": ("memory", "baseline", "hwm_bytes"),
        "baseline_anon_bytes": ("memory", "baseline", "anon_bytes"),
        "baseline_file_bytes": ("memory", "baseline", "file_bytes"),
        "load_peak_rss_bytes": ("memory", "loaded", "hwm_bytes"),
        "load_anon_bytes": ("memory", "loaded", "anon_bytes"),
        "load_file_bytes": ("memory", "loaded", "file_bytes"),
        "steady_peak_rss_bytes": ("memory", "steady", "hwm_bytes"),
        "steady_anon_bytes": ("memory", "steady", "anon_bytes"),
        "steady_file_bytes": ("memory", "steady", "file_bytes"),
    }
    columns: Json = {}
    for name, path in places.items():
        values = [measured.whole(run.result, *path) for run in runs]
        known = [value for value in values if value is not None]
        columns[name] = statistics.median_high(known) if known else None
    return columns


def memory_notes(runs: Iterable[Run]) -> tuple[str, ...]:
    """Return what has to be known to read the memory by phase."""
    if any(measured.section(run.result, "memory").get("reset") is False for run in runs):
        return ("the high-water mark could not be reset, so a phase's peak includes earlier ones",)
    return ()


def precision_notes(asked: object, evidence: Json) -> tuple[str, ...]:
    """Return that a runtime computes in another float type than asked for; it is free to do so.

    Integer arithmetic needs no word: it is what a quantized level is for.
    """
    ran = measured.text(evidence, "precision")
    if asked is None or ran is None or ran == asked or not ran.startswith(("f", "bf")):
        return ()
    return (f"asked to compute in {asked}, the runtime computes in {ran}",)


def power(runs: Sequence[Run]) -> Json:
    """Return mean joules per inference and watts, and how they were had or why not."""
    energies = measured.present([measured.energy_j(run) for run in runs])
    watts = measured.present([measured.number(run.result, "power", "power_w") for run in runs])
    reported = last(runs, "power")
    columns: Json = {
        "energy_j": statistics.fmean(energies) if energies else None,
        "power_w": statistics.fmean(watts) if watts else None,
        "power_method": measured.text(reported, "method"),
        "power_scope": measured.text(reported, "scope"),
    }
    if not energies and not watts:
        columns["power_reason"] = measured.text(reported, "reason") or "no run reports power"
    return columns


def quality(runs: Sequence[Run]) -> Json:
    """Return the score of the last run that has one, else the reason of the last that was tried."""
    scores = [run.quality for run in runs if run.quality is not None]
    scored = [score for score in scores if score.value is not None or score.fidelity is not None]
    if not scores:
        return {"quality_reason": "no run was scored"}
    return _quality_columns((scored or scores)[-1])


def last(runs: Sequence[Run], name: str) -> Json:
    """Return the last non-empty section `name` of the agent's reports; the latest run tells."""
    found = [measured.section(run.result, name) for run in runs]
    return next((section for section in reversed(found) if section), {})


def _quality_columns(score: Quality) -> Json:
    """Return one score as columns."""
    return {
        "quality_metric": score.metric,
        "quality": score.value,
        "quality_reference": score.reference,
        "quality_loss": score.loss,
        "quality_loss_lo": score.loss_lo,
        "quality_loss_hi": score.loss_hi,
        "quality_n": score.n,
        "quality_reason": score.reason,
        "fidelity": score.fidelity,
        "sqnr_db": score.sqnr_db,
    }
