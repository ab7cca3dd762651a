"""The figures of one case out of its successful runs, as columns of a CaseRow."""

from __future__ import annotations

import bisect
import collections
import statistics
from collections.abc import Iterable, Sequence
from itertools import accumulate

import msgspec

from harness.stats.quantiles import nearest_rank
from harness.stats.summary import Summary, across_runs, within_run
from harness.stats.tail import across_processes
from harness.types import Json, Quality, Run
from results import measured

_TAILS = (0.9, 0.99)
_BURST_NS = 10 * 10**9
_SOAK_NS = 180 * 10**9
_NOTICED_BYTES = 1_000_000
_NARROW, _WIDE = ("f16", "bf16"), ("f32", "f64")
_MOST_NODES, _FEW_NODES = 0.9, 0.5


def latency(runs: Sequence[Run]) -> Summary:
    """Return the latency of one call in seconds over `runs`, with its interval.

    The center is the typical run's median, see `across_runs`. One run alone has the order-statistic
    interval of its own samples, which its warning says; an import without samples has none.
    """
    known = [run for run in runs if measured.latency_p50_s(run) is not None]
    reasons = [measured.text(run.result, "reported", "reason") for run in runs]
    if not known and any(reasons):
        summary = across_runs(())
        return msgspec.structs.replace(summary, warnings=tuple(filter(None, reasons)))
    if len(known) != 1:
        return across_runs(median_latencies_s(known))
    if known[0].samples_ns:
        return within_run([value / 1e9 for value in known[0].samples_ns])
    return msgspec.structs.replace(
        across_runs(median_latencies_s(known)),
        warnings=(
            "the median is the tool's own: its file keeps no samples to take an interval of",
        ),
    )


def median_latencies_s(runs: Iterable[Run]) -> list[float]:
    """Return the median duration of one call in seconds of every run that has one."""
    return measured.present([measured.latency_p50_s(run) for run in runs])


def tails(runs: Sequence[Run]) -> tuple[Json, tuple[str, ...]]:
    """Return p90, p99 and its interval, shortest and longest call, and what is missing for them.

    The percentiles are those of the typical run, so that none is below another or outside of its
    own interval; of all samples together where runs are too few or too short for that.
    """
    samples = [run.samples_ns for run in runs if run.samples_ns]
    if not samples:
        return _reported_tails(runs), ()
    p90, p99 = (across_processes(samples, q) for q in _TAILS)
    columns = {
        "latency_p90_s": _seconds(p90.center),
        "latency_p99_s": _seconds(p99.center),
        "latency_p99_lo_s": _seconds(p99.lo),
        "latency_p99_hi_s": _seconds(p99.hi),
        "latency_min_s": min(map(min, samples)) / 1e9,
        "latency_max_s": max(map(max, samples)) / 1e9,
    }
    # of the p90 there is no interval to miss, and that runs are few is said of the latency
    missing = p90.warnings if p90.center is None else ()
    return columns, missing + (p99.warnings if p99.lo is None else ())


def _reported_tails(runs: Sequence[Run]) -> Json:
    """Return what the tool of an import says of its tails, where one run alone says it."""
    names = ("latency_p90_s", "latency_p99_s", "latency_min_s", "latency_max_s")
    if len(runs) != 1:
        return {}
    return {name: measured.number(runs[0].result, "reported", name) for name in names}


def reported_notes(runs: Iterable[Run]) -> tuple[str, ...]:
    """Return what has to be known to read the figures of an import, each sentence once."""
    found = (measured.section(run.result, "reported").get("notes") for run in runs)
    return tuple(
        dict.fromkeys(note for notes in found if isinstance(notes, list) for note in notes)
    )


def phases(runs: Iterable[Run]) -> Json:
    """Return the latency of a rested board and of one that has worked for long, in seconds.

    Burst: the median over runs of the median of each one's first 10 s of samples. Sustained: of the
    last third of the time, from the runs whose samples cover 3 minutes at least; None without one.
    """
    burst, sustained = [], []
    for run in runs:
        every = measured.whole(run.result, "kept_every") or 1
        ends = list(accumulate(value * every for value in run.samples_ns))
        if not ends:
            continue
        first = max(1, bisect.bisect_right(ends, _BURST_NS))
        burst.append(_median_s(run.samples_ns[:first]))
        if ends[-1] >= _SOAK_NS:
            last = bisect.bisect_right(ends, 2 * ends[-1] // 3)
            sustained.append(_median_s(run.samples_ns[last:]))
    return {
        "latency_burst_s": statistics.median(burst) if burst else None,
        "latency_sustained_s": statistics.median(sustained) if sustained else None,
    }


def stop_reasons(runs: Iterable[Run]) -> dict[str, int]:
    """Return how many runs ended for which reason."""
    found = collections.Counter(measured.text(run.result, "stop_reason") for run in runs)
    return {reason: found[reason] for reason in sorted(filter(None, found))}


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


def memory_notes(runs: Sequence[Run]) -> tuple[str, ...]:
    """Return what has to be known to read the memory by phase."""
    notes = []
    if any(measured.section(run.result, "memory").get("reset") is False for run in runs):
        notes.append(
            "the high-water mark could not be reset, so a phase's peak includes earlier ones"
        )
    kept = max((_soak_samples_bytes(run) for run in runs), default=0)
    if kept >= _NOTICED_BYTES:
        notes.append(f"peak memory includes up to {kept / 1e6:.0f} MB of samples that a soak keeps")
    return tuple(notes)


def _soak_samples_bytes(run: Run) -> int:
    """Return what a soak's samples took at the most in the measured process: before it thinned."""
    every = measured.whole(run.result, "kept_every") or 0
    return len(run.samples_ns) * 8 * min(every, 2)


def fallback(asked: object, evidence: Json) -> tuple[str | None, tuple[str, ...]]:
    """Return why what ran is not what was asked for, and what is worth knowing but normal.

    A fallback is a wider float type than asked for, which makes a half-precision level a float one,
    or less than half of the nodes on the provider. Normal are another float type of the same width,
    integer arithmetic, which is what a quantized level is for, and a delegate that leaves a few
    nodes to the built-in kernels; under nine tenths of them on it are noted.
    """
    reasons, notes = [], []
    ran = measured.text(evidence, "precision")
    if asked is not None and ran is not None and ran != asked and ran.startswith(("f", "bf")):
        sentence = f"asked to compute in {asked}, the runtime computes in {ran}"
        if asked in _NARROW and ran in _WIDE:
            reasons.append(f"{sentence}: choose a runtime or a board that has {asked} arithmetic")
        else:
            notes.append(sentence)
    total = measured.whole(evidence, "nodes_total")
    taken = measured.whole(evidence, "nodes_on_provider")
    if total is not None and taken is not None and 0 <= taken < _MOST_NODES * total:
        provider = measured.text(evidence, "provider") or "the provider"
        sentence = f"{total - taken} of {total} nodes ran outside {provider}"
        if taken < _FEW_NODES * total:
            reasons.append(f"{sentence}: choose a level or a runtime that takes its operators")
        else:
            notes.append(sentence)
    return "; ".join(reasons) or None, tuple(notes)


def power(runs: Sequence[Run]) -> Json:
    """Return mean joules per inference and watts, and how they were had or why not."""
    energies = measured.present([measured.energy_j(run) for run in runs])
    watts = measured.present([measured.number(run.result, "power", "power_w") for run in runs])
    reported = _power_section(runs)
    columns: Json = {
        "energy_j": statistics.fmean(energies) if energies else None,
        "energy_net_j": _mean(runs, "net_energy_per_inference_j"),
        "power_w": statistics.fmean(watts) if watts else None,
        "power_idle_w": _mean(runs, "idle_w"),
        "power_samples": measured.whole(reported, "n"),
        "power_source": measured.text(reported, "name") or measured.text(reported, "source"),
        "power_method": measured.text(reported, "method"),
        "power_scope": measured.text(reported, "scope"),
    }
    if not energies and not watts:
        columns["power_reason"] = measured.text(reported, "reason") or "no run reports power"
    return columns


def _power_section(runs: Sequence[Run]) -> Json:
    """Return what the last run says that measured power, else the last that says why not.

    Not every run makes a pass for it: a slow meter takes a minute each time.
    """
    found = [measured.section(run.result, "power") for run in runs]
    tried = [section for section in found if section.get("power_w") is not None]
    tried = tried or [section for section in found if "method" in section or "advice" in section]
    return (tried or [section for section in found if section] or [{}])[-1]


def _mean(runs: Sequence[Run], name: str) -> float | None:
    found = measured.present([measured.number(run.result, "power", name) for run in runs])
    return statistics.fmean(found) if found else None


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


def _median_s(samples_ns: Sequence[int]) -> float:
    """Return the median by nearest rank in seconds."""
    return nearest_rank(sorted(samples_ns), 0.5) / 1e9


def _seconds(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e9
