"""The command line: finds the subcommand, runs it, and is the only handler of errors.

Only the chosen subcommand's module is imported, so that `boardmark --help` costs little more than
argparse.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from types import ModuleType

from harness.errors import BoardmarkError
from harness.printable import one_line

# The user's word -> what it does, in one line. See `command` for its module.
COMMANDS = {
    "run": "measure a suite on a device, keep every result, draw the report",
    "gate": "decide whether a candidate may replace a base: measured now, side by side",
    "calibrate": "learn from equal sides how far a gate may be trusted here",
    "list": "list sessions, suites, devices, models, variants or backends",
    "show": "print the table of a session",
    "report": "draw the HTML report of a session",
    "compare": "compare two stored sessions case by case",
    "history": "say how cases went over the nights, or ask the store in SQL",
    "export": "write a session's cases as csv, json or parquet",
    "build": "build the variants of a model without measuring them",
    "doctor": "say what this machine can measure, what not, and what would fix it",
    "agent": "write the board's side as one file",
    "import": "take result files of other tools into the store",
    "store": "merge, verify, compact, reindex or prune a store, or remove sessions from it",
}
# A word that Python keeps for itself cannot name a module that others import.
_MODULES = {"import": "import_results"}

_EPILOG = """\
exit codes: 0 fine, 1 a gate failed, 2 wrong request or unusable store, 3 a gate cannot tell,
            4 a board or runtime failed (results kept), 130 interrupted (results kept)

first steps:
  boardmark run                       the quantization suite on this machine
  boardmark run --model my.onnx       your own model
  boardmark show                      the latest table again
  boardmark gate --base A --candidate B   may B replace A?
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    _open_what_came_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # an ASCII terminal has no µ
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) == signal.SIG_DFL:  # nohup keeps what it asked for
            signal.signal(ending, signal.default_int_handler)
    code = 0
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except BoardmarkError as error:
        print(f"boardmark: {one_line(str(error))}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        _forget_output()  # the reader of our output left; nobody is there to be told
        return code
    except OSError as error:
        _forget_output()
        where = repr(error.filename) if error.filename else "the output"
        print(f"boardmark: cannot read or write {where}: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("boardmark: interrupted", file=sys.stderr)
        return 130


def _open_what_came_closed() -> None:
    """Let the three streams lead nowhere where they are closed (`>&-`).

    Otherwise the next file that is opened, a journal for one, would be what C code prints to.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _forget_output() -> None:
    """Let what is still buffered go nowhere, so that Python's own exit does not fail over it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _run(words: list[str]) -> int:
    parser = _overview()
    name = words[0] if words else ""
    if name not in COMMANDS:
        return _without_command(parser, words)
    module = command(name)
    chosen = argparse.ArgumentParser(
        prog=f"boardmark {name}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.prepare(chosen)
    code: int = module.run(chosen.parse_args(words[1:]))
    return code


def command(name: str) -> ModuleType:
    """Return the module of a subcommand: harness.commands.<name>, where that can be a name."""
    return importlib.import_module(f"harness.commands.{_MODULES.get(name, name)}")


def _overview() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="boardmark",
        description="Which variant of a model, on which runtime, is the one to ship on a board?",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version and leave")
    commands = parser.add_argument_group("commands (each has its own --help)")
    for name, summary in COMMANDS.items():
        commands.add_argument(name, help=summary, nargs="?")
    parser.usage = "boardmark <command> [options]"
    return parser


def _without_command(parser: argparse.ArgumentParser, words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        parser.print_help()
        return 0
    if words[0] == "--version":
        from importlib.metadata import version

        print(f"boardmark {version('boardmark')}")
        return 0
    from harness.errors import unknown

    raise unknown("command", words[0], COMMANDS)


if __name__ == "__main__":
    sys.exit(main())
