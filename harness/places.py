"""Where things lie unless the command says otherwise: in the checkout, or in the user's folders."""

from __future__ import annotations

import os
from pathlib import Path


def checkout() -> Path | None:
    """Return the checkout this code runs from, None when it was installed somewhere else."""
    root = Path(__file__).resolve().parents[1]
    return root if (root / "pyproject.toml").exists() else None


def store() -> str | Path:
    """Return where results are kept: $BOARDMARK_STORE, results/data, or the user's data folder.

    The variable may name a bucket: a URL stays text, for a path would lose its slashes.
    """
    named = os.environ.get("BOARDMARK_STORE")
    if named:
        return named if "://" in named else Path(named)
    root = checkout()
    return root / "results" / "data" if root else _user("XDG_DATA_HOME", ".local/share")


def cache() -> Path:
    """Return where artifacts are kept: $BOARDMARK_CACHE, .cache, or the user's cache folder."""
    named = os.environ.get("BOARDMARK_CACHE")
    if named:
        return Path(named)
    root = checkout()
    return root / ".cache" / "boardmark" if root else _user("XDG_CACHE_HOME", ".cache")


def configuration() -> Path:
    """Return the user's folder for what they write themselves: lab.toml, devices/*.toml."""
    return _user("XDG_CONFIG_HOME", ".config")


def reports() -> Path:
    """Return where reports are drawn: reports/out, or below the current directory."""
    root = checkout()
    return root / "reports" / "out" if root else Path.cwd() / "boardmark-reports"


def interpreter(environment: str) -> Path | None:
    """Return the python of a second environment that `make install-...` made, or None."""
    root = checkout()
    python = root / environment / "bin" / "python" if root else None
    return python if python and python.exists() else None


def _user(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / default) / "boardmark"
