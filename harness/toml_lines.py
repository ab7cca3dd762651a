"""The line of a key in a TOML file: the parser of the standard library does not keep it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """Return the line, counted from 1, on which the value at `path` of valid `text` begins.

    A number in `path` counts in an array: ("clusters", 1, "core") is the core of the second one.
    The beginnings of the text are parsed one line longer each time. The value ends where it is in
    one for the first time, and begins behind the longest beginning before that could be parsed:
    whatever a file looks like, this is what the parser saw. None where `text` has no such key.
    """
    # The parser takes both ends of a line, but none that is cut between CR and LF.
    lines = text.replace("\r\n", "\n").split("\n")
    parsed = 0
    for count in range(1, len(lines) + 1):
        try:
            content = tomllib.loads("\n".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue
        if _holds(content, path):
            return parsed + 1
        parsed = count
    return None


def _holds(content: Any, path: Sequence[str | int]) -> bool:
    for key in path:
        if isinstance(key, int):
            if not isinstance(content, list) or key >= len(content):
                return False
        elif not isinstance(content, dict) or key not in content:
            return False
        content = content[key]
    return True
