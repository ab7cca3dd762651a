"""Pack the board side into one zip application, byte for byte the same from the same sources."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

from harness.errors import StoreError, UsageError
from harness.whole_file import write_whole

_EPOCH = (1980, 1, 1, 0, 0, 0)
_MAIN = b"import sys\nfrom harness.agent.entry import main\nsys.exit(main())\n"


def agent_bytes() -> bytes:
    """Return `agent.pyz`: harness/agent and backends, runnable by any python3 >= 3.6."""
    root = Path(__file__).resolve().parents[2]
    sources = [root / "harness" / "__init__.py"]
    sources += sorted((root / "harness" / "agent").rglob("*.py"))
    sources += sorted((root / "backends").glob("*.py"))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py", _EPOCH), _MAIN)
        for source in sources:
            entry = zipfile.ZipInfo(source.relative_to(root).as_posix(), _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, source.read_bytes())
    return packed.getvalue()


def write_agent(target: Path) -> Path:
    """Write `agent.pyz` to `target` atomically and return it."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, agent_bytes())
    except OSError as error:
        raise UsageError(
            f"cannot write {target}: {error.strerror}", "choose another file"
        ) from error
    return target


def cached_agent(cache: Path) -> Path:
    """Return the agent in `cache`, named by its content, writing it if it is not there yet.

    Raises StoreError where the cache cannot take it.
    """
    name = f"agent-{hashlib.sha256(agent_bytes()).hexdigest()[:12]}.pyz"
    target = cache / name
    try:
        return target if target.exists() else write_agent(target)
    except UsageError as error:
        advice = "free some space there, or name another directory in BOARDMARK_CACHE"
        raise StoreError(error.message, advice) from error
