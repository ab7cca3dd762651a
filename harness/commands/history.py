"""Say how cases went over the nights: their trend, the latest of each, or any SQL."""

from __future__ import annotations

import argparse
import io
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import units
from harness.commands import options
from harness.errors import UsageError
from harness.printable import one_line
from harness.whole_file import write_whole

if TYPE_CHECKING:
    import pyarrow as pa

    from results.query import Filter, History

_DAY_S = 86_400.0
_METRICS = {
    "latency_p50_s": "s",
    "throughput_per_s": "per_s",
    "peak_rss_bytes": "bytes",
    "energy_j": "j",
    "quality": "",
}
_INTERVALS = {
    "latency_p50_s": ("latency_p50_lo_s", "latency_p50_hi_s"),
    "throughput_per_s": ("throughput_lo_per_s", "throughput_hi_per_s"),
}
_APART = ("failed", "disturbed")
_USUAL_KINDS = ("run",)
_KINDS = ("run", "gate", "calibration", "self-test", "import")


def prepare(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    for name in ("device", "model", "variant", "backend", "scenario", "suite"):
        parser.add_argument(f"--{name}", metavar="NAME", help=f"only of this {name}")
    for name in ("batch", "threads"):
        parser.add_argument(f"--{name}", type=options.count, metavar="N", help="only with so many")
    parser.add_argument(
        "--kind",
        type=_kinds,
        metavar="KINDS",
        help=f"kinds of sessions: {','.join(_KINDS)} (default: run)",
    )
    parser.add_argument(
        "--since", type=_day, metavar="DATE", help="begun on that day (UTC) or later"
    )
    parser.add_argument("--until", type=_day, metavar="DATE", help="begun before that day (UTC)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--latest", action="store_true", help="each case as last measured")
    what.add_argument(
        "--nights",
        type=options.count,
        default=90,
        metavar="N",
        help="each case in each session of the N days up to the newest (default: %(default)s)",
    )
    what.add_argument(
        "--sql",
        metavar="SELECT",
        help="any question to the tables runs, sessions, samples, probes, environments;"
        " filters do not apply",
    )
    parser.add_argument(
        "--metric", choices=_METRICS, default="latency_p50_s", help="what the table shows"
    )
    parser.add_argument("--format", choices=("table", *_WRITERS), default="table")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="default: standard output (not parquet)"
    )
    options.add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Ask the store and write the answer."""
    from results.query import History
    from results.store import Store

    if args.format == "parquet" and args.output is None:
        raise UsageError("parquet cannot go to standard output", "name a file with --output")
    history = History(Store.open(args.store))
    answer = _answer(history, args)
    for problem in history.problems:
        print(one_line(problem), file=sys.stderr)
    if not len(answer):
        print("nothing in the store matches", file=sys.stderr)
    if left_out := _imports_left_out(history, args):
        print(left_out, file=sys.stderr)
    _write(_encoded(answer, args), args.output)
    return 0


def _answer(history: History, args: argparse.Namespace) -> pa.Table:
    """Return what is asked for."""
    if args.sql is not None:
        return history.sql(args.sql)
    where = _filter(args)
    return history.latest_per_case(where) if args.latest else history.trend(where, args.nights)


def _filter(args: argparse.Namespace) -> Filter:
    from results.query import Filter

    chosen = {name: getattr(args, name) for name in Filter.__struct_fields__}
    return Filter(**chosen | {"kind": args.kind or _USUAL_KINDS})


def _imports_left_out(history: History, args: argparse.Namespace) -> str | None:
    """Return how to see the imports that were left out unasked, None where there are none."""
    if args.sql is not None or args.kind is not None:
        return None
    count = history.imports_left_out(_filter(args), None if args.latest else args.nights)
    if not count:
        return None
    kinds = ",".join((*_USUAL_KINDS, "import"))
    return f"--kind {kinds} would add {count} imported session{'' if count == 1 else 's'}"


def _encoded(answer: pa.Table, args: argparse.Namespace) -> bytes:
    """Return the answer in the format that was chosen."""
    if args.format != "table":
        return _WRITERS[args.format](answer)
    rows = answer.to_pylist()
    if args.sql is not None:
        lines = [answer.column_names, *([_cell(value) for value in row.values()] for row in rows)]
    else:
        lines = _table(rows, args.metric)
    return _aligned(lines).encode() if rows else b""


_CASE = ("night", "device", "model", "variant", "backend", "scenario")
_FIGURE = ("metric", "value", "95 % interval", "runs", "session")
# Shown where a line could look like another without it: what varies among lines alike in these.
_VARYING: dict[str, tuple[str, ...]] = {
    "kind": (),
    "threads": (),
    "runtime_version": ("device", "backend"),
}


def _table(rows: list[dict[str, Any]], metric: str) -> list[list[str]]:
    """Return a head and a line for each case in each session, as cells."""
    more = [name for name, within in _VARYING.items() if _varies(rows, name, within)]
    return [[*_CASE, *more, *_FIGURE], *(_line(row, metric, more) for row in rows)]


def _varies(rows: list[dict[str, Any]], name: str, within: tuple[str, ...]) -> bool:
    """Tell whether lines that are alike in `within` differ in `name`."""
    one = {tuple(row[like] for like in within): row[name] for row in rows}
    return any(one[tuple(row[like] for like in within)] != row[name] for row in rows)


def _line(row: dict[str, Any], metric: str, more: list[str]) -> list[str]:
    """Return one case in one session as the cells of a line."""
    unit = _METRICS[metric]
    lo, hi = (row[name] for name in _INTERVALS.get(metric, (metric, metric)))
    known = metric in _INTERVALS and lo is not None and hi is not None
    apart = [f"{row[f'runs_{word}']} {word}" for word in _APART if row[f"runs_{word}"]]
    case = f"{row['scenario']} b{row['batch']}" if row["batch"] != 1 else row["scenario"]
    return [
        time.strftime("%Y-%m-%d %H:%M", time.gmtime(row["created_unix_s"])),
        *(str(row[name]) for name in ("device", "model", "variant", "backend")),
        f"{case} ({row['side']})" if row["side"] else case,
        *("—" if row[name] is None else str(row[name]) for name in more),
        metric,
        _shown(row[metric], unit),
        f"{_shown(lo, unit)} – {_shown(hi, unit)}" if known else "—",
        f"{row['runs']}" + (f" ({', '.join(apart)})" if apart else ""),
        row["session_id"],
    ]


def _shown(value: float | None, unit: str) -> str:
    """Return a figure for people; a score has no unit."""
    if unit or value is None:
        return units.show(value, unit or "s")
    return f"{value:.4g}"


def _aligned(lines: list[list[str]]) -> str:
    """Return lines of cells as columns of text."""
    lines = [[one_line(cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        + "\n"
        for line in lines
    )


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _json(answer: pa.Table) -> bytes:
    """Return an array of objects; what is not a number is null."""
    import msgspec

    encoded = msgspec.json.encode(answer.to_pylist(), enc_hook=str)
    return msgspec.json.format(encoded, indent=1) + b"\n"


def _csv(answer: pa.Table) -> bytes:
    """Return RFC 4180 text as `boardmark export` writes it."""
    from results.export import table_to_csv

    return table_to_csv(answer).encode()


def _parquet(answer: pa.Table) -> bytes:
    """Return a parquet file."""
    import pyarrow.parquet as pq

    packed = io.BytesIO()
    pq.write_table(answer, packed, compression="zstd")
    return packed.getvalue()


_WRITERS = {"json": _json, "csv": _csv, "parquet": _parquet}


def _write(data: bytes, output: Path | None) -> None:
    """Write to a file or to standard output."""
    if output is None:
        sys.stdout.write(data.decode())
        return
    try:
        write_whole(output, data)
    except OSError as error:
        raise UsageError(f"cannot write {str(output)!r}: {error.strerror}") from error


def _kinds(text: str) -> tuple[str, ...]:
    """Return kinds of sessions; argparse tells about another word."""
    found = options.words(text)
    for word in found:
        if word not in _KINDS:
            raise argparse.ArgumentTypeError(f"expected {', '.join(_KINDS)}, not {word!r}")
    return found


def _day(text: str) -> float:
    """Return when a day like 2026-11-20 begins in UTC, or so many days ago like 90d, in Unix s."""
    import calendar

    if re.fullmatch(r"[0-9]{1,6}d", text):
        return time.time() - int(text[:-1]) * _DAY_S
    try:
        return float(calendar.timegm(time.strptime(text, "%Y-%m-%d")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected 2026-11-20 or 90d, not {text!r}") from None
