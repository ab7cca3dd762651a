"""A judgement for a program: every field under a stable key, in base units."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec

from harness.gate.verdict import Judgement

# Raised when a key changes its meaning or goes; new keys may come at any time.
VERSION = 1


def render(judgement: Judgement) -> str:
    """Return the judgement as a JSON object; what is unknown or no finite number is null."""
    content = {"version": VERSION, **msgspec.to_builtins(judgement)}
    return json.dumps(_finite(content), indent=2, ensure_ascii=True, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    return [_finite(entry) for entry in value] if isinstance(value, list | tuple) else value
