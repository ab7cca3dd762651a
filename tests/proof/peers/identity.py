"""Which machine, when, which versions: printed with every table."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

HERE = (
    "boardmark",
    "onnxruntime",
    "openvino",
    "ai-edge-litert",
    "torch",
    "pytest-benchmark",
    "numpy",
)
THERE = ("optimum-benchmark", "transformers", "torch", "mlcommons-loadgen", "onnxruntime")
_ASK = """\
import json, sys
from importlib.metadata import PackageNotFoundError, version
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        found[name] = None
print(json.dumps(found))
"""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """The machine, the day, and the versions in both environments."""

    cpu: str
    cores: int
    ram_bytes: int
    kernel: str
    python: str
    day: str
    load_1m: float
    here: dict[str, str | None]
    there: dict[str, str | None]


def identify(peers_python: Path | None) -> Identity:
    """Ask the machine and both environments."""
    return Identity(
        cpu=_field("/proc/cpuinfo", "model name") or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        ram_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        kernel=platform.release(),
        python=platform.python_version(),
        day=datetime.now(timezone.utc).date().isoformat(),
        load_1m=os.getloadavg()[0],
        here={name: _version(name) for name in HERE},
        there=_versions_there(peers_python),
    )


def _field(path: str, key: str) -> str | None:
    for line in Path(path).read_text("utf-8", "replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _versions_there(python: Path | None) -> dict[str, str | None]:
    if python is None:
        return {}
    answer = subprocess.run(
        [str(python), "-c", _ASK, *THERE], capture_output=True, text=True, timeout=60, check=True
    )
    found: dict[str, str | None] = json.loads(answer.stdout)
    return found
