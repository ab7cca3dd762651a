"""The gate on this machine: how often it alarms over equal sides, and finds a known slow-down.

    python tests/proof/false_alarms.py --sessions 100 --tries 40

measures A/A sessions with `boardmark calibrate`, then slows the candidate down by 5 % and by 20 %
with `boardmark gate --self-test`, each try within its own budget. The figures go into the table
between the markers in docs/measurement.md; every session stays in the store that is named.
"""

from __future__ import annotations

import argparse
import collections
import datetime
import json
import re
import subprocess
import sys
import time
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "measurement.md"
BEGIN, END = "<!-- real gate: begin -->", "<!-- real gate: end -->"
BOARDMARK = str(Path(sys.executable).with_name("boardmark"))
SLOW_DOWNS = ("5%", "20%")


def main() -> None:
    """Measure what is asked for and rewrite the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="digits-cnn")
    parser.add_argument("--backends", default="onnxruntime")
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--tries", type=int, default=40)
    parser.add_argument("--budget", default="60s")
    parser.add_argument("--store", type=Path, default=Path(".cache/proof-store"))
    args = parser.parse_args()
    rows = [alarms(args)] if args.sessions else []
    rows += [found(args, share) for share in SLOW_DOWNS] if args.tries else []
    DOCUMENT.write_text(inserted(DOCUMENT.read_text(), table(args, rows)))


def alarms(args: argparse.Namespace) -> dict[str, str]:
    """Return the row of the A/A sessions."""
    began = time.monotonic()
    words = ["calibrate", "--base", args.model, "--sessions", str(args.sessions)]
    told = boardmark(args, words).stdout
    alarmed = re.search(r"(\d+) of (\d+) equal pairs were called regressed", told)
    assert alarmed, told
    kinds = collections.Counter(re.findall(r"^\d+ of \d+: ([a-z-]+)", told, re.MULTILINE))
    took_s = (time.monotonic() - began) / args.sessions
    return {
        "what": f"equal sides, {args.sessions} sessions",
        "regressed": f"{alarmed[1]} of {alarmed[2]}",
        "pass": str(kinds["pass"]),
        "inconclusive": str(kinds["inconclusive"]),
        "seconds": f"{took_s:.0f} mean",
    }


def found(args: argparse.Namespace, share: str) -> dict[str, str]:
    """Return the row of one known slow-down."""
    kinds: collections.Counter[str] = collections.Counter()
    seconds = []
    for number in range(args.tries):
        words = ["gate", "--base", args.model, "--self-test", share, "--budget", args.budget]
        began = time.monotonic()
        told = boardmark(args, [*words, "--seed", str(number), "--format", "json"]).stdout
        seconds.append(time.monotonic() - began)
        kinds[json.loads(told)["outcome"]] += 1
        print(share, number, dict(kinds), f"{seconds[-1]:.0f} s", flush=True)
    return {
        "what": f"{share} slower, {args.tries} tries",
        "regressed": f"{kinds['regressed']} of {args.tries}",
        "pass": str(kinds["pass"]),
        "inconclusive": str(kinds["inconclusive"]),
        "seconds": f"{max(seconds):.0f} at most",
    }


def boardmark(args: argparse.Namespace, words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run one command; its progress is shown, its answer returned."""
    command = [BOARDMARK, *words, "--backends", args.backends, "--store", str(args.store)]
    done = subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE)
    assert done.returncode in (0, 1, 3), f"{command} ended with {done.returncode}"
    return done


def table(args: argparse.Namespace, rows: list[dict[str, str]]) -> str:
    """Return the table in Markdown."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    day = datetime.datetime.now(datetime.timezone.utc).date()
    head = ["what was measured", "REGRESSED", "PASS", "INCONCLUSIVE", "seconds per session"]
    lines = [
        f"{args.model} on {args.backends}, {cpu[1] if cpu else 'a processor'}, {day}:",
        "",
        "| " + " | ".join(head) + " |",
        "|---" * len(head) + "|",
        *("| " + " | ".join(row.values()) + " |" for row in rows),
    ]
    return "\n".join(lines)


def inserted(text: str, between: str) -> str:
    """Return `text` with `between` in place of what stood between the markers."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    assert rest and after, f"{DOCUMENT.name} has lost its markers"
    return f"{before}{BEGIN}\n{between}\n{END}{after}"


if __name__ == "__main__":
    main()
