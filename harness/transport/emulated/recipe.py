"""What an emulated root is made of, so that the same recipe names the same root."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import msgspec

from harness.types import digest

Architecture = Literal["aarch64", "x86_64"]
PYTHON = "/usr/bin/python3.11"
# The user's word for a runtime -> its distribution. torch is left out: its wheels for Arm bring
# gigabytes of GPU libraries along.
RUNTIMES = {"onnxruntime": "onnxruntime", "openvino": "openvino", "tflite": "ai-edge-litert"}
# Raised when the way that roots are built changes what is in them.
_GENERATION = 1
_DEBIAN = {"aarch64": "arm64", "x86_64": "amd64"}


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """A Debian release's python and C library for one architecture, and wheels by exact version."""

    arch: Architecture
    release: str = "bookworm"
    packages: tuple[str, ...] = ("python3.11", "libstdc++6", "libgomp1")
    python: str = "3.11"
    glibc: tuple[int, int] = (2, 36)
    wheels: tuple[str, ...] = ()
    generation: int = _GENERATION

    @property
    def name(self) -> str:
        """Return the name of the root's folder: its architecture and the recipe's digest."""
        return f"{self.arch}-{digest(self)}"

    @property
    def debian_arch(self) -> str:
        """Return what Debian calls the architecture."""
        return _DEBIAN[self.arch]

    @property
    def platforms(self) -> tuple[str, ...]:
        """Return the wheel platforms that the C library can run, newest first."""
        major, newest = self.glibc
        tags = [f"manylinux_{major}_{minor}_{self.arch}" for minor in range(newest, 16, -1)]
        return (*tags, f"manylinux2014_{self.arch}")


def for_runtimes_here(arch: Architecture) -> Recipe:
    """Return the recipe with the runtimes of this environment, so that both sides run the same.

    A runtime that is not installed here is left out.
    """
    names = ("numpy", *RUNTIMES.values())
    pins = ((name, _installed(name)) for name in names)
    return Recipe(arch=arch, wheels=tuple(f"{name}=={found}" for name, found in pins if found))


def _installed(name: str) -> str | None:
    """Return the public version of a distribution here, None where it is not installed."""
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        return None
