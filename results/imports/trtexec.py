"""The JSON of trtexec --exportTimes: one object per query, in milliseconds since its start."""

from __future__ import annotations

from results.imports.node import Node
from results.imports.reading import Entry, Reading
from results.imports.source import Source

_MS = 1e3


def recognise(source: Source) -> bool:
    """Tell whether this is a trace of trtexec's queries."""
    found = source.root.value
    return isinstance(found, list) and bool(found) and _is_query(found[0])


def read(source: Source) -> Reading:
    """Return its one entry: latencyMs of each query, which is transfer, compute, transfer."""
    queries = source.root.nodes()
    samples = tuple(round(one["latencyMs"].required_s(_MS) * 1e9) for one in queries)
    wall_s = _wall_s(queries)
    return Reading(
        tool="trtexec",
        entries=(
            Entry(
                backend="tensorrt",
                scenario="single-stream",
                duration_s=wall_s,
                samples_ns=samples,
                result={"timed_wall_s": wall_s},
                notes=(
                    "trtexec counts a query's transfers and its GPU time, not its wait for others;"
                    " older versions export their warm-up queries too",
                ),
            ),
        ),
        documents={source.path.name: source.text},
        sha256=source.sha256,
    )


def _is_query(found: object) -> bool:
    return isinstance(found, dict) and {"latencyMs", "computeMs", "startComputeMs"} <= set(found)


def _wall_s(queries: list[Node]) -> float:
    """Return the seconds from the first transfer in to the last one out."""
    # until TensorRT 8 the transfers were called in and out
    starts = [_either(one, "startH2dMs", "startInMs").required_s(_MS) for one in queries]
    ends = [_either(one, "endD2hMs", "endOutMs").required_s(_MS) for one in queries]
    wall_s = max(ends) - min(starts)
    if wall_s < 0:
        raise _either(queries[-1], "endD2hMs", "endOutMs").wrong("lies before the first query")
    return wall_s


def _either(one: Node, name: str, older: str) -> Node:
    """Return the figure under the name it has now, else under the one it had."""
    return one[name] if one[name].value is not None else one[older]
