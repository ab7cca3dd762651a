"""One case's outputs and the FP32 reference's, put together into one Quality record.

Every function takes `outputs` and `reference` as {name: array [n, ...]} and never raises for odd
outputs: what cannot be compared is a Quality without a value and with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from harness.types import Quality
from suites.quality import accuracy, agreement
from suites.quality.alignment import Mismatch, Pairs, align
from suites.quality.bootstrap import mean_interval
from suites.quality.paired import relative_loss

Arrays = Mapping[str, Any]


def score_top1(outputs: Arrays, reference: Arrays, labels: Any) -> Quality:
    """Score the first output [n, classes] as a classifier against class indices `labels` [n]."""
    try:
        pairs = align(outputs, reference)
    except Mismatch as mismatch:
        return unscored("top1", str(mismatch))
    _, got, want = pairs[0]
    right = accuracy.top1_correct(got, labels)
    expected = accuracy.top1_correct(want, labels)
    return _paired_quality("top1", expected, right, pairs)


def score_triplets(outputs: Arrays, reference: Arrays, triplets: Any) -> Quality:
    """Score the first output [n, d] as embeddings on `triplets` [t, 3] of sample indices."""
    try:
        pairs = align(outputs, reference)
    except Mismatch as mismatch:
        return unscored("triplet_accuracy", str(mismatch))
    _, got, want = pairs[0]
    right = accuracy.triplet_correct(got, triplets)
    expected = accuracy.triplet_correct(want, triplets)
    return _paired_quality("triplet_accuracy", expected, right, pairs)


def score_fidelity(outputs: Arrays, reference: Arrays) -> Quality:
    """Score how near the outputs are to the FP32 reference, where nothing else can be scored.

    The metric depends on what the model puts out: `agreement` (share of equal values) where every
    output is integer, `relative_agreement` (1 - relative error) where each is one number per
    sample, else `cosine` (mean over samples and outputs).
    """
    metric = fidelity_metric(reference)
    try:
        pairs = align(outputs, reference)
    except Mismatch as mismatch:
        return unscored(metric, str(mismatch))
    if metric == "relative_agreement":
        return _relative_quality(pairs)
    if metric == "agreement":
        per_sample = np.mean(
            [(_flat(got) == _flat(want)).mean(axis=1) for _, got, want in pairs], axis=0
        )
    else:
        per_sample = _mean_cosine(pairs)
    lo, hi = mean_interval(per_sample)
    value = float(per_sample.mean())
    quality = Quality(
        metric=metric,
        value=value,
        reference=1.0,
        loss=1.0 - value,
        loss_lo=1.0 - hi,
        loss_hi=1.0 - lo,
        n=len(per_sample),
    )
    return _with_fidelity(quality, pairs)


def fidelity_metric(reference: Arrays) -> str:
    """Name the metric that `score_fidelity` uses for outputs like `reference`."""
    arrays = [np.asarray(array) for array in reference.values()]
    if all(array.dtype.kind in "iub" for array in arrays):
        return "agreement"
    if all(array.size == len(array) for array in arrays):
        return "relative_agreement"
    return "cosine"


def unscored(metric: str, reason: str) -> Quality:
    """Return the Quality of outputs that could not be scored, with the reason."""
    return Quality(metric=metric, value=None, reference=None, loss=None, reason=reason)


def _paired_quality(metric: str, expected: Any, right: Any, pairs: Pairs) -> Quality:
    loss = relative_loss(expected, right)
    quality = Quality(
        metric=metric,
        value=float(right.mean()),
        reference=float(expected.mean()),
        loss=loss.value if loss else None,
        loss_lo=loss.lo if loss else None,
        loss_hi=loss.hi if loss else None,
        n=len(right),
        reason=None
        if loss
        else "the FP32 reference is never right: a relative loss has no meaning",
    )
    return _with_fidelity(quality, pairs)


def _relative_quality(pairs: Pairs) -> Quality:
    values = [agreement.relative_agreement(got, want) for _, got, want in pairs]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return unscored(
            "relative_agreement", "an output is not finite, or the reference is all zero"
        )
    value = float(np.mean(known))
    quality = Quality(
        metric="relative_agreement",
        value=value,
        reference=1.0,
        loss=1.0 - value,
        n=len(pairs[0][1]),
    )
    return _with_fidelity(quality, pairs)


def _with_fidelity(quality: Quality, pairs: Pairs) -> Quality:
    """Add mean cosine and SQNR over all outputs; infinite (identical outputs) stays None."""
    ratios = [agreement.sqnr_db(got, want) for _, got, want in pairs]
    finite = [ratio for ratio in ratios if ratio is not None and math.isfinite(ratio)]
    broken = sum(int((~agreement.finite_rows(got)).sum()) for _, got, _ in pairs)
    total = sum(len(got) for _, got, _ in pairs)
    return msgspec.structs.replace(
        quality,
        fidelity=float(_mean_cosine(pairs).mean()),
        sqnr_db=min(finite) if finite and None not in ratios else None,
        reason=f"{broken} of {total} outputs are not finite" if broken else quality.reason,
    )


def _mean_cosine(pairs: Pairs) -> np.ndarray[Any, Any]:
    return np.asarray(np.mean([agreement.cosine(got, want) for _, got, want in pairs], axis=0))


def _flat(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return values.reshape(len(values), -1)
