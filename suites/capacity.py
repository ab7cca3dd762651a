"""The documented claims about memory that a limit can check, held against one case's trials.

Memory is not time: a process needs as many bytes here as on the board, give or take what its
libraries for another processor weigh. So absolute bytes may be compared where the model is of the
documented size; which model a document had is part of its claim.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from harness.units import show
from suites import CapacityMetric, Claim, ClaimKind
from suites.claims import Finding, Measured, judge

_GB = 1e9
# 3.2 million parameters in FP32, and somewhat more for the graph around them.
_SMALL_BYTES = 14e6
# The weights that table G2 documents for the model of G3: a GPT-2 of 0.8 billion parameters.
_GPT2_BYTES = (0.75 * 3.2 * _GB, 1.25 * 3.2 * _GB)
# The model of N2, pruned and distilled as its recipes say.
_NOMIC_BYTES = 390e6
_NOT_TRIED = "how many pass at once was not asked for: add --together"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What trials tell of one case on one board; bytes, None for what they leave open.

    `concurrency` is the figure that table N2 documents for the board.
    """

    board: str
    ram_bytes: int
    budget_bytes: int
    variant: str
    size_bytes: int | None
    several: bool
    limit_bytes: int | None
    failing_bytes: int | None
    at_once: int | None = None
    at_once_bound: int | None = None
    concurrency: int | None = None


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """One claim, our figure in its terms, and the verdict."""

    claim: Claim
    ours: Measured
    finding: Finding


_Concerns = Callable[[Facts], str | None]
"""Why a claim is not about a case, None where it is."""


def check(facts: Facts) -> tuple[Checked, ...]:
    """Return the claims of S4, S3, G3, and N2 where the board is in it, held against one case."""
    found = []
    for claim, concerns in _CLAIMS + _of_board(facts):
        reason = concerns(facts)
        ours = Measured(value=None, reason=reason) if reason else _ours(claim, facts)
        found.append(Checked(claim=claim, ours=ours, finding=judge(claim, ours)))
    return tuple(found)


def _claim(source: str, text: str, metric: CapacityMetric, bound: tuple[ClaimKind, float]) -> Claim:
    kind, value = bound
    return Claim(
        source=source, table=source, level="", metric=metric, kind=kind, text=text, value=value
    )


def _any(facts: Facts) -> str | None:
    return None


def _alone(facts: Facts) -> str | None:
    if facts.several:
        return "documented for one model, not for several different ones at once"
    return None


def _quantized(facts: Facts) -> str | None:
    if not facts.variant.startswith("int"):
        return f"documented for a quantized model, this is {facts.variant}"
    return _alone(facts)


def _small(facts: Facts) -> str | None:
    size = facts.size_bytes
    if size is None or size > _SMALL_BYTES:
        return f"documented for 3.2 million parameters; this file has {show(size, 'bytes')}"
    return _alone(facts)


def _four_gb(facts: Facts) -> str | None:
    if round(facts.ram_bytes / _GB) != 4:
        return f"documented for 4 GB, {facts.board} has {show(facts.ram_bytes, 'bytes')}"
    return _alone(facts)


def _gpt2(facts: Facts) -> str | None:
    size, (low, high) = facts.size_bytes, _GPT2_BYTES
    if size is None or not low <= size <= high:
        of = f"this file has {show(size, 'bytes')}"
        return f"documented for a GPT-2 with 3.2 GB of weights (table G2); {of}"
    return _four_gb(facts)


def _nomic(facts: Facts) -> str | None:
    size = facts.size_bytes
    if size is None or size < _NOMIC_BYTES:
        return f"documented for a model of 390 MB; this file has {show(size, 'bytes')}"
    return _alone(facts)


_RATE = msgspec.structs.replace(
    _claim("S4", "120 inferences/s under 300 MB: the rate", "at_once", ("at_least", 120.0)),
    unmeasurable="a limited host has the memory of a board, not its speed",
)
_CLAIMS: tuple[tuple[Claim, _Concerns], ...] = (
    (
        _claim("S4", "120 inferences/s under 300 MB: the memory", "limit_bytes", ("at_most", 3e8)),
        _small,
    ),
    (_RATE, _any),
    (
        _claim("S4", "RAM at least twice the quantized model", "limit_to_file", ("at_most", 2.0)),
        _quantized,
    ),
    (_claim("S4", "INT8 needs 400 MB reserved", "limit_bytes", ("at_most", 4e8)), _quantized),
    (_claim("S4", "three such models at once in 4 GB", "at_once", ("at_least", 3.0)), _four_gb),
    (_claim("S3", "memory under 70 % of the RAM", "limit_to_ram", ("at_most", 0.7)), _any),
    (
        _claim(
            "G3",
            "loading a GPT-2 on a 4 GB Pi runs out of memory",
            "limit_to_budget",
            ("at_least", 1.0),
        ),
        _gpt2,
    ),
)


def _of_board(facts: Facts) -> tuple[tuple[Claim, _Concerns], ...]:
    """Return what table N2 documents for the board."""
    most = facts.concurrency
    if most is None:
        return ()
    claim = _claim("N2", f"max concurrency {most}", "at_once", ("at_least", float(most)))
    return ((claim, _nomic),)


def _ours(claim: Claim, facts: Facts) -> Measured:
    """Return our figure for a claim: between the limit that failed and the one that passed."""
    if claim.metric == "at_once":
        return _at_once(claim, facts)
    unit = {
        "limit_bytes": 1.0,
        "limit_to_file": facts.size_bytes,
        "limit_to_ram": facts.ram_bytes,
        "limit_to_budget": facts.budget_bytes,
    }[claim.metric]
    if not unit:
        return Measured(value=None, reason="the size of the model's file is not known")
    low, high = facts.failing_bytes, facts.limit_bytes
    if high is None and low is None:
        return Measured(value=None, reason="no trial passed or ran out of memory")
    if high is None:
        # No limit passed: what is needed is more than the largest that was tried.
        return Measured(value=(low or 0) / unit, lo=(low or 0) / unit, hi=float("inf"))
    return Measured(value=high / unit, lo=(high if low is None else low) / unit, hi=high / unit)


def _at_once(claim: Claim, facts: Facts) -> Measured:
    if facts.at_once is None:
        return Measured(value=None, reason=_NOT_TRIED)
    if facts.at_once == facts.at_once_bound and facts.at_once < (claim.value or 0):
        reason = f"only {facts.at_once} at once were asked for, and they passed"
        return Measured(value=None, reason=reason)
    # That many passed, one more did not, or was not asked for.
    return Measured(value=facts.at_once, lo=facts.at_once, hi=facts.at_once)
