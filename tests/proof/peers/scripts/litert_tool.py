"""litert-benchmark with its one line replaced that keeps it from measuring token ids.

Its own command draws integers from -128 to 127 whatever the model takes, and an embedding refuses a
negative id. All else is the tool's own: options, timing, statistics, output.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from ai_edge_litert.tools import benchmark_litert_model as tool

own_draw = tool.fill_random_input


def draw_ids(buffer: Any, details: dict[str, Any]) -> None:
    kind = tool.get_numpy_dtype(details.get("dtype", "float32"))
    if np.issubdtype(kind, np.integer):
        buffer.write(np.random.randint(1, 127, details.get("shape", [1]), dtype=kind))
    else:
        own_draw(buffer, details)


tool.fill_random_input = draw_ids
sys.exit(tool.main())
