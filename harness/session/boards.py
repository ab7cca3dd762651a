"""The agents of one device: one transport per interpreter, started when first needed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol

import backends
from harness.errors import BoardLost, DeviceError
from harness.plan.cases import Runtime
from harness.types import Json

# What the dynamic loader says of a wheel that was built on a newer system.
_LIBRARY = re.compile(r"version [`'](GLIBC|GLIBCXX)_([\d.]+)' not found")


class Transport(Protocol):
    """What the session needs of a way to a board."""

    def identify(self) -> Json:
        """Return what the agent says the board is."""

    def probe(self, backend: str) -> Json:
        """Import a runtime in a child and return how that went."""

    def put(self, files: Sequence[Path]) -> list[str]:
        """Bring one artifact's files to the board; return where each of them is there.

        They lie in one folder, under their own names, and can be read from there as they are.
        """

    def run(self, request: Json) -> Iterator[Json]:
        """Send one run; yield its events, the last of which is "finished".

        request["evaluate"] = {"inputs", "outputs"} are paths on the desk: a transport to elsewhere
        brings the one there and the other back before it yields "finished".
        """

    def close(self) -> None:
        """End the agent."""


class Board:
    """One device during one command: where its interpreters are and the agents under them."""

    def __init__(
        self,
        connect: Callable[[str], Transport],
        interpreters: Callable[[str], str],
    ) -> None:
        """Take `connect(interpreter)` and `interpreters(backend)`; nothing is started yet."""
        self._connect = connect
        self._interpreters = interpreters
        self._open: dict[str, Transport] = {}
        self._probed: dict[str, Runtime] = {}

    def __enter__(self) -> Board:
        """Return the board itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every agent that was started."""
        for transport in self._open.values():
            transport.close()
        self._open.clear()

    def under(self, interpreter: str) -> Transport:
        """Return the agent under `interpreter`, starting it if need be."""
        if interpreter not in self._open:
            self._open[interpreter] = self._connect(interpreter)
        return self._open[interpreter]

    def restart(self, interpreter: str) -> None:
        """Forget an agent that is gone; the next use starts another."""
        transport = self._open.pop(interpreter, None)
        if transport:
            transport.close()

    def identify(self) -> Json:
        """Return what the device is, as its first agent sees it."""
        return self.under(self._interpreters("null")).identify()

    def runtimes(self, names: Iterable[str]) -> dict[str, Runtime]:
        """Probe each backend in a process of its own; a dead import is a reason, not an end.

        What was probed once is remembered.
        """
        wanted = dict.fromkeys(names)
        for name in wanted:
            if name not in self._probed:
                self._probed[name] = self._probe(name)
        return {name: self._probed[name] for name in wanted}

    def _probe(self, name: str) -> Runtime:
        interpreter = self._interpreters(name)
        try:
            answer = self._answer(interpreter, name)
        except DeviceError as error:
            self.restart(interpreter)
            return Runtime(backend=name, interpreter=interpreter, reason=str(error))
        if answer["status"] == "ok":
            version = str(answer["result"]["version"])
            return Runtime(
                backend=name,
                interpreter=interpreter,
                version=version,
                probe_s=answer.get("duration_s"),
            )
        reason = answer["reason"]
        if missing := _LIBRARY.search(reason):
            library = {"GLIBC": "glibc", "GLIBCXX": "libstdc++ with GLIBCXX"}[missing[1]]
            reason = (
                f"the runtime needs {library} {missing[2]}, newer than this system's; install an"
                " older version of the runtime, or a newer system"
            )
            return Runtime(backend=name, interpreter=interpreter, reason=reason)
        if answer["status"] == "crashed":
            reason = f"importing the runtime {reason}"
        install = answer.get("install", backends.TABLE[name]["install"])
        if install and install not in reason:
            reason = f"{reason}; reinstall it: {install}"
        return Runtime(backend=name, interpreter=interpreter, reason=reason)

    def _answer(self, interpreter: str, name: str) -> Json:
        """Return what probing a runtime gives; once more where the board was lost meanwhile.

        A connection that broke is no property of the runtime; one that takes the board down is.
        """
        try:
            return self.under(interpreter).probe(name)
        except BoardLost:
            self.restart(interpreter)
            return self.under(interpreter).probe(name)
