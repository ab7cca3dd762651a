"""Right or wrong, sample by sample: the vectors that paired statistics need."""

from __future__ import annotations

from typing import Any

import numpy as np

from suites.quality.agreement import finite_rows
from suites.quality.alignment import rows


def top1_correct(scores: Any, labels: Any) -> np.ndarray[Any, Any]:
    """Return bool [n]: the largest of each sample's `scores` [n, classes] is at its label [n].

    A sample with a non-finite score is wrong: no application could use it.
    """
    return np.asarray((rows(scores).argmax(axis=1) == np.asarray(labels)) & finite_rows(scores))


def triplet_correct(embeddings: Any, triplets: Any) -> np.ndarray[Any, Any]:
    """Return bool [t]: the anchor lies nearer (by cosine) to the positive than to the negative.

    `embeddings` is [n, d]; `triplets` [t, 3] holds the rows of anchor, positive and negative.
    A triplet that touches a non-finite embedding is wrong, and so is a tie.
    """
    vectors, index = rows(embeddings), np.asarray(triplets)
    usable = finite_rows(vectors)
    vectors = np.where(usable[:, None], vectors, 0.0)
    norm = np.sqrt((vectors**2).sum(axis=1, keepdims=True))
    vectors = vectors / np.where(norm > 0, norm, 1.0)
    anchor, positive, negative = (vectors[index[:, k]] for k in range(3))
    nearer = (anchor * positive).sum(axis=1) > (anchor * negative).sum(axis=1)
    return np.asarray(nearer & usable[index].all(axis=1))
