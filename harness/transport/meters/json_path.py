"""A path into a JSON answer: `a.b[0].c`, as the lab file allows it."""

from __future__ import annotations

import re
from typing import Any

from harness.transport.meters.reading import Gap

_STEP = re.compile(r"\[(\d+)\]|(?:^|(?!^)\.)([^.\[\]]+)")


def at(document: Any, path: str) -> Any:
    """Return what stands at `path`; Gap names the step that leads nowhere."""
    found, end = document, 0
    for step in _STEP.finditer(path):
        if step.start() != end:
            break
        end = step.end()
        found = _into(found, step[1], step[2], path[:end])
    if end != len(path) or not path:
        raise Gap(f"{path!r} is no path like a.b[0].c")
    return found


def _into(value: Any, index: str | None, key: str | None, so_far: str) -> Any:
    """Return one element of a list or one value of an object."""
    if index is not None and isinstance(value, list) and int(index) < len(value):
        return value[int(index)]
    if key is not None and isinstance(value, dict) and key in value:
        return value[key]
    raise Gap(f"its answer has no {so_far!r}")
