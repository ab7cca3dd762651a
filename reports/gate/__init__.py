"""A gate's judgement for whoever waits for it: one small file per format.

text      for a terminal
markdown  for a pull request
json      for a program; stable keys, base units, null is unknown
junit     for a CI system's list of tests
"""

from __future__ import annotations

from collections.abc import Callable

from harness.errors import unknown
from harness.gate.verdict import Judgement
from reports.gate import as_json, junit, markdown, text

FORMATS: dict[str, Callable[[Judgement], str]] = {
    "text": text.render,
    "markdown": markdown.render,
    "json": as_json.render,
    "junit": junit.render,
}


def render(judgement: Judgement, form: str = "text") -> str:
    """Return `judgement` in a format of FORMATS, without a last line feed; UsageError elsewhere."""
    if form not in FORMATS:
        raise unknown("format", form, FORMATS)
    return FORMATS[form](judgement)
