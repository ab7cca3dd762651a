"""Result files of other tools, taken into the same schema so that a history can go on.

Each format is one file with the same two functions: `recognise(source)` tells whether a file is of
it, `read(source)` returns what was measured. This is the table of them.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from harness.errors import unknown
from results.imports import (
    benchmark_app,
    litert,
    llama_bench,
    loadgen,
    optimum_benchmark,
    pytest_benchmark,
    trtexec,
)
from results.imports.reading import Reading
from results.imports.source import Source

__all__ = ["FORMATS", "Format", "Reading", "read"]


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """How files of one tool are told from others, and how they are read."""

    recognise: Callable[[Source], bool]
    read: Callable[[Source], Reading]


# The user's word -> its file.
FORMATS = {
    "pytest-benchmark": Format(recognise=pytest_benchmark.recognise, read=pytest_benchmark.read),
    "benchmark_app": Format(recognise=benchmark_app.recognise, read=benchmark_app.read),
    "litert-benchmark": Format(recognise=litert.recognise, read=litert.read),
    "trtexec": Format(recognise=trtexec.recognise, read=trtexec.read),
    "llama-bench": Format(recognise=llama_bench.recognise, read=llama_bench.read),
    "loadgen": Format(recognise=loadgen.recognise, read=loadgen.read),
    "optimum-benchmark": Format(recognise=optimum_benchmark.recognise, read=optimum_benchmark.read),
}


def read(source: Source, name: str = "auto") -> tuple[str, Reading]:
    """Return the format of a file and what it holds; UsageError where it is of no known format.

    A format that is named is not doubted, except that the file has to be one of it.
    """
    if name != "auto" and name not in FORMATS:
        raise unknown("format", name, FORMATS)
    tried = FORMATS if name == "auto" else {name: FORMATS[name]}
    for word, format_ in tried.items():
        if format_.recognise(source):
            return word, format_.read(source)
    if name == "auto":
        raise source.refused("its format is unknown", f"known: {', '.join(FORMATS)}")
    raise source.refused(f"it is no file of {name}", "leave --format out to let it be found")
