"""What a gate holds the candidate against: margins to the base, absolute budgets, what blocks.

`load` reads it from a TOML file and names file, line and key of whatever is wrong with it. A
session keeps it as `design["policy"]`, through msgspec.to_builtins and msgspec.convert.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec

from harness.errors import UsageError, unknown
from harness.gate.metrics import BUDGETS, METRICS, QUALITY, QUALITY_MARGIN
from harness.toml_lines import line_of
from harness.units import parse_bytes, parse_duration_s, parse_energy_j, parse_fraction

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LARGEST_FILE_BYTES = 32_000
MOST_LINES = 1000
LARGEST_ALPHA = 0.2
# A smaller one would take more than ten thousand A/A sessions to calibrate.
SMALLEST_ALPHA = 0.0001
OFF = "off"

Blocking = Literal["regressed", "over-budget", "inconclusive"]
BLOCKING: tuple[Blocking, ...] = ("regressed", "over-budget", "inconclusive")


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """The most a candidate may take: base units of its budget, or a share of the board's RAM."""

    value: float
    of_ram: bool = False


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """One gate's rules; the defaults are those of a gate without a file.

    `alpha` is the chance that a candidate equal to its base is called REGRESSED, over all pairs,
    metrics and looks together. `block` lists the outcomes that fail the gate. `margins` holds the
    metrics that the file names, as a fraction of the base's value, None where it turns one off;
    `budgets` the absolute limits.
    """

    alpha: float = 0.01
    block: tuple[Blocking, ...] = BLOCKING
    margins: dict[str, float | None] = {}
    budgets: dict[str, Limit] = {}

    def margin(self, metric: str) -> float | None:
        """Return the margin of `metric`, named or default; None where it is turned off."""
        default = QUALITY_MARGIN if metric == QUALITY else METRICS[metric].margin
        return self.margins.get(metric, default)


def load(path: Path) -> Policy:
    """Return the policy in the TOML file `path`.

    Raises UsageError, naming the file, the line and the key, for anything it cannot contain.
    """
    text = _text(path)
    try:
        return _Reader(str(path), text).policy(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(path, text, str(error)) from error
    except (RecursionError, ValueError) as error:  # what the parser itself gives up on
        raise UsageError(
            f"{str(path)!r}: nested too deeply, or a number of thousands of digits",
            "a policy has tables of plain values",
        ) from error


class _Reader:
    """Turns one file's tables into a policy; knows where a key stands when it is wrong."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._text = text

    def policy(self, content: dict[str, Any]) -> Policy:
        """Return the policy of the whole file."""
        self._only(content, ("alpha", "block", "margins", "budgets"))
        fields: dict[str, Any] = {
            "margins": self._table(content, "margins", (*METRICS, QUALITY), lambda name: _margin),
            "budgets": self._table(content, "budgets", BUDGETS, _LIMITS.__getitem__),
        }
        for name, read in (("alpha", _alpha), ("block", _block)):
            if name in content:
                fields[name] = self._read(read, content[name], (name,))
        return Policy(**fields)

    def _table(
        self,
        content: dict[str, Any],
        name: str,
        known: Iterable[str],
        reader: Callable[[str], Callable[[Any], Any]],
    ) -> dict[str, Any]:
        """Return the values of one table, each read by the reader of its key."""
        table = content.get(name, {})
        if not isinstance(table, dict):
            raise self._wrong((name,), UsageError("not a table", f"write [{name}] above its keys"))
        self._only(table, known, name)
        return {key: self._read(reader(key), value, (name, key)) for key, value in table.items()}

    def _only(self, table: dict[str, Any], known: Iterable[str], *parents: str) -> None:
        """Raise for the first key that is not known."""
        names = tuple(known)
        for key in table:
            if key not in names:
                error = unknown("key", key, names)
                raise self._wrong((*parents, key), UsageError("unknown key", error.advice))

    def _read(self, read: Callable[[Any], Any], value: Any, path: tuple[str, ...]) -> Any:
        """Return `value` as `read` understands it, or raise its complaint with file and line."""
        try:
            return read(value)
        except UsageError as error:
            raise self._wrong(path, error) from error

    def _wrong(self, path: tuple[str, ...], error: UsageError) -> UsageError:
        line = line_of(self._text, path)
        place = f"{self._file!r} line {line}" if line else repr(self._file)
        key, message = _short(repr(".".join(path)), 80), _short(error.message, 160)
        return UsageError(f"{place}: key {key}: {message}", error.advice)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _text(path: Path) -> str:
    """Return the file's text, bounded in size; in lines, as each is parsed to find a key's."""
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_FILE_BYTES + 1)
        if len(content) > LARGEST_FILE_BYTES:
            raise UsageError(f"{str(path)!r}: larger than 32 kB", "a policy is some dozen lines")
        text = content.decode("utf-8-sig")
        if text.count("\n") > MOST_LINES:
            raise UsageError(
                f"{str(path)!r}: more than {MOST_LINES} lines", "a policy is some dozen lines"
            )
        return text
    except OSError as error:
        raise UsageError(
            f"cannot read the policy {str(path)!r}: {(error.strerror or str(error)).lower()}",
            "check the path",
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UsageError(f"{str(path)!r} line {line}: not UTF-8", "save it as UTF-8") from error


def _not_toml(path: Path, text: str, message: str) -> UsageError:
    """Return the parser's complaint with the line in front, the last one where it names none."""
    reason, _, place = message.partition(" (at ")
    found = re.search(r"line (\d+)", place)
    line = found.group(1) if found else len(text.rstrip("\n").split("\n"))
    sentence = reason[:1].lower() + reason[1:]
    return UsageError(f"{str(path)!r} line {line}: not TOML: {sentence}", "correct that line")


def _alpha(value: Any) -> float:
    alpha = _fraction(value, '0.01 or "1%"')
    if not SMALLEST_ALPHA <= alpha <= LARGEST_ALPHA:
        raise UsageError(
            f"{value!r} is no false-alarm rate of a gate",
            f"from {SMALLEST_ALPHA:.2%} to {LARGEST_ALPHA:.0%}",
        )
    return alpha


def _block(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise UsageError("not a list of outcomes", f"write it like {list(BLOCKING)}")
    for word in value:
        if word not in BLOCKING:
            raise unknown("outcome", word, BLOCKING)
    return tuple(word for word in BLOCKING if word in value)


def _margin(value: Any) -> float | None:
    return None if value == OFF else _fraction(value, f'"3%" or "{OFF}"')


def _fraction(value: Any, example: str) -> float:
    """Return a fraction that stands as "3%" or as a number between 0 and 1."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UsageError(f"not a fraction: {value!r}", f"write it like {example}")
    try:
        return parse_fraction(str(value))
    except UsageError as error:
        raise UsageError(f"not a fraction: {value!r}", f"write it like {example}") from error


def _quantity(parse: Callable[[str], float], example: str) -> Callable[[Any], Limit]:
    """Return the reader of a text with a number and a unit."""

    def read(value: Any) -> Limit:
        # A bare number is refused: 200 may be meant as milliseconds, or as seconds.
        if not isinstance(value, str) or not value.strip()[-1:].isalpha():
            raise UsageError(f"not a number with a unit: {value!r}", f"write it like {example}")
        return Limit(value=parse(value))

    return read


def _memory(value: Any) -> Limit:
    if isinstance(value, str) and value.strip().endswith("%"):
        return Limit(value=_fraction(value, '"70%"'), of_ram=True)
    return _quantity(parse_bytes, '"500 MB", or "70%" of the board\'s RAM')(value)


def _share(value: Any) -> Limit:
    return Limit(value=_fraction(value, '"1.2%"'))


_LIMITS: dict[str, Callable[[Any], Limit]] = {
    "latency_p50": _quantity(parse_duration_s, '"20 ms"'),
    "latency_p99": _quantity(parse_duration_s, '"200 ms"'),
    "peak_memory": _memory,
    "size": _quantity(parse_bytes, '"30 MB"'),
    "energy": _quantity(parse_energy_j, '"12 mJ"'),
    "quality_loss": _share,
}
