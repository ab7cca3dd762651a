"""Show beside pytest-benchmark's table the ratios that the benchmarks found."""

from __future__ import annotations

from typing import Any


def pytest_terminal_summary(terminalreporter: Any, config: Any) -> None:
    session = getattr(config, "_benchmarksession", None)
    for bench in session.benchmarks if session else ():
        for key, value in bench.extra_info.items():
            terminalreporter.write_line(f"{bench.name}: {key} = {value:.4g}")
