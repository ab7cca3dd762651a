"""Options that several subcommands share, and the types that argparse turns their words into."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import backends
from devices import address
from harness import places, units
from harness.errors import UsageError, unknown


def add_store(parser: argparse.ArgumentParser) -> None:
    """Declare --store."""
    parser.add_argument(
        "--store",
        type=place,
        default=places.store(),
        metavar="DIR",
        help="where results are kept; what only reads takes s3://bucket/prefix, too"
        " (default: %(default)s)",
    )


def place(text: str) -> str | Path:
    """Return a directory as a path, and a URL as it stands: a path would lose its slashes."""
    return text if "://" in text else Path(text)


def add_session(parser: argparse.ArgumentParser) -> None:
    """Declare --store and --session, for everything that reads."""
    add_store(parser)
    parser.add_argument(
        "--session",
        default="latest",
        metavar="ID",
        help="which session: an id, the beginning of one, or latest (the default)",
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say which model, and what real data there is for it."""
    parser.add_argument(
        "--model",
        action="append",
        metavar="NAME|PATH",
        help="a model of the zoo, a folder with a sentence encoder, hf:org/name, or a .onnx,"
        " .tflite, .xml or .pt2 file; may be given more than once",
    )
    parser.add_argument(
        "--shape",
        action="append",
        default=[],
        metavar="INPUT=1x128",
        help="bind an input's open dimensions; may be given more than once",
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="DATA.npz",
        help="samples for static quantization and for scoring: one array per input, named like it",
    )
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="class indices (.npy, .npz, .csv) of the calibration samples: scores accuracy",
    )


def check_data(args: argparse.Namespace, models: Sequence[str]) -> None:
    """Raise UsageError where shapes, samples or labels are given, but not exactly one model."""
    if len(models) != 1 and (args.shape or args.calibration or args.labels):
        raise UsageError(
            "--shape, --calibration and --labels belong to one model", "give one --model"
        )


def absolute(word: str) -> str:
    """Return a path as it is from anywhere; another word as it stands."""
    return str(Path(word).absolute()) if Path(word).exists() else word


def share(text: str) -> float:
    """Return a share from 1 % to less than 100 %, written like 5% or 0.05."""
    try:
        found = units.parse_fraction(text)
    except UsageError:
        found = 0.0
    if found < 0.01:
        raise argparse.ArgumentTypeError(
            f"expected a share like 5% or 0.2, at least 1% and below 100%, not {text!r}"
        )
    return found


def look_blocks(text: str) -> int:
    """Return the blocks of one look: fewer than five decide nothing."""
    found = count(text)
    if not 5 <= found <= 1000:
        raise argparse.ArgumentTypeError(f"expected 5 to 1000 blocks, not {text!r}")
    return found


def words(text: str) -> tuple[str, ...]:
    """Return the words of a comma-separated list."""
    found = tuple(word.strip() for word in text.split(",") if word.strip())
    if not found:
        raise argparse.ArgumentTypeError("expected names separated by commas")
    return found


def counts(text: str) -> tuple[int, ...]:
    """Return the positive whole numbers of a comma-separated list."""
    return tuple(count(word) for word in words(text))


def count(text: str) -> int:
    """Return a positive whole number that fits the runtimes' 32-bit integers."""
    if not text.isdecimal() or not 1 <= int(text) < 2**31:
        raise argparse.ArgumentTypeError(
            f"expected a whole number from 1 to {2**31 - 1}, not {text!r}"
        )
    return int(text)


def seed(text: str) -> int:
    """Return a seed that every generator takes: 32 bits."""
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(
            f"expected a whole number from 0 to 2^32 - 1, not {text!r}"
        )
    return int(text)


def cores(text: str) -> tuple[int, ...]:
    """Return the core ids of a list like 0-3,6; Linux counts up to 8192 of them."""
    found: list[int] = []
    for part in words(text):
        first, dash, last = part.partition("-")
        if not _is_core(first) or (dash and not _is_core(last)):
            raise argparse.ArgumentTypeError(
                f"expected core ids like 0-3,6, up to {_LAST_CORE}, not {text!r}"
            )
        if int(last or first) < int(first):
            raise argparse.ArgumentTypeError(f"{part!r} holds no core: write {last}-{first}")
        found.extend(range(int(first), int(last or first) + 1))
    return tuple(sorted(set(found)))


_LAST_CORE = 8191


def _is_core(text: str) -> bool:
    return text.isdecimal() and len(text) <= 4 and int(text) <= _LAST_CORE


def interpreters(given: Sequence[str], elsewhere: bool = False) -> dict[str, str]:
    """Return {backend: interpreter} of words like tflite-runtime=/path/to/python.

    Those of a board that is `elsewhere` are looked for when it is reached.
    """
    found = {}
    for word in given:
        backend, _, path = word.partition("=")
        if backend not in backends.TABLE:
            raise unknown("backend", backend, backends.TABLE)
        if elsewhere:
            found[backend] = address.path(path)
            continue
        if not Path(path).is_file():
            raise UsageError(
                f"--interpreter {word}: no such interpreter", "write BACKEND=/path/to/python"
            )
        found[backend] = str(Path(path).absolute())
    return found
