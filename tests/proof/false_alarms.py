"""The gate on this machine: how often it alarms over equal sides, and finds a known slow-down.

    make prove

gates a model against itself, then against itself slowed down by 5 % and by 20 % (`--self-test`),
each session within its budget. The figures go into the table between the markers in
docs/measurement.md; every session stays in the store that is named.
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
from typing import Any

DOCUMENT = Path(__file__).parents[2] / "docs" / "measurement.md"
# What `make peers` shows beside the alarms of the other tools.
COUNTED = Path(__file__).with_name("gate_aa.json")
BEGIN, END = "<!-- real gate: begin -->", "<!-- real gate: end -->"
BOARDMARK = str(Path(sys.executable).with_name("boardmark"))
SLOW_DOWNS = ("5%", "20%")


def main() -> None:
    """Measure what is asked for and rewrite the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="default: eight chained products, an .onnx of 8 MB")
    parser.add_argument("--backends", default="onnxruntime")
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--tries", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--budget", default="50s", help="of a session with a slow-down")
    parser.add_argument("--blocks", default="20", help="per look of a session like that")
    parser.add_argument("--short", default="15s", help="budget of a session of equal sides")
    parser.add_argument("--store", type=Path, default=Path(".cache/proof-store"))
    args = parser.parse_args()
    args.model = args.model or products(args.store)
    rows = [played(args, None, args.sessions)] if args.sessions else []
    rows += [played(args, share, args.tries) for share in SLOW_DOWNS] if args.tries else []
    if args.sessions:
        counted = {"sessions": args.sessions, "regressed": int(rows[0]["regressed"])}
        COUNTED.write_text(json.dumps({**counted, "machine": machine(), "day": today()}) + "\n")
    DOCUMENT.write_text(inserted(DOCUMENT.read_text(), table(args, rows)))


def played(args: argparse.Namespace, share: str | None, count: int) -> dict[str, str]:
    """Return the row of `count` sessions of one kind: equal sides, or one slowed by `share`."""
    kinds: collections.Counter[str] = collections.Counter()
    seconds = []
    for number in range(count):
        began = time.monotonic()
        against = ["--self-test", share] if share else ["--candidate", args.model]
        whole = ["--budget", args.budget, "--blocks", args.blocks]
        design = whole if share else ["--budget", args.short]
        words = ["gate", "--base", args.model, *against, "--seed", str(number), *design]
        told = boardmark(args, words)
        seconds.append(time.monotonic() - began)
        kinds[told["outcome"]] += 1
        changes = [each["change"] for each in told["verdicts"] if each["metric"] == "latency_p50"]
        blocks = f"{told['blocks_used']} blocks, {told['blocks_rejected']} disturbed"
        print(share or "equal", number, told["outcome"], changes, blocks, f"{seconds[-1]:.0f} s",
              dict(kinds), flush=True)  # fmt: skip
    return {
        "what": f"{share} slower, {count} sessions" if share else f"equal sides, {count} sessions",
        "regressed": f"{kinds['regressed']}",
        "pass": str(kinds["pass"]),
        "inconclusive": str(kinds["inconclusive"]),
        "seconds": f"{sum(seconds) / count:.0f}, at most {max(seconds):.0f}",
    }


def boardmark(args: argparse.Namespace, words: list[str]) -> dict[str, Any]:
    """Run one gate and return its judgement; progress is not shown."""
    words = [*words, "--backends", args.backends, "--threads", str(args.threads)]
    command = [BOARDMARK, *words, "--format", "json", "--store", str(args.store)]
    done = subprocess.run(command, check=False, text=True, capture_output=True)
    assert done.returncode in (0, 1, 3), f"{command} ended with {done.returncode}: {done.stderr}"
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def products(store: Path) -> str:
    """Write eight chained 512 x 512 products over a 64 x 512 input: a few milliseconds."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(0).normal(0, 0.04, (8, 512, 512)).astype(np.float32)
    nodes = [helper.make_node("MatMul", [f"h{at}", f"w{at}"], [f"h{at + 1}"]) for at in range(8)]
    graph = helper.make_graph(
        nodes,
        "products",
        [helper.make_tensor_value_info("h0", TensorProto.FLOAT, [64, 512])],
        [helper.make_tensor_value_info("h8", TensorProto.FLOAT, [64, 512])],
        [numpy_helper.from_array(weight, f"w{at}") for at, weight in enumerate(weights)],
    )
    store.mkdir(parents=True, exist_ok=True)
    path = store / "products.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))
    return str(path)


def table(args: argparse.Namespace, rows: list[dict[str, str]]) -> str:
    """Return the table in Markdown."""
    head = ["what was measured", "REGRESSED", "PASS", "INCONCLUSIVE", "seconds per session"]
    lines = [
        f"{Path(args.model).name} on {args.backends}, threads: {args.threads};"
        f" {machine()}, {today()}:",
        "",
        "| " + " | ".join(head) + " |",
        "|---" * len(head) + "|",
        *("| " + " | ".join(row.values()) + " |" for row in rows),
    ]
    return "\n".join(lines)


def machine() -> str:
    """Name the processor."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return cpu[1] if cpu else "a processor"


def today() -> str:
    """Return the date in UTC."""
    return str(datetime.datetime.now(datetime.timezone.utc).date())


def inserted(text: str, between: str) -> str:
    """Return `text` with `between` in place of what stood between the markers."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    assert rest and after, f"{DOCUMENT.name} has lost its markers"
    return f"{before}{BEGIN}\n{between}\n{END}{after}"


if __name__ == "__main__":
    main()
