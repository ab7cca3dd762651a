"""The row of one case: what the table, the report and every export show."""

from __future__ import annotations

from typing import Literal

import msgspec

from harness.types import Json, Status

Verdict = Literal[
    "valid",
    "imprecise",
    "fallback",
    "noisy",
    "throttled",
    "unstable",
    "failed",
    "skipped",
    "emulated",
    "fits",
    "does not fit",
]
# Rows that may be ranked, where they have LEAST_RUNS runs: what is wide has an interval that says
# so, what fell back is ranked as what it is, with its verdict beside it. What a disturbed or
# throttled machine gave is no property of the case.
COMPARABLE: tuple[Verdict, ...] = ("valid", "imprecise", "fallback")


class CaseRow(msgspec.Struct, frozen=True, kw_only=True):
    """One case of one session in base units; field order is the order of columns in every export.

    What it is
        `session_id`; `case_key` (None for a skipped case), `device`, `model`, `model_origin`
        (trained, pretrained, random, user, null), `variant`, `backend`, `runtime_version`,
        `scenario`, `batch` (samples per call), `threads` (as asked for), `side` of a comparison
        (base, candidate), `emulated` for what did not run on the device, `fit` for what
        ran under limits of memory; else empty.
    How far to trust it
        `status` of its runs; `verdict`, see results/verdict.py; `reason` for anything but valid;
        `notes` are sentences with a number and a next step. `runs` counts those that all figures
        come from, `runs_failed` those that did not succeed, `runs_disturbed` those that did while
        the machine did something else: they are left out, unless fewer than 5 others remain.
        `samples` are the timed calls, `stop_reasons` counts runs by why they ended: precise,
        budget, count, no steady state.
    Time
        `latency_p50_s` is the typical run's median duration of one call: the geometric mean of the
        runs' medians, from seven runs on without the outermost; `_lo` and `_hi` its 95 % interval
        from the spread between runs (of one run's samples where there is one run). `latency_p90_s`
        and `latency_p99_s` are the typical run's percentiles in the same way, with the interval
        `latency_p99_lo_s` to `latency_p99_hi_s`; where runs are fewer than 5 or too short for that
        (200 samples for p99) they are those of all samples, without an interval, and None where
        these are too few (368 for p99). `latency_min_s`, `latency_max_s` are
        the extremes. Cold, burst and sustained: `first_inference_s`; `latency_burst_s`, the median
        of each run's first 10 s; `latency_sustained_s`, of the last third of runs of 3 minutes and
        more, else None. `throughput_per_s` counts samples over wall time, measured, with the
        interval `throughput_lo_per_s` to `throughput_hi_per_s`. `load_s`, `import_s`,
        `first_inference_s` are medians over runs.
    Memory
        Medians over runs of the process's high-water mark: `peak_rss_bytes`, and by phase
        `baseline_rss_bytes` (before the runtime is imported), `load_peak_rss_bytes`,
        `steady_peak_rss_bytes`. Beside each stand the anonymous and file-backed pages resident when
        that phase ended, `baseline_anon_bytes`, `baseline_file_bytes` and so on; `peak_anon_bytes`
        and `peak_file_bytes` are the most of them over all phases. `size_bytes` is the artifact on
        disk.
    Energy
        `energy_j` joules per inference and `power_w` watts while it runs, means over runs;
        both are gross. `power_idle_w` is the power at rest with the model loaded, `energy_net_j`
        the energy beyond it. `power_source` names the sensor or meter, `power_samples` how often
        it was read in one pass, `power_method` (counter, sampled, external, estimate),
        `power_scope` (package, module, board, rail, gpu, wall), `power_reason` where there is none.
    Heat
        Medians over runs: `temperature_start_c` and `temperature_end_c` of the hottest zone,
        `heat_reason` where there is none; `clock_hz`, the mean clock of the fastest policy while
        samples were taken. `runs_throttled` counts the runs that something held back, None where
        nothing could have shown it. `soak` holds what a soak tells, see results/soak.py; empty for
        every other scenario.
    Quality
        `quality` by `quality_metric` (higher is better) on `quality_n` samples, `quality_reference`
        of the FP32 source, `quality_loss` = (reference - quality) / reference with its 95 %
        interval `_lo`, `_hi`; `fidelity` mean cosine to the FP32 outputs, `sqnr_db` signal to
        quantization noise; `quality_reason` where there is none.
    Evidence
        `evidence` is what the runtime says it did: version, threads, provider, nodes_total,
        nodes_on_provider, precision, detail.
    Emulation
        Of an emulated case, whose time is never known: how far its outputs are from those of the
        same artifact and runtime natively on the desk. `native_difference` is the largest absolute
        difference, `native_largest` the largest absolute value, `native_cosine` the smallest cosine
        over `native_samples` samples, `native_reason` why there are none. Memory includes the
        emulator's own.
    Capacity
        `fit` of a case that ran under limits of memory, whose time is never known: what
        results/capacity.py finds in its trials; else empty. `runs` counts the trials.
    """

    session_id: str
    case_key: str | None
    device: str
    model: str
    model_origin: str | None
    variant: str
    backend: str
    runtime_version: str | None
    scenario: str
    batch: int
    threads: int | None
    side: str = ""
    status: Status
    verdict: Verdict
    reason: str | None
    notes: tuple[str, ...] = ()
    runs: int = 0
    runs_failed: int = 0
    runs_disturbed: int = 0
    samples: int = 0
    stop_reasons: dict[str, int] = {}
    latency_p50_s: float | None = None
    latency_p50_lo_s: float | None = None
    latency_p50_hi_s: float | None = None
    latency_p90_s: float | None = None
    latency_p99_s: float | None = None
    latency_p99_lo_s: float | None = None
    latency_p99_hi_s: float | None = None
    latency_min_s: float | None = None
    latency_max_s: float | None = None
    latency_burst_s: float | None = None
    latency_sustained_s: float | None = None
    throughput_per_s: float | None = None
    throughput_lo_per_s: float | None = None
    throughput_hi_per_s: float | None = None
    load_s: float | None = None
    import_s: float | None = None
    first_inference_s: float | None = None
    peak_rss_bytes: int | None = None
    peak_anon_bytes: int | None = None
    peak_file_bytes: int | None = None
    baseline_rss_bytes: int | None = None
    baseline_anon_bytes: int | None = None
    baseline_file_bytes: int | None = None
    load_peak_rss_bytes: int | None = None
    load_anon_bytes: int | None = None
    load_file_bytes: int | None = None
    steady_peak_rss_bytes: int | None = None
    steady_anon_bytes: int | None = None
    steady_file_bytes: int | None = None
    size_bytes: int | None = None
    energy_j: float | None = None
    energy_net_j: float | None = None
    power_w: float | None = None
    power_idle_w: float | None = None
    power_samples: int | None = None
    power_source: str | None = None
    power_method: str | None = None
    power_scope: str | None = None
    power_reason: str | None = None
    temperature_start_c: float | None = None
    temperature_end_c: float | None = None
    clock_hz: float | None = None
    runs_throttled: int | None = None
    heat_reason: str | None = None
    quality_metric: str | None = None
    quality: float | None = None
    quality_reference: float | None = None
    quality_loss: float | None = None
    quality_loss_lo: float | None = None
    quality_loss_hi: float | None = None
    quality_n: int | None = None
    quality_reason: str | None = None
    fidelity: float | None = None
    sqnr_db: float | None = None
    evidence: Json = {}
    soak: Json = {}
    native_difference: float | None = None
    native_largest: float | None = None
    native_cosine: float | None = None
    native_samples: int | None = None
    native_reason: str | None = None
    fit: Json = {}
