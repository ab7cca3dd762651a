"""torch.utils.benchmark: Timer.blocked_autorange on the TorchScript module."""

from __future__ import annotations

import json
from pathlib import Path

from .implied import from_iqr
from .records import Bench, Command, Reading, Unusable

SCRIPT = Path(__file__).parent / "scripts" / "torch_timer.py"


def command(bench: Bench, word: str) -> Command:
    """Time calls for as long as the bare loop does."""
    return Command(
        argv=(
            *(str(bench.python), str(SCRIPT), str(bench.artifacts["torchscript"])),
            *(str(bench.threads), str(bench.seconds)),
            *(f"{name}={path}" for name, path in bench.inputs.items()),
        )
    )


def read(folder: Path, word: str) -> Reading:
    """Read the numbers of its Measurement; it has a median, an IQR and a count."""
    lines = (folder / "stdout.txt").read_text("utf-8").splitlines()
    record = json.loads(lines[-1]) if lines else {}
    if not record.get("measurements"):
        raise Unusable("it printed no measurement")
    return Reading(
        median_s=record["median_s"],
        n=record["calls"],
        half_width=from_iqr(record["median_s"], record["iqr_s"], record["measurements"]),
        interval="implied by its median, IQR and count",
    )
