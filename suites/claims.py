"""Hold a documented figure against a measured one: the only place where the rules of a verdict are.

A verdict speaks of a relation (a ratio to the FP32 row, a fraction of quality lost), never of
absolute times, because board and model are not the documented ones.

- reproduced: our interval overlaps the documented figure as it was rounded, or, where the figure is
  a bound, our whole interval lies on its better side;
- partly: the same direction, and less than half of the documented effect is missing; or the
  interval reaches past a bound, so that more measurement has to decide;
- not reproduced: everything else;
- not measurable here: there is no figure of ours, with the reason.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from suites import Claim, ClaimKind, Metric

Verdict = Literal["reproduced", "partly", "not reproduced", "not measurable here"]


class Relation(msgspec.Struct, frozen=True, kw_only=True):
    """What a metric of a claim means: the value without any effect, and which way is better."""

    neutral: float
    higher_is_better: bool


RELATIONS: dict[Metric, Relation] = {
    "memory": Relation(neutral=1.0, higher_is_better=False),
    "size": Relation(neutral=1.0, higher_is_better=False),
    "latency": Relation(neutral=1.0, higher_is_better=False),
    "speed": Relation(neutral=1.0, higher_is_better=True),
    "throughput": Relation(neutral=1.0, higher_is_better=True),
    "quality_loss": Relation(neutral=0.0, higher_is_better=False),
    "limit_bytes": Relation(neutral=0.0, higher_is_better=False),
    "limit_to_file": Relation(neutral=0.0, higher_is_better=False),
    "limit_to_ram": Relation(neutral=0.0, higher_is_better=False),
    "limit_to_budget": Relation(neutral=1.0, higher_is_better=False),
    "at_once": Relation(neutral=0.0, higher_is_better=True),
}


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Our figure in the claim's own terms, with its 95 % interval (exact: lo = value = hi).

    A figure that could not be had is None and `reason` says why. `architecture` is the machine's,
    as `uname -m` says it.
    """

    value: float | None
    lo: float | None = None
    hi: float | None = None
    reason: str | None = None
    architecture: str | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict and the sentence that supports it.

    `favourable` tells that our whole interval is better than the documented figure: a claim may be
    contradicted by something better.
    """

    verdict: Verdict
    reason: str
    favourable: bool = False


class _Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides with nothing missing: the documented figure and ours, in the claim's own terms."""

    kind: ClaimKind
    documented: float
    rounding: float
    value: float
    lo: float
    hi: float
    neutral: float
    higher_is_better: bool

    @property
    def documented_is_cost(self) -> bool:
        """Tell whether the documented figure is worse than no effect at all."""
        return self.documented != self.neutral and not self._is_better(self.documented)

    @property
    def overlaps(self) -> bool:
        """Tell whether our interval meets the documented figure, as it was rounded."""
        return (
            self.lo <= self.documented + self.rounding
            and self.hi >= self.documented - self.rounding
        )

    @property
    def within_bound(self) -> bool:
        """Tell whether the figure is a bound and our whole interval lies on its better side."""
        if self.kind == "at_most":
            return self.hi <= self.documented + self.rounding
        return self.kind == "at_least" and self.lo >= self.documented - self.rounding

    @property
    def same_direction(self) -> bool:
        """Tell whether our whole interval lies on the documented side of no effect."""
        if self.documented > self.neutral:
            return self.lo > self.neutral
        return self.documented < self.neutral and self.hi < self.neutral

    @property
    def opposite(self) -> bool:
        """Tell whether our whole interval lies on the other side of no effect.

        A bound may lie just there: that something does not fit is at least all that there is.
        """
        if self.documented == self.neutral and self.kind != "equal":
            return self.hi < self.neutral if self.kind == "at_least" else self.lo > self.neutral
        if self.documented > self.neutral:
            return self.hi < self.neutral
        return self.documented < self.neutral and self.lo > self.neutral

    @property
    def favourable(self) -> bool:
        """Tell whether our whole interval is better than the documented figure."""
        return self.lo > self.documented if self.higher_is_better else self.hi < self.documented

    def _is_better(self, value: float) -> bool:
        return value > self.neutral if self.higher_is_better else value < self.neutral


def judge(claim: Claim, ours: Measured) -> Finding:
    """Return the verdict on `claim` from our figure and its interval."""
    pair = _pair(claim, ours)
    if isinstance(pair, str):
        return Finding(verdict="not measurable here", reason=pair)
    if pair.within_bound or pair.overlaps:
        return _meets(pair)
    if pair.opposite:
        return _contradicted(pair, "the effect points the other way")
    if not pair.same_direction:
        return _contradicted(pair, "our interval cannot be told from no effect")
    return _weigh(pair)


def _meets(pair: _Pair) -> Finding:
    """Return the finding for an interval that meets the documented figure or holds its bound."""
    if pair.within_bound:
        reason = "our interval is on the better side of the bound"
        return Finding(verdict="reproduced", reason=reason)
    if pair.kind != "equal":
        reason = "not decided: our interval reaches past the bound, a narrower one would tell"
        return Finding(verdict="partly", reason=reason)
    return Finding(verdict="reproduced", reason="our interval contains the documented figure")


def _pair(claim: Claim, ours: Measured) -> _Pair | str:
    """Return both sides, or why one of them is missing."""
    if claim.value is None or claim.unmeasurable:
        return claim.unmeasurable or "no figure is documented"
    if claim.architecture and claim.architecture != ours.architecture:
        return f"documented for {claim.architecture}, this is {ours.architecture or 'unknown'}"
    if ours.value is None:
        return ours.reason or "no figure and no reason were recorded"
    if ours.lo is None or ours.hi is None:
        return ours.reason or "the figure has no interval, more blocks are needed"
    relation = RELATIONS[claim.metric]
    return _Pair(
        kind=claim.kind,
        documented=claim.value,
        rounding=claim.rounding,
        value=ours.value,
        lo=ours.lo,
        hi=ours.hi,
        neutral=relation.neutral,
        higher_is_better=relation.higher_is_better,
    )


def _weigh(pair: _Pair) -> Finding:
    """Return the finding for an effect in the documented direction but of another size."""
    share = abs(pair.value - pair.neutral) / abs(pair.documented - pair.neutral)
    if share >= 1 and not pair.documented_is_cost:
        reason = "the effect is larger than documented"
        return Finding(verdict="partly", reason=reason, favourable=pair.favourable)
    deviation = abs(1 - share)
    side = "of the documented effect is missing" if share < 1 else "more than documented"
    verdict: Verdict = "partly" if deviation < 0.5 else "not reproduced"
    reason = f"{deviation:.0%} {side}"
    return Finding(verdict=verdict, reason=reason, favourable=pair.favourable)


def _contradicted(pair: _Pair, reason: str) -> Finding:
    """Return the finding for an effect that is absent or points the other way."""
    return Finding(verdict="not reproduced", reason=reason, favourable=pair.favourable)
