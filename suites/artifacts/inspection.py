"""See what is inside a user's file once: kept in the build cache by the file's content."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from harness.types import digest
from suites.artifacts.cache import REVISION, keep, new_part, read_json, storing, write_json
from suites.models import Inspector
from suites.models.binding import Inspection
from suites.models.content import file_sha256


def cached_inspector(cache: Path, look: Inspector) -> Inspector:
    """Return an inspector that asks `look` only for content it has not seen before.

    `cache` must exist. A hub snapshot is known by its id as long as its directory exists.
    """

    def file(path: Path, kind: str) -> Inspection:
        entry = cache / digest(["inspection", REVISION, kind, file_sha256(path)])
        record = read_json(entry / "inspection.json")
        if record is not None:
            try:
                return msgspec.convert(record, Inspection)
            except msgspec.ValidationError:
                shutil.rmtree(entry)
        seen = look.file(path, kind)
        _remember(cache, entry, seen)
        return seen

    def hub(identifier: str) -> Path:
        entry = cache / digest(["hub", REVISION, identifier])
        record = read_json(entry / "inspection.json")
        if record is not None and Path(str(record.get("directory"))).is_dir():
            return Path(str(record["directory"]))
        shutil.rmtree(entry, ignore_errors=True)
        directory = look.hub(identifier)
        _remember(cache, entry, {"directory": str(directory)})
        return directory

    return Inspector(file=file, hub=hub)


def direct_inspector() -> Inspector:
    """Return the inspector that opens files in this process: only for the build worker."""

    def file(path: Path, kind: str) -> Inspection:
        from suites.models import inspect_file

        return inspect_file.inspect(path, kind)

    def hub(identifier: str) -> Path:
        from suites.models import hub as hub_snapshot

        return hub_snapshot.fetch(identifier)

    return Inspector(file=file, hub=hub)


def _remember(cache: Path, entry: Path, record: object) -> None:
    part = new_part(cache)
    try:
        with storing(cache):
            write_json(part / "inspection.json", record)
        keep(part, entry)
    finally:
        shutil.rmtree(part, ignore_errors=True)
