"""Which python runs a backend: the one named, the one made for it, or ours."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from harness import places

# Backends that cannot live beside the others -> the environment that `make install-...` creates.
ENVIRONMENTS = {"tflite-runtime": ".venv-tflite-runtime"}


class Interpreters:
    """Finds interpreters on this machine."""

    def __init__(self, named: Mapping[str, str]) -> None:
        """Take the interpreters the user named, by backend."""
        self._named = named

    def __call__(self, backend: str) -> str:
        """Return the interpreter for `backend`."""
        if backend in self._named:
            return self._named[backend]
        own = ENVIRONMENTS.get(backend)
        found = places.interpreter(own) if own else None
        return str(found or sys.executable)
