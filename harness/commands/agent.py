"""Write the board's side as one zip application that any python3 >= 3.6 runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.transport.package import write_agent


def prepare(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("-o", "--output", type=Path, default=Path("agent.pyz"), metavar="FILE")


def run(args: argparse.Namespace) -> int:
    """Write the file and say how large it is."""
    target = write_agent(args.output)
    print(f"{target}: {target.stat().st_size / 1000:.0f} kB; run it with python3 on the board")
    return 0
