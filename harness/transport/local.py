"""This machine: the same agent as on a board, as a subprocess of any interpreter here."""

from __future__ import annotations

import contextlib
import itertools
import json
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from harness.errors import DeviceError
from harness.transport import answers
from harness.transport.package import cached_agent
from harness.types import Json

# On top of a request's own time-out: what the supervisor may need to end and bury the child.
_GRACE_S = 30.0
# A million durations are a line of twelve megabytes.
_LONGEST_BYTES = 2**26


class LocalTransport:
    """One supervisor on this machine; it sleeps in a read between requests, and so do we."""

    def __init__(self, cache: Path, interpreter: str = sys.executable) -> None:
        """Start the agent under `interpreter`; DeviceError when that cannot be done."""
        agent = cached_agent(cache)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the agent
        self._ids = itertools.count(1)
        self._pending = b""
        self._name = f"the agent under {interpreter}"
        try:
            self._process = subprocess.Popen(
                [interpreter, str(agent)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            self._log.close()
            raise DeviceError(f"cannot start {interpreter}: {error.strerror}") from error
        # Both were asked for as pipes, so Popen made them.
        self._requests = cast(IO[bytes], self._process.stdin)
        self._answers = cast(IO[bytes], self._process.stdout)

    def identify(self) -> Json:
        """Return what the agent says this machine is."""
        identity: Json = self._last({"op": "identify"}, 60.0)["identity"]
        return identity

    def probe(self, backend: str) -> Json:
        """Import the runtime in a child; return its status, reason and result."""
        return self._last({"op": "probe", "backend": backend, "timeout_s": 120}, 120.0)

    def put(self, path: Path) -> str:
        """Return where `path` is for the agent: here it is where it is."""
        return str(path)

    def run(self, request: Json) -> Iterator[Json]:
        """Send one run; yield its events, the last of which is "finished"."""
        return self._events(request, float(request.get("timeout_s", 300.0)))

    def close(self) -> None:
        """End the agent, with the run that may still go on, and wait for it."""
        with contextlib.suppress(OSError):
            self._requests.close()
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()
        self._log.close()

    def _last(self, request: Json, timeout_s: float) -> Json:
        *_, last = self._events(request, timeout_s)
        return last

    def _events(self, request: Json, timeout_s: float) -> Iterator[Json]:
        identifier = next(self._ids)
        line = json.dumps({**request, "id": identifier}).encode() + b"\n"
        # One that is gone already cannot be written to; what it said before tells more than that.
        with contextlib.suppress(OSError):
            self._requests.write(line)
        while True:
            event = self._decode(self._read_line(timeout_s + _GRACE_S))
            if event.get("id") != identifier:
                continue  # the tail of a request that was abandoned
            if event["event"] == "finished":
                if clause := answers.wrong(request["op"], event):
                    raise DeviceError(f"{self._name} gives an answer of no use: {clause}")
                yield event
                return
            yield event

    def _decode(self, line: bytes) -> Json:
        """Return the event in `line`; what else an interpreter may print is no agent's answer."""
        event = answers.event(line)
        if event is None:
            told = line[:80].decode(errors="replace").strip()
            raise DeviceError(f"{self._name} does not answer like an agent: {told!r}")
        return event

    def _read_line(self, timeout_s: float) -> bytes:
        while b"\n" not in self._pending:
            ready, _, _ = select.select([self._answers], [], [], timeout_s)
            data = self._answers.read(1 << 20) if ready else None
            if not ready:
                raise DeviceError(f"{self._name} did not answer within {timeout_s:.0f} s")
            if not data:
                raise DeviceError(f"{self._name} ended unexpectedly{self._last_words()}")
            self._pending += data
            if len(self._pending) > _LONGEST_BYTES:
                raise DeviceError(f"{self._name} does not answer like an agent: it never ends")
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read()[-4096:].decode(errors="replace").strip().splitlines()
        return f": {lines[-1][:200]}" if lines else ""
