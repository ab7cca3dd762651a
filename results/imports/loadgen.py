"""MLPerf LoadGen: mlperf_log_summary.txt and mlperf_log_detail.txt, of which either may be named.

Neither holds the latency of a single query, so what is taken is LoadGen's own summary.
"""

from __future__ import annotations

import datetime
import re

from harness.types import Json
from results.imports.node import Node
from results.imports.reading import Entry, Reading, summary
from results.imports.source import Source, value

_MARK = ":::MLLOG "
_HEAD = "MLPerf Results Summary"
_NS = 1e9
_SCENARIOS = {
    "SingleStream": "single-stream",
    "MultiStream": "multi-stream",
    "Server": "server",
    "Offline": "offline",
}
_LINE = re.compile(r" {0,2}([A-Za-z0-9][^:*]*?)\s*:\s+(\S.*?)\s*")
# Name here -> (name in the summary, name in the detail).
_LATENCIES = {
    "latency_p50_s": ("50.00 percentile latency (ns)", "result_50.00_percentile_latency_ns"),
    "latency_p90_s": ("90.00 percentile latency (ns)", "result_90.00_percentile_latency_ns"),
    "latency_p99_s": ("99.00 percentile latency (ns)", "result_99.00_percentile_latency_ns"),
    "latency_mean_s": ("Mean latency (ns)", "result_mean_latency_ns"),
    "latency_min_s": ("Min latency (ns)", "result_min_latency_ns"),
    "latency_max_s": ("Max latency (ns)", "result_max_latency_ns"),
}
_OFFLINE = (
    "LoadGen's Offline gives a throughput; its percentiles count from the start of the whole query"
    " and are no latency of a call"
)
_RATES = (
    ("QPS w/ loadgen overhead", "result_qps_with_loadgen_overhead"),
    ("Samples per second", "result_samples_per_second"),
    ("Completed samples per second", "result_completed_samples_per_sec"),
)


def recognise(source: Source) -> bool:
    """Tell whether this is a summary or a detail log."""
    return _is_detail(source) or _is_summary(source)


def read(source: Source) -> Reading:
    """Return its one entry, out of the file and of the other one beside it."""
    name = source.path.name
    other = source.beside(
        name.replace("detail", "summary")
        if _is_detail(source)
        else name.replace("summary", "detail")
    )
    both = [one for one in (source, other) if one is not None]
    detail = next((one for one in both if _is_detail(one)), None)
    brief = next((one for one in both if _is_summary(one)), None)
    facts = (_brief(brief or source), _detail(detail or source))
    _agree(*facts)
    version = facts[1]["loadgen_version"].text()
    return Reading(
        tool=f"LoadGen {version}" if version else "LoadGen",
        entries=(_entry(*facts),),
        documents={one.path.name: one.text for one in (brief, detail) if one is not None},
        sha256=(detail or source).sha256,
        created_unix_s=facts[1]["test_datetime"].unix_s(),
    )


def _is_detail(source: Source) -> bool:
    return source.text.lstrip("\ufeff \r\n").startswith(_MARK)


def _is_summary(source: Source) -> bool:
    return not _is_detail(source) and _HEAD in source.text[:1000]


def _brief(source: Source) -> Node:
    """Return the `key : value` lines of a summary; nothing where the file is no summary."""
    facts: dict[str, str] = {}
    for line in source.text.splitlines() if _is_summary(source) else ():
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        if found[1] in facts:
            raise source.refused(f"key {found[1]!r} stands twice")
        facts[found[1]] = found[2]
    return Node(file=str(source.path), key="", value=facts)


def _detail(source: Source) -> Node:
    """Return the last value of each key of a detail log; nothing where the file is none."""
    facts: Json = {}
    for number, line in enumerate(source.text.splitlines() if _is_detail(source) else (), 1):
        if not line.startswith(_MARK):
            continue
        event = value(source.path, line[len(_MARK) :])
        if not isinstance(event, dict) or not isinstance(event.get("key"), str):
            raise source.refused(f"line {number} has no key")
        facts[event["key"]] = event.get("value")
    return Node(file=str(source.path), key="", value=facts)


def _agree(brief: Node, detail: Node) -> None:
    """Refuse a summary and a detail log of two different tests."""
    summed, listed = (_latency(one, "latency_mean_s") for one in (brief, detail))
    if None not in (summed.value, listed.value) and summed.number() != listed.number():
        raise summed.wrong(f"is {listed.value} in {detail.file!r}: they are of two tests")


def _entry(brief: Node, detail: Node) -> Entry:
    """Return what was measured; Offline's percentiles count from the start of the whole query."""
    main = brief if brief.object() else detail
    mode = _either(brief, detail, "Mode", "effective_test_mode").required().text()
    if mode != "PerformanceOnly":
        raise _either(brief, detail, "Mode", "effective_test_mode").wrong("measures no time")
    word = _either(brief, detail, "Scenario", "effective_scenario").required().text() or ""
    known = {name: _latency(main, name).seconds(_NS) for name in _LATENCIES}
    count = detail["result_query_count"].count()
    reason = {}
    if word == "Offline":
        known, reason = {}, {"reason": _OFFLINE}
    elif known["latency_p50_s"] is None:
        raise _latency(main, "latency_p50_s").wrong("is missing")
    rates = [_either(brief, detail, *names) for names in _RATES]
    rate = next((one.number() for one in rates if one.value is not None), None)
    per_query = _either(brief, detail, "samples_per_query", "effective_samples_per_query").count()
    if word == "MultiStream" and rate is not None:
        rate *= per_query or 1
    return Entry(
        backend=_either(brief, detail, "SUT name", "sut_name").text(),
        scenario=_SCENARIOS.get(word, word.lower()),
        batch=per_query if word == "MultiStream" else None,
        options={"samples_per_query": per_query},
        duration_s=_duration_s(brief, detail),
        reported=summary(main.object(), {**known, "throughput_per_s": rate, "n": count, **reason}),
        notes=_notes(_either(brief, detail, "Result is", "result_validity").text()),
    )


def _notes(validity: str | None) -> tuple[str, ...]:
    """Return what has to be known to read the figures."""
    if validity is None or validity == "VALID":
        return ()
    return (f"LoadGen calls this result {validity}: see its summary for what it misses",)


def _duration_s(brief: Node, detail: Node) -> float:
    """Return the seconds between the two marks for a power meter, else those asked for at least."""
    marks = [detail[name] for name in ("power_begin", "power_end")]
    if all(mark.value is not None for mark in marks):
        began, ended = (_mark_s(mark) for mark in marks)
        if ended < began:
            raise marks[1].wrong("lies before power_begin")
        return ended - began
    return (
        _either(brief, detail, "min_duration (ms)", "effective_min_duration_ms").seconds(1e3) or 0.0
    )


def _mark_s(mark: Node) -> float:
    """Return the time of a mark, month first, in seconds since 1970."""
    try:
        found = datetime.datetime.strptime(mark.text() or "", "%m-%d-%Y %H:%M:%S.%f")
    except ValueError:
        raise mark.wrong("is no time like 11-20-2026 19:49:46.572") from None
    return found.replace(tzinfo=datetime.timezone.utc).timestamp()


def _latency(facts: Node, name: str) -> Node:
    """Return a latency out of one of the two logs."""
    ours, theirs = _LATENCIES[name]
    return facts[ours] if ours in facts.object() else facts[theirs]


def _either(brief: Node, detail: Node, ours: str, theirs: str) -> Node:
    """Return a figure of the summary, else of the detail log."""
    return brief[ours] if brief[ours].value is not None else detail[theirs]
