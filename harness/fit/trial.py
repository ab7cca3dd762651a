"""One trial: a fresh process per case in one limited group, all of them running at the same time.

The cache starts cold: a page of a file is charged to whoever reads it first, so the pages of the
models and of everything the processes map (runtime, interpreter) are dropped before each trial, and
every trial pays for all that it uses, as on a board that has just started. What another process of
this host maps at that moment stays charged there.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import msgspec

from harness.errors import DeviceError
from harness.fit.groups import Group, Usage
from harness.fit.place import Place
from harness.fit.verdict import Counted, Ending, Observed
from harness.types import Case, Json

# Together, processes have to be in their loops at the same time: this long, and longer if need be.
LOOP_S = 2.0
_ALONE_S = 0.4
_LEAST_TIMEOUT_S = 30.0
# A trial that takes so many times as long as without a limit is not worth waiting for.
_PATIENCE = 5.0


class Agent(Protocol):
    """The way to one agent on this host."""

    def run(self, request: Json) -> Iterator[Json]:
        """Send one run; yield its events."""

    def close(self) -> None:
        """End the agent."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What all trials of a session share: where groups go, the cores, the seed of the inputs."""

    place: Place
    cores: tuple[int, ...]
    seed: int


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """One trial to make: these cases at once in so many bytes, looping for `loop_s`.

    `usual_s` is how long it took without a limit, None where that is not known.
    """

    cases: tuple[Case, ...]
    limit_bytes: int
    loop_s: float
    usual_s: float | None = None


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of a trial: an ending per case, what the group used, the whole duration.

    `observed` is what a verdict needs of it.
    `overlap_s` is how long all of them were in their loops at once, None where one did not get
    there. `anonymous_bytes` is the most that all had of their own, by the ends of their phases.
    """

    observed: Observed
    usage: Usage
    duration_s: float
    overlap_s: float | None
    anonymous_bytes: int | None


def loop_s(count: int) -> float:
    """Return how long `count` processes loop at the least."""
    return _ALONE_S if count == 1 else LOOP_S


class Crew:
    """The agents that trials need: one per interpreter and process, started once."""

    def __init__(self, connect: Callable[[str], Agent]) -> None:
        """Take `connect(interpreter)`; nothing is started yet."""
        self._connect = connect
        self._agents: dict[tuple[str, int], Agent] = {}
        self._files: set[str] = set()

    def close(self) -> None:
        """End all agents."""
        for agent in self._agents.values():
            agent.close()
        self._agents.clear()

    def make(self, setting: Setting, wanted: Wanted) -> Seen:
        """Carry one trial out; DeviceError where the group cannot be made."""
        for case in wanted.cases:
            self._files |= {case.artifact.path, *case.artifact.files}
        for number, case in enumerate(wanted.cases):
            self._agent(case.interpreter, number)
        _drop(self._files)
        began = time.monotonic()
        with (
            ThreadPoolExecutor(len(wanted.cases)) as pool,
            Group(setting.place, wanted.limit_bytes, setting.cores) as group,
        ):
            watch = _Watch(group, self._files)
            futures = [
                pool.submit(self._one, number, case, (setting, wanted), watch)
                for number, case in enumerate(wanted.cases)
            ]
            answers = [future.result() for future in futures]
            usage = group.usage()
        counted = Counted(
            oom_kills=usage.oom_kills,
            major_faults=usage.major_faults,
            swap_bytes=usage.swap_bytes,
            loop_refaults=watch.loop_refaults,
        )
        endings = tuple(_ending(answer) for answer in answers)
        return Seen(
            observed=Observed(endings=endings, counted=counted),
            usage=usage,
            duration_s=time.monotonic() - began,
            overlap_s=watch.overlap_s(len(answers)),
            anonymous_bytes=_anonymous_bytes(answers),
        )

    def _agent(self, interpreter: str, number: int) -> Agent:
        key = (interpreter, number)
        if key not in self._agents:
            self._agents[key] = self._connect(interpreter)
        return self._agents[key]

    def _one(self, number: int, case: Case, asked: tuple[Setting, Wanted], watch: _Watch) -> Json:
        """Return the last event of one process; an agent that is lost is replaced."""
        last: Json = {}
        try:
            for event in self._agent(case.interpreter, number).run(
                _request(case, *asked, watch.group.through())
            ):
                watch.hear(number, event)
                last = event
        except DeviceError as error:
            self._agents.pop((case.interpreter, number)).close()
            last = {"status": "failed", "reason": str(error), "result": {}}
        return last


class _Watch:
    """When each process entered and left its loop, and which files they all mapped."""

    def __init__(self, group: Group, files: set[str]) -> None:
        self.group = group
        self._files = files
        self._lock = threading.Lock()
        self._times: dict[str, dict[int, float]] = {"first": {}, "timed": {}}
        self._refaults: dict[str, int | None] = {}

    @property
    def loop_refaults(self) -> int | None:
        """Return the pages read again between the last first call and the first loop's end."""
        begun, ended = self._refaults.get("first"), self._refaults.get("timed")
        return None if begun is None or ended is None else max(0, ended - begun)

    def hear(self, number: int, event: Json) -> None:
        """Note the time of a phase; where the model is loaded, all that is mapped is mapped."""
        name = str(event.get("name"))
        if name not in self._times:
            return
        with self._lock:
            refaults = self.group.usage().refaults
            if name == "first" or not self._times[name]:
                self._refaults[name] = refaults
            self._times[name][number] = time.monotonic()
            for pid in self.group.pids():
                self._files |= _mapped(pid)

    def overlap_s(self, count: int) -> float | None:
        """Return how long all were in their loops, None where one did not get to its end."""
        begun, ended = self._times["first"], self._times["timed"]
        if len(begun) < count or len(ended) < count:
            return None
        return min(ended.values()) - max(begun.values())


def _ending(answer: Json) -> Ending:
    """Return how one process ended, from the agent's last event."""
    result = answer["result"]
    samples = result.get("samples_ns") or []
    calls = len(samples) + len(result.get("warmup_ns") or [])
    # The agent names the seconds that it was given: a multiple of what this host took.
    late = answer["status"] == "timeout"
    return Ending(
        status=answer["status"],
        reason="it was not done in time" if late else answer["reason"],
        calls=calls,
        major_faults=(result.get("own") or {}).get("major_faults"),
        call_s=statistics.median(samples) / 1e9 if samples else None,
    )


def _request(case: Case, setting: Setting, wanted: Wanted, through: list[str]) -> Json:
    usual_s = wanted.usual_s
    return {
        "op": "run",
        "backend": case.backend,
        "artifact": case.artifact.path,
        # The agent would read the whole file first, and its pages would be charged to the agent.
        "sha256": None,
        "options": case.options,
        "affinity": None if setting.place.cpuset else list(setting.cores),
        "inputs": msgspec.to_builtins(case.inputs),
        "seed": setting.seed,
        "batch": case.batch,
        "sampling": {
            "warmup_calls": 2,
            "warmup_s": 0.0,
            "min_samples": 5,
            "max_samples": 5000,
            "min_s": wanted.loop_s,
            "budget_s": wanted.loop_s,
            "precision": None,
        },
        "energy_s": 0,
        "timeout_s": 600.0 if usual_s is None else max(_LEAST_TIMEOUT_S, _PATIENCE * usual_s),
        "through": through,
    }


def _anonymous_bytes(answers: Sequence[Json]) -> int | None:
    peaks = [answer["result"].get("peak_anon_bytes") for answer in answers]
    known = [peak for peak in peaks if isinstance(peak, int)]
    return sum(known) if len(known) == len(answers) else None


def _mapped(pid: int) -> set[str]:
    """Return the files that a process maps; none where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines()
    except OSError:
        return set()
    fields = (line.split(maxsplit=5) for line in lines)
    return {words[5] for words in fields if len(words) == 6 and words[5].startswith("/")}


def _drop(files: set[str]) -> None:
    """Let the kernel forget the cached pages of `files`; what others map stays."""
    for name in files:
        with contextlib.suppress(OSError):  # one that is gone has no pages
            descriptor = os.open(name, os.O_RDONLY)
            try:
                os.fsync(descriptor)  # a page that is not written yet cannot be dropped
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)
