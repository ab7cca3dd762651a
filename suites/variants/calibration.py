"""The real data behind static quantization: how much of it is used, and in which batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suites.variants import Material, Unsupported

SAMPLES = 32  # more move the least and greatest values little; each one costs a forward pass


def samples(material: Material, batches: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return up to SAMPLES samples {input name: array}, repeated to `batches` where that is fixed.

    Raises Unsupported where the model has no data: ranges of invented inputs would be invented too.
    """
    import numpy as np

    if not material.calibration:
        raise Unsupported("static quantization needs calibration data, and this model has none")
    return [
        {
            name: np.repeat(array, batches[name], axis=0) if batches.get(name, 1) > 1 else array
            for name, array in sample.items()
        }
        for sample in material.calibration[:SAMPLES]
    ]
