"""What an emulated case tells beside quality and memory, as columns and notes of its row."""

from __future__ import annotations

from collections.abc import Sequence

from harness.types import Json, Run, SessionPlan
from results import figures, measured

_NOT_COMPARED = "its artifact's outputs were compared in another case, or not at all"


def columns(plan: SessionPlan, runs: Sequence[Run]) -> Json:
    """Return the native_ columns of the successful `runs` of a case; none but in an emulation."""
    if plan.kind != "emulation" or not runs:
        return {}
    found = figures.last(runs, "native")
    known: Json = {
        "native_difference": measured.number(found, "difference"),
        "native_largest": measured.number(found, "largest"),
        "native_cosine": measured.number(found, "cosine"),
        "native_samples": measured.whole(found, "samples"),
    }
    if known["native_cosine"] is None:
        known["native_reason"] = measured.text(found, "reason") or _NOT_COMPARED
    return known


def notes(runs: Sequence[Run]) -> tuple[str, ...]:
    """Return how to read the memory of an emulated case."""
    idle = figures.memory(runs)["baseline_rss_bytes"]
    known = f": an idle interpreter under it takes {idle / 1e6:.0f} MB" if idle else ""
    return (f"peak memory includes the emulator's own{known}",)
