"""What a session would measure, told without building or measuring anything."""

from __future__ import annotations

import json

import msgspec

from harness.session.prepare import Outline


def tell(found: Outline, as_json: bool) -> int:
    """Print one line or object per case; return the exit code."""
    rows = [
        {
            **msgspec.to_builtins(point),
            "device": found.device,
            "runtime_version": found.runtimes[point.backend].version,
            "reason": found.runtimes[point.backend].reason,
        }
        for point in found.points
    ]
    if as_json:
        print(json.dumps(rows, indent=1))
        return 0
    for row in rows:
        state = row["runtime_version"] or f"skipped: {row['reason']}"
        print(
            f"{row['model']}  {row['variant']:13} {row['backend']:15} {row['scenario']:13}"
            f" batch {row['batch']:<3} x{row['blocks']}  {state}"
        )
    runs = sum(point.blocks for point in found.points)
    print(f"{len(rows)} cases, {runs} runs on {found.device}; no model built, nothing measured")
    return 0
