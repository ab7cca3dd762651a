"""What tests of --fit share: whether this host lets itself be limited, and null cases to run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.errors import BoardmarkError
from harness.fit import place
from harness.fit.place import Place
from harness.types import Artifact, Case, TensorSpec

MIB = 2**20


def limits() -> Place:
    """Return where groups can be made; skip the test with the reason where nowhere."""
    try:
        return place.find()
    except BoardmarkError as error:
        pytest.skip(f"no memory can be limited here: {error}")


def null_case(folder: Path, name: str = "model", **script: Any) -> Case:
    """Return a case of the null backend that does what `script` says."""
    path = folder / f"{name}.null"
    path.write_text(json.dumps({"latency_us": 200, **script}))
    return Case(
        device="here",
        model=name,
        model_digest="0" * 16,
        variant="fp32",
        backend="null",
        runtime_version="1",
        interpreter=sys.executable,
        scenario="single-stream",
        batch=1,
        threads=1,
        affinity=None,
        inputs=(TensorSpec(name="x", dtype="float32", shape=(1, 4)),),
        artifact=Artifact(path=str(path), format="null", sha256="0" * 64, size_bytes=1000),
        options={"threads": 1},
        side="fit",
    )
