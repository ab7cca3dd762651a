"""Where the building goes on: two stages, two workers at a time, one event at a time."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Literal

import msgspec

from harness.errors import UsageError
from harness.types import Artifact, Json
from suites.artifacts.cache import (
    Refusal,
    disk_error,
    keep,
    new_part,
    read_artifact,
    storing,
    toolchain_label,
    write_json,
)
from suites.artifacts.plan import BuildEvent, Plan
from suites.artifacts.process import Crew, WorkerDied
from suites.variants import TOOLCHAINS

WORKERS = 2
PREPARE_PATIENCE_S = 900.0
VARIANT_PATIENCE_S = 900.0


class Site:
    """Where the building goes on: the workers, the events, the cache."""

    def __init__(self, cache: Path, on_event: Callable[[BuildEvent], None], total: int) -> None:
        """Build into `cache`, an existing directory; `total` pieces of work are to be done."""
        self._cache = cache
        self._on_event = on_event
        self._total = total
        self._done = 0
        self._lock = threading.Lock()
        self._crew = Crew(threads=max(1, min(2, (os.cpu_count() or 1) // WORKERS)))

    def build(self, plans: Sequence[Plan]) -> None:
        """Prepare each plan, then build its formats, two workers at a time."""
        with ThreadPoolExecutor(WORKERS) as pool:
            waiting: dict[Future[None], Plan | None] = {}
            try:
                for plan in plans:
                    waiting[pool.submit(self._prepare, plan)] = plan
                while waiting:
                    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                        prepared = waiting.pop(future)
                        future.result()
                        if prepared is not None:
                            for format_name in _formats(prepared):
                                waiting[pool.submit(self._variants, prepared, format_name)] = None
            finally:
                # also after Ctrl-C: no worker may outlive the command
                self._crew.stop()

    def _prepare(self, plan: Plan) -> None:
        """Make the plan's material; where that fails, none of its variants can be built."""
        if plan.is_prepared:
            return
        self._say("start", plan, "", "")
        started = time.monotonic()
        part = new_part(self._cache)
        request = {"job": "prepare", "source": plan.request, "out": str(part)}
        reason = None
        try:
            for message in self._crew.converse(request, PREPARE_PATIENCE_S):
                self._refuse(message)
                reason = message.get("failed")
            if reason is None:
                keep(part, plan.prepared)
        except WorkerDied as death:
            reason = str(death)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        if reason is not None:
            plan.failed.update(dict.fromkeys(plan.missing, f"cannot prepare the model: {reason}"))
        self._end("failed" if reason else "done", plan, ("", ""), (started, reason))

    def _variants(self, plan: Plan, format_name: str) -> None:
        """Build the missing variants of one format; a worker that dies costs the one it was at."""
        while left := [pair for pair in plan.missing if pair[1] == format_name]:
            parts = {variant: new_part(self._cache) for variant, _ in left}
            request = {
                "job": "variants",
                "source": plan.request,
                "prepared": str(plan.prepared),
                "toolchain": TOOLCHAINS[format_name],
                "builds": [{"variant": name, "out": str(part)} for name, part in parts.items()],
            }
            current, started = left[0][0], time.monotonic()
            try:
                for message in self._crew.converse(request, VARIANT_PATIENCE_S):
                    self._refuse(message)
                    if "start" in message:
                        current, started = message["start"], time.monotonic()
                        self._say("start", plan, format_name, current)
                    elif "variant" in message:
                        self._take(plan, (message["variant"], format_name), parts, message)
                    else:
                        self._lose(plan, left, message["failed"], started)
                self._lose(plan, left, "the build worker gave no result", started)
            except WorkerDied as death:
                self._lose(plan, [(current, format_name)], str(death), started)
            finally:
                for part in parts.values():
                    shutil.rmtree(part, ignore_errors=True)

    def _take(
        self, plan: Plan, pair: tuple[str, str], parts: dict[str, Path], message: Json
    ) -> None:
        """Keep what a toolchain answered for one variant."""
        part, entry = parts[pair[0]], plan.entries[pair]
        started = time.monotonic() - message["seconds"]
        reason = message.get("unsupported") or message.get("failed")
        if "built" in message:
            label = toolchain_label(pair[1])
            artifact = msgspec.convert(
                {**message["built"], "format": pair[1], "toolchain": label}, Artifact
            )
            with storing(self._cache):
                write_json(part / "artifact.json", artifact)
            keep(part, entry)
        elif "unsupported" in message:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            with storing(self._cache):
                write_json(part / "artifact.json", Refusal(reason=str(reason)))
            keep(part, entry)
        kept = read_artifact(entry)
        if kept is not None:
            plan.found[pair] = kept
        else:
            plan.failed[pair] = reason or "the artifact could not be read back from the build cache"
        kind: Literal["done", "skipped", "failed"] = "failed"
        if "unsupported" in message:
            kind = "skipped"
        elif isinstance(kept, Artifact):
            kind = "done"
        self._end(kind, plan, pair, (started, reason))

    def _lose(
        self, plan: Plan, pairs: Sequence[tuple[str, str]], reason: str, started: float
    ) -> None:
        for pair in pairs:
            if pair not in plan.found and pair not in plan.failed:
                plan.failed[pair] = reason
                self._end("failed", plan, pair, (started, reason))

    def _refuse(self, message: Json) -> None:
        """Raise what concerns the whole command: bad input, or a disk that takes no more."""
        if "usage" in message:
            raise UsageError(*message["usage"])
        if "disk" in message:
            raise disk_error(self._cache, message["disk"])

    def _say(self, kind: Literal["start"], plan: Plan, format_name: str, variant: str) -> None:
        with self._lock:
            name = plan.want.source.model.name
            self._on_event(BuildEvent(kind, name, format_name, variant, self._done, self._total))

    def _end(
        self,
        kind: Literal["done", "skipped", "failed"],
        plan: Plan,
        pair: tuple[str, str],
        outcome: tuple[float, str | None],
    ) -> None:
        started, reason = outcome
        if self._crew.is_stopped:
            return  # the command is ending: what was killed with it did not fail
        with self._lock:
            self._done += 1
            self._on_event(
                BuildEvent(
                    kind, plan.want.source.model.name, pair[1], pair[0], self._done, self._total,
                    time.monotonic() - started, reason,
                )
            )  # fmt: skip


def _formats(plan: Plan) -> list[str]:
    """Return the formats that still miss a variant, in the order wanted."""
    return list(dict.fromkeys(format_name for _, format_name in plan.missing))
