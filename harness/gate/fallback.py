"""A candidate that ran on less than its base did: fast or slow for a reason that is not the model.

Evidence is what the runtime said of itself after the timed part: provider or delegate, the share of
nodes on it, the precision it computed in, the threads it took.
"""

from __future__ import annotations

from harness.gate.blocks import Pair
from harness.types import Json
from results import measured

_WORDS = (
    ("provider", "ran on {theirs} and the base on {ours}"),
    ("precision", "computed in {theirs} and the base in {ours}"),
    ("threads", "took {theirs} threads and the base {ours}"),
)


def fallbacks(pair: Pair) -> tuple[str, ...]:
    """Return one sentence per thing that the candidate's runtime did otherwise than the base's."""
    if not pair.runs:
        return ()
    ours, theirs = (measured.section(run.result, "evidence") for run in pair.runs[-1])
    found = []
    base, candidate = _share(ours), _share(theirs)
    if base is not None and candidate is not None and candidate < base:
        found.append(
            f"had {candidate:.0%} of its nodes on {theirs.get('provider') or 'the provider'} and "
            f"{base:.0%} of the base's"
        )
    for key, words in _WORDS:
        if ours.get(key) is not None and theirs.get(key) is not None and ours[key] != theirs[key]:
            found.append(words.format(ours=ours[key], theirs=theirs[key]))
    return tuple(f"{pair.label}: the candidate {sentence}" for sentence in found)


def _share(evidence: Json) -> float | None:
    """Return the share of nodes on the provider, None where the runtime does not tell."""
    total = measured.number(evidence, "nodes_total")
    on = measured.number(evidence, "nodes_on_provider")
    return on / total if on is not None and total else None
