"""python -m proof.peers: measure all tools in turn, print the tables, write docs/peers.md."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from pathlib import Path

import msgspec

from harness.errors import BoardmarkError

from . import eight, page
from .campaign import Campaign, Gate, carry_out
from .material import prepare
from .records import Unusable
from .registry import PEERS

ROOT = Path(__file__).resolve().parents[3]
LEAST_ROUNDS = 5  # a spread of fewer starts would not be worth a page


def main() -> int:
    """Carry out what the command line says; return the exit code."""
    args = _arguments()
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    try:
        campaign = _again(args.again) if args.again else _measure(args)
        if args.gate.is_file():
            gate = msgspec.json.decode(args.gate.read_bytes(), type=Gate)
            campaign = msgspec.structs.replace(campaign, gate=gate)
        text = page.render(campaign).replace(f"{ROOT}/", "")
        print(f"\n{text}")
        if campaign.rounds >= LEAST_ROUNDS and campaign.started >= {p.name for p in PEERS}:
            page.write(args.page, text)
            _say(f"written to {args.page}")
        else:
            _say(f"{args.page} is left alone: that takes all tools and {LEAST_ROUNDS} rounds")
    except (Unusable, BoardmarkError, msgspec.MsgspecError, OSError) as error:
        _say(f"peers: {error}")
        return 2
    except KeyboardInterrupt:
        _say("peers: interrupted; nothing was written")
        return 130
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make peers ARGS=...", description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=10, help="starts of every tool (default: %(default)s)")
    add("--seconds", type=float, default=1.5, help="timed per start, where a tool can be told")
    add("--threads", type=int, default=2)
    add(
        "--only",
        default="",
        metavar="NAME,NAME",
        help="only tools whose name contains one; no eight cases",
    )
    add("--page", type=Path, default=ROOT / "docs" / "peers.md")
    add("--work", type=Path, default=ROOT / ".cache" / "peers", help="wiped at the start")
    add("--gate", type=Path, default=ROOT / "tests" / "proof" / "gate_aa.json",
        help="A/A sessions of boardmark gate, as JSON")  # fmt: skip
    add("--again", type=Path, metavar="FILE", help="draw the tables of a campaign.json again")
    args = parser.parse_args()
    if args.rounds < 1 or args.threads < 1 or args.seconds <= 0:
        parser.error("--rounds, --threads and --seconds must be above zero")
    return args


def _measure(args: argparse.Namespace) -> Campaign:
    words = [word for word in args.only.split(",") if word]
    chosen = [p for p in PEERS if not words or any(word in p.name for word in words)]
    if not chosen:
        raise Unusable(f"--only {args.only} names none of: {', '.join(p.name for p in PEERS)}")
    shutil.rmtree(args.work, ignore_errors=True)
    args.work.mkdir(parents=True)
    _say("preparing the model in every format")
    bench = prepare(args.work, args.threads, args.seconds)
    campaign = carry_out(chosen, bench, args.rounds, args.work, _say)
    if not args.only:
        found = eight.measure(bench, args.work / "eight")
        _say(f"eight cases: {found.reason or f'{found.reached} reached'}, {found.wall_s:.1f} s")
        campaign = msgspec.structs.replace(campaign, eight=found)
    record = args.work / "campaign.json"
    record.write_bytes(msgspec.json.encode(campaign))
    _say(f"rounds took {campaign.wall_s / 60:.1f} minutes; all starts are in {record}")
    return campaign


def _again(path: Path) -> Campaign:
    return msgspec.json.decode(path.read_bytes(), type=Campaign)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
