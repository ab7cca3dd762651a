"""One command for several boards: each gets its session, and one that fails costs only its own."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from harness.commands import reach
from harness.commands.progress import tell
from harness.errors import DeviceError, UsageError
from harness.printable import one_line

_INTERRUPTED = 130


def each(args: argparse.Namespace, measure: Callable[[argparse.Namespace], int]) -> int:
    """Call `measure` with the arguments for each device in turn; return the highest exit code.

    A wrong word ends it before anything is measured, as it would for one board; once a board was
    measured, what the command means on another costs only that one. Ctrl-C ends all of it.
    """
    words = [word.strip() for word in args.device.split(",")]
    if "" in words or len(set(words)) < len(words):
        raise UsageError(
            f"--device {args.device!r} names a board twice, or none between two commas",
            "write a,b",
        )
    if len(words) == 1:
        return measure(args)
    for word in words:
        reach.check(word, args.lab)
    codes = []
    for word in words:
        tell(f"{word}:\n")
        try:
            codes.append(measure(argparse.Namespace(**{**vars(args), "device": word})))
            if codes[-1] == _INTERRUPTED:
                break
        except (DeviceError, UsageError) as error:
            if isinstance(error, UsageError) and not codes:
                raise
            tell(f"boardmark: {one_line(f'{word}: {error}')}\n")
            codes.append(error.exit_code)
    return max(codes)
