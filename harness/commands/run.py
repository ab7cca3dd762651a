"""Measure a suite on a device: build the variants, run all cases in blocks, keep every result.

Without options: the quantization suite on this machine. Every finished run is on disk before the
next one starts; Ctrl-C keeps what is finished, and `boardmark run --resume` goes on with the rest.
"""

from __future__ import annotations

import argparse

import msgspec

from harness import units
from harness.commands import driving, dry_run, options, reach, request, several
from harness.commands.progress import Progress
from harness.errors import DeviceError, UsageError
from harness.session import prepare as preparing
from results.storage import measurable
from results.store import Store, new_session_id


def prepare(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--suite", default="quantization", help="what to compare (default: %(default)s)")
    reach.add_options(parser)
    options.add_model(parser)
    add("--variants", type=options.words, metavar="A,B", help="only these quantization levels")
    add("--backends", type=options.words, metavar="A,B", help="only these runtimes")
    add("--batch", type=options.counts, metavar="1,8", help="batch sizes; 1 is single-stream")
    add("--threads", type=options.count, help="threads of the runtime (default: one per core)")
    add("--cores", type=options.cores, metavar="0-3", help="pin the runs to these cores")
    add("--blocks", type=options.count, help="runs per case (default: 5)")
    add("--budget", type=units.parse_duration_s, metavar="20s|3m", help="time for all measuring")
    add("--precision", type=units.parse_fraction, metavar="FRACTION",
        help="wanted half-width of a latency interval, like 1%% or 0.01: blocks are added for cases"
        " that miss it (without: 5%%, and none are added)")  # fmt: skip
    add("--sample", type=units.parse_duration_s, metavar="20s|3m",
        help="sample each run this long; from 3m on, the sustained latency is known")  # fmt: skip
    add("--soak", type=units.parse_duration_s, metavar="10m",
        help="run each case so long once: latency, clock, heat, power over time")  # fmt: skip
    add("--emulate", action="store_true",
        help="play the device's processor under QEMU: does it run there, the same outputs, how much"
        " memory; no times")  # fmt: skip
    add("--fit", metavar="BOARD",
        help="limit this host to a board's memory and cores: does --model fit, how little is"
        " enough; no times")  # fmt: skip
    add("--together", type=options.count, metavar="N",
        help="with --fit: how many of the same fit at once, up to N")  # fmt: skip
    add("--seed", type=options.seed, default=0, help="of inputs and order (default: 0)")
    add("--interpreter", action="append", default=[], metavar="BACKEND=PYTHON",
        help="run a backend under another python")  # fmt: skip
    add(
        "--resume", nargs="?", const="latest", metavar="ID", help="go on with an unfinished session"
    )
    add("--dry-run", action="store_true", help="only list what would be measured")
    add("--json", action="store_true", help="print the cases as JSON instead of the table")
    add("--no-report", action="store_true", help="do not draw the HTML report")
    add("--open", action="store_true", help="open the report in the browser")
    options.add_store(parser)


def run(args: argparse.Namespace) -> int:
    """Carry the session out, one per device, and return the exit code."""
    args.store = measurable(args.store)
    if args.resume:
        from harness.commands import resume

        return resume.run(args, prepare)
    if args.fit:
        from harness.commands import fit

        return fit.measure(args)
    if args.together:
        raise UsageError(
            "--together tells how many models fit at once", "say where: --fit BOARD --together N"
        )
    if args.emulate:
        from harness.commands import emulate

        return several.each(args, emulate.measure)
    return several.each(args, _measure)


def _measure(args: argparse.Namespace) -> int:
    place = reach.place(args.device, args.lab)
    wanted = request.of(args, place)
    named = options.interpreters(args.interpreter, elsewhere=place is not None)
    with reach.board(place, named) as board:
        found = preparing.outline(wanted, board)
        if args.dry_run:
            return dry_run.tell(found, args.json)
        store = Store.create(args.store)
        wanted = msgspec.structs.replace(wanted, known=preparing.known(store))
        ready = preparing.prepare(wanted, found, new_session_id(), Progress().built)
        if not ready.plan.cases:
            _explain_nothing(ready)
        if told := reach.meter_trouble(place):
            Progress().say(f"warning: {told}")
        with store.start(ready.plan) as journal:
            return driving.drive(args, board, store, journal, ready)


def _explain_nothing(ready: preparing.Prepared) -> None:
    reasons = dict.fromkeys(
        f"{skip.variant} on {skip.backend}: {skip.reason}" for skip in ready.plan.skipped
    )
    raise DeviceError("nothing can be measured here: " + "; ".join(list(reasons)[:4]))
