"""What many tests need: an agent of the real kind, and null artifacts that play a runtime."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.transport.local import LocalTransport

if TYPE_CHECKING:
    from s3_service import Service


@pytest.fixture(scope="session")
def agent_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agent")


@pytest.fixture
def local(agent_cache: Path) -> Iterator[LocalTransport]:
    transport = LocalTransport(agent_cache)
    yield transport
    transport.close()


@pytest.fixture(scope="session")
def s3_for_all() -> Iterator[Service]:
    from s3_service import served

    with served() as service:
        yield service


@pytest.fixture
def s3(s3_for_all: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """Return an S3 service on the loopback that the AWS variables, and nothing else, lead to."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in s3_for_all.variables().items():
        monkeypatch.setenv(name, value)
    return s3_for_all


@pytest.fixture
def null_request(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Make a run request for the null backend: keywords into its script, `request` over all."""

    def make(request: dict[str, Any] | None = None, **script: Any) -> dict[str, Any]:
        artifact = tmp_path / "model.null"
        artifact.write_text(json.dumps({"latency_us": 200, **script}))
        sampling = {
            "warmup_calls": 3,
            "warmup_s": 0.01,
            "min_samples": 5,
            "max_samples": 50,
            "min_s": 0.0,
            "budget_s": 0.5,
            "precision": None,
        }
        return {
            "op": "run",
            "backend": "null",
            "artifact": str(artifact),
            "options": {"threads": 1},
            "affinity": None,
            "inputs": [{"name": "x", "dtype": "float32", "shape": [1, 4]}],
            "seed": 1,
            "batch": 1,
            "sampling": sampling,
            "energy_s": 0,
            "timeout_s": 20,
            **(request or {}),
        }

    return make
