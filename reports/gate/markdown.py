"""A judgement for a pull request: the outcome, a table, and the details folded away.

GitHub and GitLab read names and reasons as markup unless they are escaped, and turn `@name`, `#1`
and bare addresses into links and notifications even then; a word joiner inside stops that.
"""

from __future__ import annotations

import re

from harness.gate.verdict import Judgement
from reports.gate.lines import basis, headline, lines, warnings

_MARKUP = re.compile(r"([\\`*_\[\]<>#|~$&])")
_LINKING = re.compile(r"(@|#|!|\$|:(?=//)|www(?=\.))", re.IGNORECASE)
_JOINER = "\u2060"


def render(judgement: Judgement) -> str:
    """Return the judgement as GitHub-flavoured Markdown."""
    found = lines(judgement)
    rows = [
        "| outcome | metric | base | candidate | change (95 % interval) | held to | case |",
        "|---|---|---:|---:|---:|---|---|",
    ]
    for line in found:
        outcome = line.outcome if line.outcome == "PASS" else f"**{line.outcome}**"
        figures = (line.metric, line.base, line.candidate, line.change, line.held, line.pair)
        rows.append(f"| {outcome} | {' | '.join(map(escaped, figures))} |")
    reasons = [
        f"- {line.outcome} {escaped(line.metric)}, {escaped(line.pair)}: {escaped(line.reason)}"
        for line in found
    ]
    parts = [
        f"**{judgement.outcome.upper()}**: {escaped(headline(judgement))}",
        "\n".join(rows),
        "\n".join(f"> warning: {escaped(warning)}" for warning in warnings(judgement)),
        escaped(judgement.calibration),
        "<details><summary>Details</summary>",
        "\n".join([*reasons, *(f"- {escaped(sentence)}" for sentence in basis(judgement)[1:])]),
        "</details>",
    ]
    return "\n\n".join(part for part in parts if part)


def escaped(text: str) -> str:
    """Return `text` so that it is shown as it is written, on one line."""
    joined = _LINKING.sub(rf"\1{_JOINER}", text)
    return _MARKUP.sub(r"\\\1", joined)
