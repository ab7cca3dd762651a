"""Run a suite on emulated boards and write the table of docs/boards.md.

    make emulate
    make emulate ARGS='--boards pi4b --model minilm-l6'

Roots are built where they are missing. No figure is a time: an emulator's says nothing of a board.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).parents[2] / "docs" / "boards.md"
BEGIN, END = "<!-- emulated: begin -->", "<!-- emulated: end -->"
BOARDS = "pi4b,jetson-nano,orange-pi-5,n5105"
_HEAD = (
    "| board | runtime | runs there | largest difference | smallest cosine | fidelity | peak"
    " memory | idle |\n|---|---|---|---|---|---|---|---|"
)
_BOARDMARK = Path(sys.executable).with_name("boardmark")
Rows = list[dict[str, Any]]


def main() -> int:
    """Emulate every board, rewrite the document, return the highest exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--boards", default=BOARDS)
    parser.add_argument("--suite", default="quantization")
    parser.add_argument("--model", default="digits-cnn")
    args = parser.parse_args()
    codes, parts = [0], []
    with tempfile.TemporaryDirectory() as store:
        for board in args.boards.split(","):
            code, rows = _emulated(board, args, Path(store))
            codes.append(code)
            parts.append(lines(rows))
    content = "\n".join(
        [f"`{args.model}` in the suite `{args.suite}`:", "", _HEAD, *parts, *_asides(parts)]
    )
    DOCUMENT.write_text(inserted(DOCUMENT.read_text(encoding="utf-8"), content), encoding="utf-8")
    print(content)
    return max(codes)


def _emulated(board: str, args: argparse.Namespace, store: Path) -> tuple[int, Rows]:
    """Return the exit code of one board's session and its rows."""
    words = ["run", "--emulate", "--device", board, "--suite", args.suite, "--model", args.model]
    done = subprocess.run(
        [str(_BOARDMARK), *words, "--json", "--no-report", "--store", str(store / board)],
        stdout=subprocess.PIPE,
        check=False,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else []


def lines(rows: Rows) -> str:
    """Return one line per runtime of a board, and one per reason why something does not run."""
    found = []
    for backend in dict.fromkeys(row["backend"] for row in rows):
        mine = [row for row in rows if row["backend"] == backend]
        good = [row for row in mine if row["status"] == "ok"]
        reasons = dict.fromkeys(row["reason"] for row in mine if row["status"] != "ok")
        cells = [rows[0]["device"], backend, f"{len(good)} of {len(mine)} cases"]
        cells[2] += f": {'; '.join(map(str, reasons))}" if reasons else ""
        found.append(f"| {' | '.join([*cells, *_figures(good)])} |")
    return "\n".join(found)


def _figures(rows: Rows) -> list[str]:
    """Return the extremes over the cases that run; a dash where there is no figure."""
    compared = [row for row in rows if row["native_cosine"] is not None]
    scored = [row["fidelity"] for row in rows if row["fidelity"] is not None]
    worst = max(compared, key=lambda row: row["native_difference"], default=None)
    peaks, idle = _megabytes(rows, "peak_rss_bytes"), _megabytes(rows, "baseline_rss_bytes")
    return [
        f"{worst['native_difference']:.2g} of {worst['native_largest']:.3g} ({worst['variant']})"
        if worst
        else "—",
        f"{min(row['native_cosine'] for row in compared):.6f}" if compared else "—",
        f"{min(scored):.5f} to {max(scored):.5f}" if scored else "—",
        f"{min(peaks):.0f} to {max(peaks):.0f} MB" if peaks else "—",
        f"{max(idle):.0f} MB" if idle else "—",
    ]


def _megabytes(rows: Rows, name: str) -> list[float]:
    return [row[name] / 1e6 for row in rows if row[name] is not None]


def _asides(parts: list[str]) -> list[str]:
    """Return how the columns are meant."""
    if not parts:
        return []
    return [
        "",
        "Differences and cosines are those to the same artifact and runtime natively on the desk."
        " Fidelity is to the FP32 source. Peak memory includes the emulator's own; idle is an"
        " interpreter that has imported nothing, under the emulator.",
    ]


def inserted(document: str, content: str) -> str:
    """Return the document with `content` between the markers."""
    before, _, rest = document.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{DOCUMENT.name} has lost its markers")
    return f"{before}{BEGIN}\n{content}\n{END}{after}"


if __name__ == "__main__":
    sys.exit(main())
