"""The build cache: one directory per key, renamed into place when complete, then never changed.

    <cache>/<key>/prepared.json     weights, evaluation.npz and base exports of a model
    <cache>/<key>/artifact.json     one variant in one format, or the reason why it cannot be made
    <cache>/<key>/inspection.json   what the build worker saw in a user's file

A key is a digest of everything that may change the content, so that a second session builds nothing
and an upgraded toolchain builds again.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import StoreError
from harness.types import Artifact, Json, digest
from suites.models import ModelOptions, Source
from suites.models.content import file_sha256
from suites.variants import toolchain

# raised when the layout of an entry or the worker's part of a recipe changes
REVISION = 2
ABANDONED_S = 86400.0
PART = ".part-"


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a toolchain does not make a variant: kept, so that it is asked only once."""

    reason: str


def material_key(source: Source) -> str:
    """Return the key of what `source.prepare` and `source.evaluation` make."""
    model = msgspec.to_builtins(source.model)
    return digest(["material", REVISION, model, versions(source.packages), _given(source.given)])


def artifact_key(material: str, variant: str, format_name: str) -> str:
    """Return the key of one variant in one format, made out of the material with key `material`."""
    tools = toolchain(format_name)
    return digest(
        ["artifact", material, variant, format_name, tools.REVISION, versions(tools.PACKAGES)]
    )


def toolchain_label(format_name: str) -> str:
    """Name the toolchain and the versions it ran with, for the artifact's record."""
    tools = toolchain(format_name)
    known = versions(tools.PACKAGES)
    return ", ".join(f"{name} {version}" for name, version in known.items() if version)


def versions(packages: Iterable[str]) -> dict[str, str | None]:
    """Return {distribution: installed version}, None where it is not installed; imports nothing."""
    found: dict[str, str | None] = {}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def read_artifact(entry: Path) -> Artifact | Refusal | None:
    """Return the artifact kept in `entry`, paths absolute, or the refusal; None: it must be built.

    An entry whose files have gone or changed size counts as absent.
    """
    record = read_json(entry / "artifact.json")
    if record is None:
        return None
    try:
        if "reason" in record:
            return msgspec.convert(record, Refusal)
        kept = msgspec.convert(record, Artifact)
        paths = [entry / kept.path, *(entry / name for name in kept.files)]
        if sum(path.stat().st_size for path in paths) != kept.size_bytes:
            return None
    except (msgspec.ValidationError, OSError):
        return None
    files = tuple(str(path) for path in paths[1:])
    return msgspec.structs.replace(kept, path=str(paths[0]), files=files)


def read_json(path: Path) -> Json | None:
    """Return the object in `path`; None where there is no such file or it is not one."""
    try:
        record = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        return None
    return record if isinstance(record, dict) else None


def write_json(path: Path, record: Any) -> None:
    """Write `record` (a Struct or plain JSON) to `path`."""
    path.write_bytes(msgspec.json.encode(record, order="sorted"))


def open_cache(cache: Path) -> Path:
    """Make the cache directory, drop what killed builds left, and return its absolute path."""
    with storing(cache):
        cache.mkdir(parents=True, exist_ok=True)
        for part in cache.glob(f"{PART}*"):
            if time.time() - part.stat().st_mtime > ABANDONED_S:
                shutil.rmtree(part, ignore_errors=True)
    return cache.resolve()


def new_part(cache: Path) -> Path:
    """Return a new empty directory inside the cache, to be filled and then passed to `keep`."""
    with storing(cache):
        return Path(tempfile.mkdtemp(prefix=PART, dir=cache))


def keep(part: Path, entry: Path) -> None:
    """Rename a filled `part` to its `entry`; where another session was first, its entry stays."""
    with storing(entry.parent):
        try:
            part.rename(entry)
        except OSError:
            if not entry.is_dir():
                raise
            if read_artifact(entry) is None and not _holds_record(entry):
                # an entry that cannot be read any more gives way
                shutil.rmtree(entry)
                part.rename(entry)
            else:
                shutil.rmtree(part, ignore_errors=True)


@contextlib.contextmanager
def storing(cache: Path) -> Iterator[None]:
    """Turn what the file system refuses into one sentence that names the cache."""
    try:
        yield
    except OSError as error:
        raise disk_error(cache, error.strerror or str(error)) from error


def disk_error(cache: Path, reason: str) -> StoreError:
    """Return the error for a build cache that cannot take what was built."""
    return StoreError(
        f"cannot write the build cache {str(cache)!r}: {reason}",
        "free some space there, or name another directory in BOARDMARK_CACHE",
    )


def is_full(cache: Path, least_bytes: int = 32 << 20) -> bool:
    """Tell whether so little space is left that a failed build is the disk's fault."""
    usage = os.statvfs(cache)
    return usage.f_bavail * usage.f_frsize < least_bytes


def _holds_record(entry: Path) -> bool:
    return any((entry / name).exists() for name in ("prepared.json", "inspection.json"))


def _given(given: ModelOptions) -> Json:
    """Return the options with files replaced by their content's hash."""
    record = given.to_json()
    for name, path in (("calibration", given.calibration), ("labels", given.labels)):
        record[name] = file_sha256(path) if path else None
    return record
